"""The Open Inference Protocol, version 2: tensors in, logits out, for the clients that speak it.

JSON, and the binary tensor extension: a JSON head of ``Inference-Header-Content-Length`` bytes, then raw values.
"""

import asyncio
import json
import struct
from typing import Any

import numpy as np
from fastapi import APIRouter, Request
from fastapi.responses import Response
from numpy.typing import NDArray

from resnet18_lab import __version__
from resnet18_lab.service.api import classifier_of, while_connected
from resnet18_lab.service.edge import JsonAnswer
from resnet18_lab.service.problems import ServiceError, service_error
from resnet18_lab.service.schemas import REFUSALS, TENSOR_BODY
from resnet18_lab.service.uploads import body_chunks

router = APIRouter(tags=["open inference protocol"])
MODEL = "resnet18"
INPUT, OUTPUT = "input", "logits"
SHAPE = (3, 224, 224)
MAX_ROWS = 32
MAX_JSON_BYTES = 12_000_000
"""Numbers as text take long to parse; whoever has more sends them in binary."""
HEAD_LENGTH = "inference-header-content-length"
Tensor = NDArray[np.float32]


@router.get("/v2")
async def server() -> JsonAnswer:
    """Name, version and extensions."""
    return JsonAnswer({"name": "resnet18_lab", "version": __version__, "extensions": ["binary_tensor_data"]})


@router.get("/v2/health/live")
async def live() -> JsonAnswer:
    """The process answers."""
    return JsonAnswer({"live": True})


@router.get("/v2/health/ready")
@router.get("/v2/models/{name}/ready")
async def ready(request: Request, name: str = MODEL) -> JsonAnswer:
    """The engine works."""
    _known(name)
    good = classifier_of(request).inference.is_alive()
    return JsonAnswer({"ready": good}, 200 if good else 503)


@router.get("/v2/models/{name}", responses={404: REFUSALS[400]})
async def metadata(request: Request, name: str) -> JsonAnswer:
    """The names, types and shapes of what goes in and comes out."""
    _known(name)
    return JsonAnswer(
        {
            "name": MODEL,
            "versions": ["1"],
            "platform": classifier_of(request).engine.backend,
            "inputs": [{"name": INPUT, "datatype": "FP32", "shape": [-1, *SHAPE]}],
            "outputs": [{"name": OUTPUT, "datatype": "FP32", "shape": [-1, 1000]}],
        }
    )


@router.post("/v2/models/{name}/infer", openapi_extra=TENSOR_BODY, responses={404: REFUSALS[400], **REFUSALS})
async def infer(request: Request, name: str) -> Response:
    """Logits of normalised pictures, FP32 [N,3,224,224]."""
    _known(name)
    classifier = classifier_of(request)
    classifier.admission.check()
    data = await _read(request, classifier.settings.body_seconds)
    head_bytes = _head_bytes(request, len(data))
    if head_bytes is None and len(data) > MAX_JSON_BYTES:
        raise service_error("body_too_large", limit=MAX_JSON_BYTES // 1_000_000)
    head, tensor = await asyncio.to_thread(parse, data, head_bytes)
    with classifier.admission.taking(len(tensor)):
        answer = await while_connected(request, classifier.inference.run(tensor))
    return _answer(head, answer.logits)


def _known(name: str) -> None:
    if name != MODEL:
        raise service_error("not_found")


async def _read(request: Request, seconds: float) -> bytes:
    most = MAX_ROWS * int(np.prod(SHAPE)) * 4 + 100_000
    return b"".join([chunk async for chunk in body_chunks(request, most, seconds)])


def _head_bytes(request: Request, total: int) -> int | None:
    text = request.headers.get(HEAD_LENGTH)
    if text is None:
        return None
    if not (text.isascii() and text.isdigit()) or int(text) > total:
        raise _bad("Inference-Header-Content-Length is no length within the body")
    return int(text)


def _bad(reason: str) -> ServiceError:
    return service_error("bad_request", reason=reason)


def parse(data: bytes, head_bytes: int | None) -> tuple[dict[str, Any], Tensor]:
    """The request's JSON and its one tensor, float32 N×3×224×224; ServiceError says what is wrong with it."""
    try:
        head = json.loads(data if head_bytes is None else data[:head_bytes])
        given = head["inputs"]
        name, datatype, shape = given[0]["name"], given[0]["datatype"], tuple(given[0]["shape"])
    except (ValueError, TypeError, KeyError, IndexError, RecursionError):
        raise _bad("the JSON lacks inputs with name, datatype and shape") from None
    if len(given) != 1 or name != INPUT or datatype != "FP32":
        raise _bad(f"give one input {INPUT!r} of datatype FP32")
    if len(shape) != 4 or shape[1:] != SHAPE or type(shape[0]) is not int or not 1 <= shape[0] <= MAX_ROWS:
        raise _bad(f"the shape must be [N,3,224,224] with N from 1 to {MAX_ROWS}")
    raw = b"" if head_bytes is None else data[head_bytes:]
    tensor = _values(given[0], raw, int(np.prod(shape))).reshape(shape)
    if not np.isfinite(tensor).all():
        raise _bad("the values must be finite numbers")
    return head, tensor


def _values(given: dict[str, Any], raw: bytes, count: int) -> Tensor:
    parameters = given.get("parameters")
    size = parameters.get("binary_data_size") if isinstance(parameters, dict) else None
    if size is not None:
        if size != 4 * count or len(raw) != size:
            raise _bad(f"binary_data_size and the bytes after the JSON must be {4 * count}")
        return np.frombuffer(raw, dtype="<f4")
    try:
        values = np.asarray(given["data"], dtype=np.float32).reshape(-1)
    except (KeyError, ValueError, TypeError, OverflowError):
        raise _bad("data holds no numbers of the shape") from None
    if values.size != count:
        raise _bad(f"data holds {values.size} numbers, the shape asks for {count}")
    return values


def _answer(head: dict[str, Any], logits: Tensor) -> Response:
    output: dict[str, Any] = {"name": OUTPUT, "datatype": "FP32", "shape": list(logits.shape)}
    body: dict[str, Any] = {"model_name": MODEL, "model_version": "1", "outputs": [output]}
    if isinstance(head.get("id"), str):
        body["id"] = head["id"][:200]
    if not _wants_binary(head):
        output["data"] = logits.astype(float).reshape(-1).tolist()
        return JsonAnswer(body)
    raw = struct.pack(f"<{logits.size}f", *logits.reshape(-1).tolist())
    output["parameters"] = {"binary_data_size": len(raw)}
    text = json.dumps(body).encode()
    return Response(text + raw, headers={HEAD_LENGTH: str(len(text))}, media_type="application/octet-stream")


def _wants_binary(head: dict[str, Any]) -> bool:
    def flag(holder: Any, name: str) -> bool | None:  # noqa: ANN401 - whatever the client sent
        parameters = holder.get("parameters") if isinstance(holder, dict) else None
        return bool(parameters[name]) if isinstance(parameters, dict) and name in parameters else None

    outputs = head.get("outputs")
    asked = flag(outputs[0], "binary_data") if isinstance(outputs, list) and outputs else None
    return bool(asked if asked is not None else flag(head, "binary_data_output"))
