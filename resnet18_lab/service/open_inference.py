"""The Open Inference Protocol, version 2: tensors in, logits out, for the clients that speak it."""

import json
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import Response

from resnet18_lab import __version__
from resnet18_lab.base.resnet18 import CLASSES, SHAPE
from resnet18_lab.service import tensors
from resnet18_lab.service.api import classifier_of, while_connected
from resnet18_lab.service.classifier import Classifier
from resnet18_lab.service.refusals import service_error
from resnet18_lab.service.responses import JsonAnswer
from resnet18_lab.service.schemas import TENSOR_BODY, TENSOR_REFUSALS
from resnet18_lab.service.uploads import body_chunks

router = APIRouter(tags=["open inference protocol"])
_MISSING: dict[int | str, dict[str, Any]] = {404: TENSOR_REFUSALS[404]}


@router.get("/v2")
async def server() -> JsonAnswer:
    """Name, version and extensions."""
    return JsonAnswer({"name": "resnet18_lab", "version": __version__, "extensions": ["binary_tensor_data"]})


@router.get("/v2/health/live")
async def live() -> JsonAnswer:
    """The process answers."""
    return JsonAnswer({"live": True})


@router.get("/v2/health/ready")
@router.get("/v2/models/{name}/ready", responses=_MISSING)
@router.get("/v2/models/{name}/versions/{version}/ready", responses=_MISSING)
async def ready(request: Request, name: str = tensors.MODEL, version: str = tensors.VERSION) -> JsonAnswer:
    """The engine works."""
    _check_model(name, version)
    is_ready = classifier_of(request).inference.is_alive()
    return JsonAnswer({"ready": is_ready}, 200 if is_ready else 503)


@router.get("/v2/models/{name}", responses=_MISSING)
@router.get("/v2/models/{name}/versions/{version}", responses=_MISSING)
async def metadata(request: Request, name: str, version: str = tensors.VERSION) -> JsonAnswer:
    """The names, types and shapes of what goes in and comes out."""
    _check_model(name, version)
    return JsonAnswer(
        {
            "name": tensors.MODEL,
            "versions": [tensors.VERSION],
            "platform": classifier_of(request).engine.backend,
            "inputs": [{"name": tensors.INPUT, "datatype": "FP32", "shape": [-1, *SHAPE]}],
            "outputs": [{"name": tensors.OUTPUT, "datatype": "FP32", "shape": [-1, CLASSES]}],
        }
    )


@router.post("/v2/models/{name}/infer", openapi_extra=TENSOR_BODY, responses=TENSOR_REFUSALS)
@router.post("/v2/models/{name}/versions/{version}/infer", openapi_extra=TENSOR_BODY, responses=TENSOR_REFUSALS)
async def infer(request: Request, name: str, version: str = tensors.VERSION) -> Response:
    """Logits of normalised pictures, FP32 [N,3,224,224]."""
    _check_model(name, version)
    classifier = classifier_of(request)
    classifier.admission.check()
    with classifier.uploads.holding() as holding:
        seconds = classifier.settings.body_seconds
        data = b"".join([chunk async for chunk in body_chunks(request, tensors.MAX_BYTES, seconds, holding)])
        head_bytes = tensors.head_length(request.headers.get(tensors.HEAD_LENGTH), len(data))
        tensor_request = await _parse(classifier, data, head_bytes)
        with classifier.admission.taking(len(tensor_request.tensor)):
            output = await while_connected(request, classifier.inference.run(tensor_request.tensor))
    body, raw = tensors.answer(tensor_request, output.logits)
    if not raw:
        return JsonAnswer(body)
    text = json.dumps(body).encode()
    headers = {tensors.HEAD_LENGTH: str(len(text))}
    return Response(text + raw, headers=headers, media_type="application/octet-stream")


async def _parse(classifier: Classifier, data: bytes, head_bytes: int | None) -> tensors.Asked:
    """The parsed request; the number of its pictures is not known yet, so while it is parsed it counts as one."""
    with classifier.admission.taking(1):
        return await classifier.in_pool(tensors.parse, data, head_bytes)


def _check_model(name: str, version: str) -> None:
    if name != tensors.MODEL or version != tensors.VERSION:
        raise service_error("not_found")
