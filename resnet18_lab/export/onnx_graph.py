"""ONNX graphs in ONNX Runtime: their answers, the tensors inside, and the graph that really runs."""

import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import onnx
import onnxruntime as ort
from numpy.typing import NDArray
from onnx import helper

from resnet18_lab.base.machine import usable_cores
from resnet18_lab.inference.engine import Features, Logits
from resnet18_lab.inference.onnxruntime import make_session
from resnet18_lab.preprocessing.transform import Batch

_ERRORS_ONLY = 3  # severities are 0 to 4; at 2 it warns that an optimised file fits only this CPU


def runner(path: Path, threads: int | None = None) -> Callable[[Batch], Logits]:
    """A function from a batch to the file's logits; all usable cores if no number of threads is given."""
    session = make_session(str(path), threads or usable_cores(), spinning=False)
    name = session.get_inputs()[0].name

    def run(batch: Batch) -> Logits:
        logits: Logits = session.run(None, {name: batch})[0]
        return logits

    return run


def both(path: Path, batch: Batch) -> tuple[Logits, Features]:
    """Logits and features of a batch, from a file that gives both."""
    session = make_session(str(path), usable_cores(), spinning=False)
    logits, features = session.run(None, {session.get_inputs()[0].name: batch})
    return logits, features


def outputs(proto: onnx.ModelProto, names: Sequence[str], batch: Batch) -> Iterator[list[NDArray[Any]]]:
    """For each picture of the batch the tensors of those names, which may be inner ones."""
    extended = onnx.ModelProto()
    extended.CopyFrom(proto)
    output_names = {value.name for value in proto.graph.output}
    for name in names:
        if name not in output_names:
            extended.graph.output.append(helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, None))
    session = ort.InferenceSession(extended.SerializeToString(), providers=["CPUExecutionProvider"])
    source = proto.graph.input[0].name
    return (session.run(list(names), {source: picture[None]}) for picture in batch)


def optimised(path: Path) -> onnx.ModelProto:
    """The graph that ONNX Runtime really runs on this CPU."""
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / "optimised.onnx"
        options = ort.SessionOptions()
        options.optimized_model_filepath = str(target)
        options.intra_op_num_threads = 1
        options.log_severity_level = _ERRORS_ONLY
        ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        return onnx.load(target)


def operator_counts(proto: onnx.ModelProto) -> dict[str, int]:
    """How many nodes of each operator the graph has, sorted by name."""
    names = [node.op_type for node in proto.graph.node]
    return {name: names.count(name) for name in sorted(set(names))}


def optimised_operators(path: Path) -> dict[str, int]:
    """How many nodes of each operator ONNX Runtime's optimised graph of the file has on this CPU."""
    return operator_counts(optimised(path))
