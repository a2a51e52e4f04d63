"""A network as an ONNX file."""

import contextlib
import io
import logging
import warnings
from collections.abc import Iterator
from pathlib import Path

import onnx
import torch

from resnet18_lab.base.errors import BuildError
from resnet18_lab.export.onnx_graph import operator_counts
from resnet18_lab.export.stamp import stamp
from resnet18_lab.model.network import LoadedModel

OPSET = 20
INPUT_NAME = "input"
_OUTPUT_NAME = "logits"


def export_onnx(loaded: LoadedModel, target: Path, *, output_name: str = _OUTPUT_NAME) -> dict[str, int]:
    """Write one ONNX file (float32, batch axis dynamic) and return its operator counts.

    The exporter silently writes another opset in place of one it does not know, so the opset is read back.
    """
    example = torch.zeros(2, *loaded.weights.network.shape)
    with _quiet():
        program = torch.onnx.export(
            loaded.module,
            (example,),
            dynamo=True,
            opset_version=OPSET,
            external_data=False,
            dynamic_shapes=({0: "batch"},),
            input_names=[INPUT_NAME],
            output_names=[output_name],
        )
    if program is None:
        raise BuildError("torch.onnx.export returned no program.")
    proto = _without_traces(program.model_proto)
    opset = next(entry.version for entry in proto.opset_import if entry.domain in ("", "ai.onnx"))
    if opset != OPSET:
        raise BuildError(f"The exporter wrote opset {opset} where {OPSET} was asked for; use the pinned versions.")
    stamp(proto, loaded.weights)
    onnx.checker.check_model(proto)
    target.write_bytes(proto.SerializeToString(deterministic=True))
    return operator_counts(proto)


def _without_traces(proto: onnx.ModelProto) -> onnx.ModelProto:
    """The model without the exporter's stack traces: they hold local paths and change from run to run."""
    for node in proto.graph.node:
        del node.metadata_props[:]
        node.doc_string = ""
    for value in [*proto.graph.value_info, *proto.graph.input, *proto.graph.output]:
        del value.metadata_props[:]
    for tensor in proto.graph.initializer:
        del tensor.metadata_props[:]
    del proto.graph.metadata_props[:]
    del proto.metadata_props[:]
    proto.doc_string = ""
    return proto


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keep the exporter's progress off stdout (results go there) and its advice out of the log."""
    loggers = [logging.getLogger(name) for name in ("torch.onnx", "onnxscript", "onnx_ir")]
    levels = [logger.level for logger in loggers]
    with contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for logger in loggers:
            logger.setLevel(logging.ERROR)
        try:
            yield
        finally:
            for logger, level in zip(loggers, levels, strict=True):
                logger.setLevel(level)
