"""Requests of the Open Inference Protocol: JSON, and the binary extension (a JSON head, then raw values).

What a request says is either done or refused with the reason; nothing in it is passed over.
"""

import json
from dataclasses import dataclass
from itertools import chain
from typing import Any

import numpy as np
from numpy.typing import NDArray

from resnet18_lab.base.networks import Network
from resnet18_lab.service.refusals import ServiceError, service_error

VERSION = "1"
INPUT, OUTPUT = "input", "logits"
MAX_ROWS = 32
_MAX_JSON_BYTES = 12_000_000
"""Numbers as text are slow to parse; larger requests must be sent in binary."""
_MAX_HEAD_BYTES = 100_000
"""Limit of the JSON before binary values."""
HEAD_LENGTH = "inference-header-content-length"
Tensor = NDArray[np.float32]


@dataclass(frozen=True)
class Asked:
    """A parsed request: the pictures, float32 N×3×H×W, and the requested form of the answer.

    With ``classes`` the answer is so many best classes of each picture in place of the logits.
    """

    tensor: Tensor
    id: str | None = None
    binary: bool = False
    classes: int = 0


def most_bytes(network: Network) -> int:
    """Size of the largest request for a network."""
    return MAX_ROWS * int(np.prod(network.shape)) * 4 + _MAX_HEAD_BYTES


def head_length(text: str | None, total: int) -> int | None:
    """Bytes of the JSON before binary values, None when the whole body is JSON; ServiceError for an invalid length."""
    if text is None:
        if total > _MAX_JSON_BYTES:
            raise service_error("body_too_large", limit=_MAX_JSON_BYTES // 1_000_000)
        return None
    if not (text.isascii() and text.isdigit()) or not int(text[:20]) <= min(total, _MAX_HEAD_BYTES):
        raise _bad(f"Inference-Header-Content-Length must be a length within the body, at most {_MAX_HEAD_BYTES}")
    return int(text)


def parse(data: bytes, head_bytes: int | None, network: Network) -> Asked:
    """The only tensor, as the network takes it, and the requested form of the answer; ServiceError if invalid."""
    try:
        head = json.loads(data if head_bytes is None else data[:head_bytes])
    except (ValueError, RecursionError):
        raise _bad("it is no JSON") from None
    head = _fields(head, "the request", "id", "parameters", "inputs", "outputs")
    given, outputs = _only(head, "inputs", INPUT), head.get("outputs") or []
    given = _fields(given, f"input {INPUT!r}", "name", "shape", "datatype", "parameters", "data")
    if given.get("datatype") != "FP32":
        raise _bad(f"input {INPUT!r} is of datatype FP32")
    raw = b"" if head_bytes is None else data[head_bytes:]
    tensor = _values(given, raw, _shape(given.get("shape"), network))
    if not np.isfinite(tensor).all():
        raise _bad("the values must be finite numbers")
    identity = head.get("id")
    if identity is not None and not (isinstance(identity, str) and len(identity) <= 200):
        raise _bad("id must be a string of at most 200 characters")
    request = _parameters(head, "the request", binary_data_output=bool)
    output = _parameters(_output(head, outputs), f"output {OUTPUT!r}", binary_data=bool, classification=int)
    classes = output.get("classification", 0)
    if not 0 <= classes <= network.classes:
        raise _bad(f"classification (class_count) must be from 1 to {network.classes}")
    return Asked(tensor, identity, output.get("binary_data", request.get("binary_data_output", False)), classes)


def _output(head: dict[str, Any], outputs: object) -> dict[str, Any]:
    """What is said about the only output; nothing when no output is named, which means all of them."""
    return _fields(_only(head, "outputs", OUTPUT), f"output {OUTPUT!r}", "name", "parameters") if outputs else {}


def _only(head: dict[str, Any], key: str, name: str) -> dict[str, Any]:
    tensors = head.get(key)
    if not isinstance(tensors, list) or len(tensors) != 1 or not isinstance(tensors[0], dict):
        raise _bad(f"give one tensor {name!r} in {key}, with name, datatype and shape")
    if tensors[0].get("name") != name:
        raise _bad(f"the only tensor in {key} is {name!r}")
    first: dict[str, Any] = tensors[0]
    return first


def _fields(value: object, what: str, *known: str) -> dict[str, Any]:
    """The object, which has no other fields than these."""
    if not isinstance(value, dict):
        raise _bad(f"{what} must be a JSON object")
    for name in value:
        if name not in known:
            raise _bad(f"{what} has a field {name[:30]!r}, which means nothing here; known are {', '.join(known)}")
    return value


def _parameters(holder: dict[str, Any], what: str, **known: type) -> dict[str, Any]:
    """The parameters of a request or tensor, each of its type."""
    given = _fields(holder.get("parameters", {}), f"parameters of {what}", *known)
    for name, value in given.items():
        if type(value) is not known[name]:
            raise _bad(f"{name} of {what} must be a JSON {'boolean' if known[name] is bool else 'integer'}")
    return given


def _shape(shape: object, network: Network) -> tuple[int, ...]:
    is_right = isinstance(shape, list) and len(shape) == 4 and all(type(side) is int for side in shape)
    if not is_right or tuple(shape[1:]) != network.shape or not 1 <= shape[0] <= MAX_ROWS:  # type: ignore[index]
        raise _bad(f"the shape must be [N,{','.join(map(str, network.shape))}] with N from 1 to {MAX_ROWS}")
    return tuple(shape)  # type: ignore[arg-type]


def _values(given: dict[str, Any], raw: bytes, shape: tuple[int, ...]) -> Tensor:
    count = int(np.prod(shape))
    size = _parameters(given, f"input {INPUT!r}", binary_data_size=int).get("binary_data_size")
    if size is not None:
        if size != 4 * count or len(raw) != size or "data" in given:
            raise _bad(f"binary_data_size and the bytes after the JSON must be {4 * count}, with no data beside them")
        return np.frombuffer(raw, dtype="<f4").reshape(shape)
    if raw:
        raise _bad("bytes follow the JSON, and no binary_data_size says whose they are")
    numbers = _flat(given.get("data"), shape)
    if any(type(number) is not float and type(number) is not int for number in numbers):
        raise _bad("data of FP32 must be numbers, no strings and no booleans")
    try:
        return np.asarray(numbers, dtype=np.float32).reshape(shape)
    except OverflowError:
        raise _bad("the values must be finite numbers") from None


def _flat(data: object, shape: tuple[int, ...]) -> list[Any]:
    """The numbers in row-major order: given flat, or nested in lists as the shape says."""
    if not isinstance(data, list):
        raise _bad("data must be a list of numbers")
    if not (data and isinstance(data[0], list)):
        if len(data) != np.prod(shape):
            raise _bad(f"data holds {len(data)} numbers, the shape asks for {int(np.prod(shape))}")
        return data
    level: list[Any] = [data]
    for depth, side in enumerate(shape):
        if any(type(one) is not list or len(one) != side for one in level):
            raise _bad(f"nested data must have the shape {list(shape)}; its dimension {depth} has another length")
        level = list(chain.from_iterable(level))
    return level


def _bad(reason: str) -> ServiceError:
    return service_error("bad_request", reason=reason)
