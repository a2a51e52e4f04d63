"""ONNX Runtime sessions on the CPU."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, cast

import onnxruntime as ort

from resnet18_lab.base import hashing
from resnet18_lab.base.errors import ArtifactError
from resnet18_lab.base.files import is_lfs_pointer
from resnet18_lab.inference import artifacts
from resnet18_lab.inference.artifacts import Artifact
from resnet18_lab.inference.engine import REBUILD, BaseEngine, EngineInfo, Features, Logits, check_shapes
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


class OnnxRuntimeEngine(BaseEngine):
    """One session, with the interface of ``Engine``."""

    def __init__(self, spec: EngineSpec, artifact: Artifact, session: ort.InferenceSession) -> None:
        self._session = session
        self._input = session.get_inputs()[0].name
        self._outputs = [output.name for output in session.get_outputs()]
        self.gives_features = len(self._outputs) > 1
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
        return cast(Logits, self._session.run(self._outputs[:1], {self._input: batch})[0])

    def run_with_features(self, batch: Batch) -> tuple[Logits, Features]:
        """Logits and features, where the file gives both."""
        logits, features = self._session.run(self._outputs, {self._input: batch})
        return logits, features

    def close(self) -> None:
        """Free the session."""
        del self._session


def open_engine(choice: Choice, spinning: bool = True) -> OnnxRuntimeEngine:
    """The engine on its verified artifact; ArtifactError when it cannot be loaded."""
    assert choice.artifact is not None  # noqa: S101 - every entry of this module names one
    assert choice.spec.artifact is not None  # noqa: S101 - as above
    path = choice.artifact.path
    try:
        session = make_session(str(path), choice.threads, spinning=spinning)
    except Exception as error:  # the pybind exceptions have no public common base
        raise ArtifactError(
            f"{path} cannot be loaded by ONNX Runtime ({type(error).__name__}); run `resnet18-lab build --force`."
        ) from error
    width = artifacts.KINDS[choice.spec.artifact].width(choice.network)
    check_shapes(path, *_shapes(session), choice.network, width, advice=REBUILD)
    return OnnxRuntimeEngine(choice.spec, choice.artifact, session)


def _shapes(session: ort.InferenceSession) -> tuple[list[object], list[object]]:
    """The shapes of the first input and the first output."""
    return session.get_inputs()[0].shape, session.get_outputs()[0].shape


def open_file(path: Path, threads: int, spinning: bool = True) -> OnnxRuntimeEngine:
    """The engine on any ONNX file with one input and one output; it is not checked against a manifest.

    ArtifactError says why a file cannot be run; it is the user's own, so nothing is advised to be done to it.
    """
    from resnet18_lab.inference.registry import EngineSpec

    spec = EngineSpec("onnxruntime", "as the file has it", __name__, None, ("onnxruntime",), None)
    try:
        session = make_session(str(path), threads, spinning=spinning)
    except Exception as error:  # the pybind exceptions have no public common base
        raise ArtifactError(f"{path} cannot be run: {_why(path, error)}.") from error
    check_shapes(path, *_shapes(session))
    return OnnxRuntimeEngine(spec, Artifact(path, hashing.sha256(path), "unknown", "", {}), session)


def _why(path: Path, error: Exception) -> str:
    """Why ONNX Runtime does not load a file, in a line."""
    if is_lfs_pointer(path):
        return "it is a pointer of Git LFS, not the file; run `git lfs pull` where it lies"
    text = " ".join(str(error).split()).rstrip(".")
    for pattern, words in _REASONS:
        if found := pattern.search(text):
            return words.format(*found.groups())
    return _CODE.sub("", text)[:300] or type(error).__name__


_CODE = re.compile(r"^\[ONNXRuntimeError\] : \d+ : \w+ : ")
_REASONS = (
    (
        re.compile(r"[Oo]pset (\d+) is under development .* till opset (\d+)"),
        "it needs operator set {0}, and this ONNX Runtime knows them up to {1}; export it with an older one",
    ),
    (
        re.compile(r"Unsupported model IR version: (\d+), max supported IR version: (\d+)"),
        "it is of ONNX format {0}, and this ONNX Runtime reads them up to {1}; save it with an older onnx",
    ),
    (
        re.compile(r"[Ee]xternal data path .*?([^/\\ ]+\.\w+)|(?:open|find|exist).* file [\"']?([^\"' ]+)"),
        "its weights are in a file beside it that is not there (external data); keep them together",
    ),
    (
        re.compile(r"([\w.]*:?\w+)\(-?\d+\) is not a registered function/op"),
        "its operator {0} is none of ONNX Runtime's (a custom operator)",
    ),
    (re.compile(r"Protobuf parsing failed|INVALID_PROTOBUF"), "it is damaged, or no ONNX file"),
)
