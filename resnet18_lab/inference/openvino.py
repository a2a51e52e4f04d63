"""OpenVINO's CPU plugin on the project's ONNX files."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import numpy as np
import openvino as ov

from resnet18_lab.base.errors import ArtifactError, EngineError
from resnet18_lab.inference.artifacts import Artifact
from resnet18_lab.inference.engine import REBUILD, BaseEngine, EngineInfo, Features, Logits, check_shapes
from resnet18_lab.preprocessing.transform import Batch

if TYPE_CHECKING:
    from resnet18_lab.inference.registry import Choice, EngineSpec

_HINTS = {"fp32": "f32", "int8": "f32", "bf16": "bf16"}
"""Precision requested from the plugin; INT8 operators in the file stay INT8, the others compute in float32."""


class OpenVinoEngine(BaseEngine):
    """One compiled model, with the interface of ``Engine``.

    On CPUs with BF16 instructions OpenVINO computes in BF16 by default. So the precision is set and read back:
    results labelled FP32 must come from FP32.
    """

    def __init__(self, spec: EngineSpec, artifact: Artifact, threads: int) -> None:
        hint = _HINTS[spec.precision]
        settings = {
            "INFERENCE_PRECISION_HINT": hint,
            "INFERENCE_NUM_THREADS": threads,
            "NUM_STREAMS": 1,
            # several compiled models in one process would all be pinned to the same cores
            "ENABLE_CPU_PINNING": False,
        }
        try:
            self._compiled = ov.Core().compile_model(str(artifact.path), "CPU", settings)
        except RuntimeError as error:
            raise ArtifactError(
                f"{artifact.path} cannot be loaded by OpenVINO; run `resnet18-lab build --force`."
            ) from error
        axes = _axes(self._compiled.input(0)), _axes(self._compiled.output(0))
        check_shapes(artifact.path, *axes, artifact.network, advice=REBUILD)
        precision = self._compiled.get_property("INFERENCE_PRECISION_HINT").to_string()
        if precision != hint:
            raise EngineError(f"{spec.name} would compute in {precision} on this CPU; take another engine.")
        self._request = self._compiled.create_infer_request()
        self.gives_features = len(self._compiled.outputs) > 1
        self.name, self.precision = spec.name, spec.precision
        self.threads = int(self._compiled.get_property("INFERENCE_NUM_THREADS"))
        self.engine = EngineInfo(
            spec.name, spec.precision, self.threads, artifact.weights_name, artifact.path.name, artifact.sha256
        )

    def run(self, batch: Batch) -> Logits:
        """Logits, float32 N×1000, of a float32 batch N×3×224×224."""
        answer = self._request.infer({0: batch}, share_inputs=True)[0]
        return cast(Logits, np.array(answer, dtype=np.float32))  # a copy: the next run writes into the same memory

    def run_with_features(self, batch: Batch) -> tuple[Logits, Features]:
        """Logits and features, where the file gives both."""
        answer = self._request.infer({0: batch}, share_inputs=True)
        return np.array(answer[0], dtype=np.float32), np.array(answer[1], dtype=np.float32)

    def close(self) -> None:
        """Free the model."""
        del self._request, self._compiled


def _axes(port: ov.ConstOutput) -> list[int | None]:
    """The shape of an input or output; None for a dynamic axis."""
    return [axis.get_length() if axis.is_static else None for axis in port.partial_shape]


def cpu_computes(kind: str) -> bool:
    """True when OpenVINO lists ``kind`` (such as ``BF16``) among the capabilities of this CPU."""
    return kind in ov.Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")


def open_engine(choice: Choice, _spinning: bool = True) -> OpenVinoEngine:
    """The engine on its verified artifact; EngineError where the CPU cannot compute in its precision."""
    spec = choice.spec
    if spec.precision == "bf16" and not cpu_computes("BF16"):
        raise EngineError(f"{spec.name} needs a CPU with BF16 instructions (avx512_bf16 or amx); this one has none.")
    assert choice.artifact is not None  # noqa: S101 - every entry of this module names one
    return OpenVinoEngine(spec, choice.artifact, choice.threads)
