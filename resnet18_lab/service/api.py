"""The routes under /api/v1, and /predict, the address that tutorials use."""

import asyncio
from collections.abc import Coroutine
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from starlette.requests import ClientDisconnect

from resnet18_lab import __version__
from resnet18_lab.base.errors import CodedError
from resnet18_lab.base.networks import RESNET18
from resnet18_lab.base.samples import Sample, load_samples
from resnet18_lab.inference import labels
from resnet18_lab.inference.labels import Language
from resnet18_lab.service import prometheus
from resnet18_lab.service.classifier import Asked, Classifier, error_result
from resnet18_lab.service.forms import Upload
from resnet18_lab.service.refusals import service_error
from resnet18_lab.service.responses import JsonAnswer, refusal
from resnet18_lab.service.schemas import BATCH_BODY, OF_PICTURES, PICTURE_BODY, answered
from resnet18_lab.service.uploads import read_many, read_one

router = APIRouter()
_PICTURE = answered("PictureAnswer", *OF_PICTURES)
_BATCH = answered("BatchAnswer", *OF_PICTURES)
_SHARE_FOR_PICTURES = 0.9
"""Of a request's time: what is ready by then is answered, before all of the answer would be too late."""
TopK = Annotated[
    int, Query(ge=1, le=RESNET18.classes, description="Answers per picture; all classes where there are fewer.")
]
Lang = Annotated[Language, Query(description="Language of the names.")]
Cached = Annotated[bool, Query(description="Say whether the answer was remembered from an earlier request.")]
Crop = Annotated[bool, Query(description="Add the pixels the network saw, as a data: address.")]


def classifier_of(request: Request) -> Classifier:
    """The classifier of this worker."""
    classifier: Classifier = request.app.state.classifier
    return classifier


async def while_connected(request: Request, work: Coroutine[Any, Any, Any]) -> Any:  # noqa: ANN401 - what the work gives
    """The result of the work; the work is cancelled when the client disconnects before it is finished."""
    task = asyncio.ensure_future(work)
    disconnect = asyncio.ensure_future(_until_disconnect(request))
    try:
        await asyncio.wait({task, disconnect}, return_when=asyncio.FIRST_COMPLETED)
        if not task.done():
            raise ClientDisconnect
        return task.result()
    finally:
        task.cancel()
        disconnect.cancel()


async def _until_disconnect(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


async def _classify_one(request: Request, options: Asked) -> JsonAnswer:
    classifier = classifier_of(request)
    classifier.admission.check()
    with classifier.uploads.holding() as holding:
        upload = await read_one(request, classifier.settings, holding)
        with classifier.admission.taking(1):
            try:
                answer = await while_connected(request, classifier.classify(upload, options))
            except CodedError as error:
                prometheus.PICTURES.labels(error.code).inc()
                return refusal(error, request.state.request_id, file=upload.name)
    prometheus.PICTURES.labels("ok").inc()
    request.state.log_fields = {"cached": answer["cached"] if options.cached else answer.pop("cached")}
    timing = ", ".join(f"{name};dur={ms}" for name, ms in answer["timing_ms"].items())
    body = {**answer, "request_id": request.state.request_id}
    return JsonAnswer(body, headers={"server-timing": timing})


@router.post("/api/v1/classify", openapi_extra=PICTURE_BODY, responses=_PICTURE, tags=["pictures"])
async def classify(
    request: Request, top_k: TopK = 3, lang: Lang = Language.both, crop: Crop = False, cached: Cached = False
) -> JsonAnswer:
    """Name what is in one picture: the field ``file`` of a form, or the raw bytes as body."""
    return await _classify_one(request, Asked(top_k, lang, crop, cached))


@router.post("/predict", openapi_extra=PICTURE_BODY, responses=_PICTURE, tags=["pictures"])
async def predict(request: Request, top_k: TopK = 3, lang: Lang = Language.both) -> JsonAnswer:
    """The same under the address that tutorials use."""
    return await _classify_one(request, Asked(top_k, lang))


@router.post("/api/v1/classify/batch", openapi_extra=BATCH_BODY, responses=_BATCH, tags=["pictures"])
async def classify_batch(request: Request, top_k: TopK = 3, lang: Lang = Language.both) -> JsonAnswer:
    """Name what is in several pictures: results in their order, an error in the place of each bad one."""
    classifier = classifier_of(request)
    classifier.admission.check()
    options = Asked(top_k, lang)
    with classifier.uploads.holding() as holding:
        uploads = await read_many(request, classifier.settings, holding)
        with classifier.admission.taking(len(uploads)):
            seconds = classifier.settings.request_seconds * _SHARE_FOR_PICTURES
            results = await while_connected(request, _results(classifier, uploads, options, seconds))
    request.state.log_fields = {"pictures": len(uploads)}
    return JsonAnswer({"results": results, "request_id": request.state.request_id})


async def _results(
    classifier: Classifier, uploads: list[Upload], options: Asked, seconds: float
) -> list[dict[str, Any]]:
    """The results in order; what is not ready after that time is an error in its place, and its work is given up."""
    tasks = [asyncio.ensure_future(classifier.classify_or_error(upload, options)) for upload in uploads]
    try:
        await asyncio.wait(tasks, timeout=seconds)
        late = service_error("timeout", seconds=classifier.settings.request_seconds)
        return [
            one.result() if one.done() else error_result(upload.name, late)
            for one, upload in zip(tasks, uploads, strict=True)
        ]
    finally:
        for one in tasks:
            one.cancel()


@router.get("/api/v1/labels", responses=answered("LabelAnswer", 422, many=True), tags=["about"])
async def all_labels(request: Request, lang: Lang = Language.both) -> JsonAnswer:
    """The classes, by index."""
    fields = ("index", "wnid", *lang.keys)
    served = classifier_of(request).inference.backend.labels
    return JsonAnswer([{name: getattr(label, name) for name in fields} for label in served])


@router.get("/api/v1/model", responses=answered("ModelAnswer"), tags=["about"])
async def model(request: Request) -> JsonAnswer:
    """Which engine answers, from which file, made of which weights."""
    classifier = classifier_of(request)
    settings, network, backend = classifier.settings, classifier.network, classifier.inference.backend
    steps = network.preprocessing
    return JsonAnswer(
        {
            "name": network.name,
            "network": {
                "title": network.title,
                "classes": network.classes,
                "tells_unknown": backend.familiar is not None,
                "rules_sha256": backend.rules.sha256 if backend.rules else None,
                "resize": steps.resize,
                "crop": steps.crop,
                "interpolation": steps.interpolation,
                "mean": steps.mean,
                "std": steps.std,
            },
            "engine": classifier.engine.as_json(),
            "weights": {"name": classifier.engine.weights, "sha256": classifier.weights_sha256},
            "preprocess_id": classifier.preprocess_id,
            "limits": {**vars(settings.limits), "max_files": settings.max_files, "queue": settings.queue},
            "versions": {"resnet18_lab": __version__},
        }
    )


@router.get("/api/v1/samples", responses=answered("SampleAnswer", many=True), tags=["about"])
async def sample_list() -> JsonAnswer:
    """The project's own photographs, to try the service with."""
    return JsonAnswer([_sample(sample) for sample in load_samples()])


def _sample(sample: Sample) -> dict[str, str]:
    label = labels.by_index(sample.acceptable[0]) if sample.acceptable else None
    name = sample.path.name
    return {"name": name, "url": f"/samples/{name}", "en": label.en if label else "", "zh": label.zh if label else ""}
