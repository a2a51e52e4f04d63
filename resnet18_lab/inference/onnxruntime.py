"""ONNX Runtime sessions on the CPU."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, cast

import onnxruntime as ort

from resnet18_lab.base import hashing
from resnet18_lab.base.errors import ArtifactError
from resnet18_lab.base.resnet18 import CLASSES
from resnet18_lab.inference import artifacts
from resnet18_lab.inference.artifacts import Artifact
from resnet18_lab.inference.engine import Closing, EngineInfo, Logits, check_shapes
from resnet18_lab.preprocessing.transform import Batch

if TYPE_CHECKING:
    from resnet18_lab.inference.registry import Choice, EngineSpec

_ERRORS_ONLY = 3  # ONNX Runtime's severity scale: 0 verbose .. 4 fatal


def make_session(path: str, threads: int, *, spinning: bool = True) -> ort.InferenceSession:
    """A session with ``threads`` intra-op threads and one inter-op thread.

    ``spinning`` keeps idle pool threads busy-waiting: faster for one session, harmful where sessions share cores.
    """
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = _ERRORS_ONLY
    if not spinning:
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return ort.InferenceSession(path, options, providers=["CPUExecutionProvider"])


class OnnxRuntimeEngine(Closing):
    """One session, with the interface of ``Engine``."""

    def __init__(self, spec: EngineSpec, artifact: Artifact, threads: int, *, spinning: bool = True) -> None:
        try:
            self._session = make_session(str(artifact.path), threads, spinning=spinning)
        except Exception as error:  # the pybind exceptions have no public common base
            raise ArtifactError(
                f"{artifact.path} cannot be loaded by ONNX Runtime "
                f"({type(error).__name__}); run `resnet18-lab build --force`."
            ) from error
        graph_input, graph_output = self._session.get_inputs()[0], self._session.get_outputs()[0]
        width = artifacts.KINDS[spec.artifact].width if spec.artifact else CLASSES
        check_shapes(artifact.path, graph_input.shape, graph_output.shape, width)
        self._input = graph_input.name
        self.name = spec.name
        self.precision = spec.precision
        self.threads = int(self._session.get_session_options().intra_op_num_threads)
        self.engine = EngineInfo(
            spec.name,
            spec.precision,
            self.threads,
            artifact.weights_name,
            artifact.path.name,
            artifact.sha256,
        )

    def run(self, batch: Batch) -> Logits:
        """Logits, float32 N×1000, of a float32 batch N×3×224×224."""
        return cast(Logits, self._session.run(None, {self._input: batch})[0])

    def close(self) -> None:
        """Free the session."""
        del self._session


def open_engine(choice: Choice, spinning: bool = True) -> OnnxRuntimeEngine:
    """The engine on its verified artifact; ArtifactError when it cannot be loaded."""
    assert choice.artifact is not None  # noqa: S101 - every entry of this module names one
    return OnnxRuntimeEngine(choice.spec, choice.artifact, choice.threads, spinning=spinning)


def open_file(path: Path, threads: int, spinning: bool = True) -> OnnxRuntimeEngine:
    """The engine on any ONNX file with one input and one output; it is not checked against a manifest."""
    from resnet18_lab.inference.registry import EngineSpec

    spec = EngineSpec("onnxruntime", "as the file has it", __name__, None, ("onnxruntime",), None)
    artifact = Artifact(path, hashing.sha256(path), "unknown", "", {})
    return OnnxRuntimeEngine(spec, artifact, threads, spinning=spinning)
