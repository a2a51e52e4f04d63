"""The Open Inference Protocol's bodies: JSON, and the binary extension (a JSON head, then raw values)."""

import json
import struct
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from resnet18_lab.base.resnet18 import SHAPE
from resnet18_lab.service.refusals import ServiceError, service_error

MODEL, VERSION = "resnet18", "1"
INPUT, OUTPUT = "input", "logits"
_MAX_ROWS = 32
_MAX_JSON_BYTES = 12_000_000
"""Numbers as text are slow to parse; larger requests must be sent in binary."""
_MAX_HEAD_BYTES = 100_000
"""Limit of the JSON before binary values."""
MAX_BYTES = _MAX_ROWS * int(np.prod(SHAPE)) * 4 + _MAX_HEAD_BYTES
HEAD_LENGTH = "inference-header-content-length"
Tensor = NDArray[np.float32]


@dataclass(frozen=True)
class Asked:
    """A parsed request: the pictures, float32 N×3×224×224, and the requested form of the answer."""

    tensor: Tensor
    id: str | None
    binary: bool


def head_length(text: str | None, total: int) -> int | None:
    """Bytes of the JSON before binary values, None when the whole body is JSON; ServiceError for an invalid length."""
    if text is None:
        if total > _MAX_JSON_BYTES:
            raise service_error("body_too_large", limit=_MAX_JSON_BYTES // 1_000_000)
        return None
    if not (text.isascii() and text.isdigit()) or not int(text[:20]) <= min(total, _MAX_HEAD_BYTES):
        raise _bad(f"Inference-Header-Content-Length must be a length within the body, at most {_MAX_HEAD_BYTES}")
    return int(text)


def parse(data: bytes, head_bytes: int | None) -> Asked:
    """The request's only tensor and the requested form of the answer; ServiceError for an invalid request."""
    try:
        head = json.loads(data if head_bytes is None else data[:head_bytes])
        inputs = head["inputs"]
        name, datatype, shape = inputs[0]["name"], inputs[0]["datatype"], tuple(inputs[0]["shape"])
    except (ValueError, TypeError, KeyError, IndexError, RecursionError):
        raise _bad("the JSON lacks inputs with name, datatype and shape") from None
    if len(inputs) != 1 or name != INPUT or datatype != "FP32":
        raise _bad(f"give one input {INPUT!r} of datatype FP32")
    is_integral = all(type(side) is int for side in shape)
    if not is_integral or len(shape) != 4 or shape[1:] != SHAPE or not 1 <= shape[0] <= _MAX_ROWS:
        raise _bad(f"the shape must be [N,{','.join(map(str, SHAPE))}] with N from 1 to {_MAX_ROWS}")
    raw = b"" if head_bytes is None else data[head_bytes:]
    tensor = _values(inputs[0], raw, int(np.prod(shape))).reshape(shape)
    if not np.isfinite(tensor).all():
        raise _bad("the values must be finite numbers")
    identity = head.get("id")
    return Asked(tensor, identity[:200] if isinstance(identity, str) else None, _wants_binary(head))


def answer(request: Asked, logits: Tensor) -> tuple[dict[str, Any], bytes]:
    """The answer's JSON and the raw values after it, which are empty when the JSON holds them.

    Pictures of huge but finite numbers overflow within the network: this is a ServiceError, too.
    """
    if not np.isfinite(logits).all():
        raise service_error("not_finite")
    output: dict[str, Any] = {"name": OUTPUT, "datatype": "FP32", "shape": list(logits.shape)}
    body: dict[str, Any] = {"model_name": MODEL, "model_version": VERSION, "outputs": [output]}
    if request.id is not None:
        body["id"] = request.id
    if not request.binary:
        output["data"] = logits.astype(float).reshape(-1).tolist()
        return body, b""
    raw = struct.pack(f"<{logits.size}f", *logits.reshape(-1).tolist())
    output["parameters"] = {"binary_data_size": len(raw)}
    return body, raw


def _bad(reason: str) -> ServiceError:
    return service_error("bad_request", reason=reason)


def _values(input_tensor: dict[str, Any], raw: bytes, count: int) -> Tensor:
    parameters = input_tensor.get("parameters")
    size = parameters.get("binary_data_size") if isinstance(parameters, dict) else None
    if size is not None:
        if size != 4 * count or len(raw) != size:
            raise _bad(f"binary_data_size and the bytes after the JSON must be {4 * count}")
        return np.frombuffer(raw, dtype="<f4")
    try:
        values = np.asarray(input_tensor["data"], dtype=np.float32).reshape(-1)
    except (KeyError, ValueError, TypeError, OverflowError):
        raise _bad("data holds no numbers of the shape") from None
    if values.size != count:
        raise _bad(f"data holds {values.size} numbers, the shape asks for {count}")
    return values


def _wants_binary(head: dict[str, Any]) -> bool:
    """True when the request wants the output in binary; ServiceError when it asks for another output."""
    outputs = head.get("outputs") or []
    if not isinstance(outputs, list) or not all(isinstance(one, dict) and one.get("name") == OUTPUT for one in outputs):
        raise _bad(f"the only output is {OUTPUT!r}")
    for holder, name in [*((one, "binary_data") for one in outputs), (head, "binary_data_output")]:
        parameters = holder.get("parameters")
        if isinstance(parameters, dict) and name in parameters:
            return bool(parameters[name])
    return False
