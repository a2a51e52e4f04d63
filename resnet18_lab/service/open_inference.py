"""The Open Inference Protocol, version 2: tensors in, logits out, for the clients that speak it."""

import json

from fastapi import APIRouter, Depends, Request
from fastapi.responses import Response

from resnet18_lab import __version__
from resnet18_lab.service import tensor_answers, tensors
from resnet18_lab.service.api import classifier_of, while_connected
from resnet18_lab.service.bodies import body_chunks
from resnet18_lab.service.classifier import Classifier
from resnet18_lab.service.refusals import service_error
from resnet18_lab.service.responses import JsonAnswer
from resnet18_lab.service.schemas import BINARY, OF_TENSORS, TENSOR_BODY, answered, not_ready, refused


async def _named(name: str, request: Request) -> None:
    """Refuse a model that is not here."""
    if name != classifier_of(request).network.name:
        raise service_error("not_found")


async def _of_version(name: str, version: str, request: Request) -> None:
    """Refuse a model or a version of it that is not here."""
    await _named(name, request)
    if version != tensors.VERSION:
        raise service_error("not_found")


_OF_NAME, _OF_VERSION = [Depends(_named)], [Depends(_of_version)]
router = APIRouter(tags=["open inference protocol"])
_EXTENSIONS = ("binary_tensor_data", "classification", "model_configuration", "model_repository(index)", "statistics")
_MISSING = refused(404, error="TensorError")
_METADATA = answered("ModelMetadata", 404, error="TensorError")
_CONFIG = answered("ModelConfig", 404, error="TensorError")
_STATISTICS = answered("Statistics", 404, error="TensorError")
_READINESS = {**answered("Ready"), **not_ready("Ready")}
_INFERRED = answered("InferAnswer", *OF_TENSORS, error="TensorError")
_INFERRED[200]["content"] |= {"application/octet-stream": {"schema": BINARY}}


@router.get("/v2", responses=answered("ServerMetadata"))
async def server() -> JsonAnswer:
    """Name, version and extensions."""
    return JsonAnswer({"name": "resnet18_lab", "version": __version__, "extensions": list(_EXTENSIONS)})


@router.get("/v2/health/live", responses=answered("Live"))
async def live() -> JsonAnswer:
    """The process answers."""
    return JsonAnswer({"live": True})


@router.get("/v2/health/ready", responses=_READINESS)
async def server_ready(request: Request) -> JsonAnswer:
    """The engine works."""
    return _readiness(request)


@router.get("/v2/models/{name}/ready", dependencies=_OF_NAME, responses={**_READINESS, **_MISSING})
@router.get(
    "/v2/models/{name}/versions/{version}/ready", dependencies=_OF_VERSION, responses={**_READINESS, **_MISSING}
)
async def model_ready(request: Request) -> JsonAnswer:
    """The engine works."""
    return _readiness(request)


def _readiness(request: Request) -> JsonAnswer:
    is_ready = classifier_of(request).inference.is_alive()
    return JsonAnswer({"ready": is_ready}, 200 if is_ready else 503)


@router.get("/v2/models/stats", responses=answered("Statistics"))
async def all_statistics(request: Request) -> JsonAnswer:
    """What the engines of all workers have done since the service started."""
    return JsonAnswer({"model_stats": [tensor_answers.statistics(classifier_of(request).network)]})


@router.get("/v2/models/{name}", dependencies=_OF_NAME, responses=_METADATA)
@router.get("/v2/models/{name}/versions/{version}", dependencies=_OF_VERSION, responses=_METADATA)
async def metadata(request: Request) -> JsonAnswer:
    """The names, types and shapes of what goes in and comes out."""
    classifier = classifier_of(request)
    return JsonAnswer(tensor_answers.metadata(classifier.engine.backend, classifier.network))


@router.get("/v2/models/{name}/config", dependencies=_OF_NAME, responses=_CONFIG)
@router.get("/v2/models/{name}/versions/{version}/config", dependencies=_OF_VERSION, responses=_CONFIG)
async def config(request: Request) -> JsonAnswer:
    """The model's configuration, with the largest batch."""
    classifier = classifier_of(request)
    engine = classifier.engine
    return JsonAnswer(tensor_answers.config(engine.backend, engine.threads, classifier.network))


@router.get("/v2/models/{name}/stats", dependencies=_OF_NAME, responses=_STATISTICS)
@router.get("/v2/models/{name}/versions/{version}/stats", dependencies=_OF_VERSION, responses=_STATISTICS)
async def statistics(request: Request) -> JsonAnswer:
    """What the engines of all workers have done since the service started."""
    return JsonAnswer({"model_stats": [tensor_answers.statistics(classifier_of(request).network)]})


@router.post("/v2/repository/index", responses=answered("ModelState", many=True))
async def repository(request: Request) -> JsonAnswer:
    """The one model there is."""
    name = classifier_of(request).network.name
    return JsonAnswer([{"name": name, "version": tensors.VERSION, "state": "READY", "reason": ""}])


@router.post("/v2/models/{name}/infer", dependencies=_OF_NAME, openapi_extra=TENSOR_BODY, responses=_INFERRED)
@router.post(
    "/v2/models/{name}/versions/{version}/infer",
    dependencies=_OF_VERSION,
    openapi_extra=TENSOR_BODY,
    responses=_INFERRED,
)
async def infer(request: Request) -> Response:
    """Logits of normalised pictures, FP32 [N,3,H,W], where H = W = 224 unless another network is served."""
    classifier = classifier_of(request)
    classifier.admission.check()
    with classifier.uploads.holding() as holding:
        chunks = body_chunks(request, tensors.most_bytes(classifier.network), classifier.settings, holding)
        data = b"".join([chunk async for chunk in chunks])
        head_bytes = tensors.head_length(request.headers.get(tensors.HEAD_LENGTH), len(data))
        tensor_request = await _parse(classifier, data, head_bytes)
        with classifier.admission.taking(len(tensor_request.tensor)):
            output = await while_connected(request, classifier.inference.run(tensor_request.tensor))
    body, raw = tensor_answers.answer(tensor_request, output.logits, classifier.inference.backend)
    if not raw:
        return JsonAnswer(body)
    text = json.dumps(body).encode()
    headers = {tensors.HEAD_LENGTH: str(len(text))}
    return Response(text + raw, headers=headers, media_type="application/octet-stream")


async def _parse(classifier: Classifier, data: bytes, head_bytes: int | None) -> tensors.Asked:
    """The parsed request; the number of its pictures is not known yet, so while it is parsed it counts as one."""
    with classifier.admission.taking(1):
        return await classifier.in_pool(tensors.parse, data, head_bytes, classifier.network)
