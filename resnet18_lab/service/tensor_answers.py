"""Answers of the Open Inference Protocol: logits or best classes, in JSON or as raw values after it."""

import struct
from collections.abc import Sequence
from typing import Any

import numpy as np

from resnet18_lab.base.networks import Network
from resnet18_lab.inference.engine import Engine
from resnet18_lab.inference.labels import Label
from resnet18_lab.service import prometheus
from resnet18_lab.service.refusals import service_error
from resnet18_lab.service.tensors import INPUT, MAX_ROWS, OUTPUT, VERSION, Asked, Tensor

_NANOSECONDS = 1_000_000_000


def answer(request: Asked, logits: Tensor, engine: Engine) -> tuple[dict[str, Any], bytes]:
    """The answer's JSON and the raw values after it, which are empty when the JSON holds them.

    Pictures of huge but finite numbers overflow within the network: this is a ServiceError, too.
    """
    logits = logits[:, : engine.network.classes]  # without the distance that may stand behind them
    if not np.isfinite(logits).all():
        raise service_error("not_finite")
    body: dict[str, Any] = {"model_name": engine.network.name, "model_version": VERSION}
    if request.id is not None:
        body["id"] = request.id
    classes = engine.labels if request.classes else ()
    texts = [text for row in logits for text in _best(row, request.classes, classes)] if request.classes else []
    kind, width = ("BYTES", request.classes) if request.classes else ("FP32", logits.shape[1])
    output: dict[str, Any] = {"name": OUTPUT, "datatype": kind, "shape": [len(logits), width]}
    body["outputs"] = [output]
    if not request.binary:
        output["data"] = texts or logits.astype(float).reshape(-1).tolist()
        return body, b""
    raw = b"".join(map(_counted, texts)) if texts else logits.astype("<f4").tobytes()
    output["parameters"] = {"binary_data_size": len(raw)}
    return body, raw


def _counted(text: str) -> bytes:
    """A string of a BYTES tensor: its length in four bytes, and its bytes."""
    data = text.encode()
    return struct.pack("<I", len(data)) + data


def _best(logits: Tensor, count: int, classes: Sequence[Label]) -> list[str]:
    """``score:index:label`` of the best classes, the score being the logit: the classification extension's strings."""
    order = np.argsort(-logits, kind="stable")[:count]
    return [f"{float(logits[index]):f}:{index}:{classes[index].en}" for index in order]


def metadata(backend: str, network: Network) -> dict[str, Any]:
    """Name, versions, and what goes in and comes out."""
    return {
        "name": network.name,
        "versions": [VERSION],
        "platform": backend,
        "inputs": [{"name": INPUT, "datatype": "FP32", "shape": [-1, *network.shape]}],
        "outputs": [{"name": OUTPUT, "datatype": "FP32", "shape": [-1, network.classes]}],
    }


def config(backend: str, threads: int, network: Network) -> dict[str, Any]:
    """The model's configuration in the words of the model configuration extension."""
    return {
        "name": network.name,
        "platform": backend,
        "backend": backend,
        "version_policy": {"latest": {"num_versions": 1}},
        "max_batch_size": MAX_ROWS,
        "input": [{"name": INPUT, "data_type": "TYPE_FP32", "dims": list(network.shape)}],
        "output": [{"name": OUTPUT, "data_type": "TYPE_FP32", "dims": [network.classes]}],
        "instance_group": [{"name": f"{network.name}_0", "kind": "KIND_CPU", "count": 1}],
        "parameters": {"intra_op_threads": {"string_value": str(threads)}},
    }


def statistics(network: Network) -> dict[str, Any]:
    """What the engines of all workers have done since the start, in the statistics extension's words."""
    numbers = prometheus.engine_numbers()
    runs, rows = int(numbers["runs"]), int(numbers["rows"])
    model, waiting = (round(numbers[name] * _NANOSECONDS) for name in ("model_seconds", "queue_seconds"))
    none = {"count": 0, "ns": 0}
    return {
        "name": network.name,
        "version": VERSION,
        "inference_count": rows,
        "execution_count": runs,
        "inference_stats": {
            "success": {"count": rows, "ns": model + waiting},
            "fail": none,
            "queue": {"count": rows, "ns": waiting},
            "compute_input": none,
            "compute_infer": {"count": runs, "ns": model},
            "compute_output": none,
        },
        "batch_stats": [],
    }
