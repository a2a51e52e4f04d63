"""The engines by name; a module is imported only when its engine is asked for."""

import importlib
import importlib.util
from collections.abc import Callable
from dataclasses import dataclass
from typing import cast

from resnet18_lab.base.errors import ArtifactError, EngineError, ParameterError, WeightsError, unknown_name
from resnet18_lab.base.machine import usable_cores
from resnet18_lab.inference import artifacts, tuned
from resnet18_lab.inference.engine import Engine

MAX_THREADS = 256
_FP32_FILE, _INT8_FILE = "onnx-fp32", "onnx-int8-static"
Opener = Callable[["EngineSpec", str, int, bool], Engine]


@dataclass(frozen=True)
class EngineSpec:
    """Where an engine lives and what it needs.

    ``module`` holds ``open_engine(spec, weights, threads, spinning)``; ``artifact`` names the kind of file it
    runs (None: the weights themselves); ``needs`` the packages, ``extra`` what installs them.
    """

    name: str
    precision: str
    module: str
    artifact: str | None
    needs: tuple[str, ...]
    extra: str | None


# The default is the first whose artifact exists, so the recommended engines come first, each group fastest first.
SPECS = (
    *(
        EngineSpec(
            name=f"onnxruntime-{precision}",
            precision=precision,
            module="resnet18_lab.inference.onnxruntime",
            artifact=artifact,
            needs=("onnxruntime",),
            extra=None,
        )
        for precision, artifact in (("int8", _INT8_FILE), ("fp32", _FP32_FILE))
    ),
    *(
        EngineSpec(
            name=f"openvino-{precision}",
            precision=precision,
            module="resnet18_lab.inference.openvino",
            artifact=artifact,
            needs=("openvino",),
            extra="openvino",
        )
        for precision, artifact in (("int8", _INT8_FILE), ("bf16", _FP32_FILE), ("fp32", _FP32_FILE))
    ),
    *(
        EngineSpec(
            name=name,
            precision="fp32",
            module="resnet18_lab.export.engines",
            artifact=name,
            needs=("torch", "torchvision"),
            extra="torch",
        )
        for name in ("torch-export", "torchscript", "torchscript-traced")
    ),
    EngineSpec(
        name="eager",
        precision="fp32",
        module="resnet18_lab.model.engine",
        artifact=None,
        needs=("torch", "torchvision"),
        extra="torch",
    ),
)


def names() -> list[str]:
    """Names of all known engines, fastest first."""
    return [spec.name for spec in SPECS]


def is_installed(spec: EngineSpec) -> bool:
    """True when the packages the engine needs can be found (they are not imported)."""
    return all(importlib.util.find_spec(package) is not None for package in spec.needs)


def spec_of(name: str) -> EngineSpec:
    """The entry of a name; EngineError lists what there is and how to install what is missing."""
    for spec in SPECS:
        if spec.name == name:
            if is_installed(spec):
                return spec
            how = f"pip install 'resnet18-lab[{spec.extra}]'" if spec.extra else f"pip install {spec.needs[0]}"
            raise EngineError(f"The back end {name} needs {' and '.join(spec.needs)}: {how}.")
    raise EngineError(unknown_name("back end", name, ["auto", *names()]))


def formats_for(name: str) -> list[str]:
    """Formats that ``build`` must make for an engine; for ``auto`` those of the engines that need no torch."""
    specs = [spec for spec in SPECS if spec.extra is None] if name == "auto" else [spec_of(name)]
    return [spec.artifact for spec in specs if spec.artifact]


def default_name(weights: str = "auto") -> str:
    """Name of the fastest engine whose artifact exists; ArtifactError says how to make one."""
    folder = artifacts.find_folder(weights)
    reasons = []
    for spec in SPECS:
        if spec.artifact is None or spec.extra is not None or not is_installed(spec):
            continue  # an extra that happens to be installed does not change what `auto` answers with
        kind = artifacts.KINDS[spec.artifact]
        if (reason := artifacts.problem(folder, kind)) is None:
            return spec.name
        reasons.append(f"{kind.filename} {reason}")
    raise ArtifactError(
        f"No artifact to run in {folder}: {'; '.join(reasons)}. Make them with `resnet18-lab build`, let "
        "`classify --build` do it, or take the slow engine that needs none: `--backend eager`."
    )


def open_engine(
    name: str = "auto", *, weights: str = "auto", threads: int | None = None, spinning: bool = True
) -> Engine:
    """An engine ready to run; ``auto`` is the fastest whose artifact exists.

    ``threads`` means the threads of one run for every engine; None takes what a benchmark found best on
    this machine, else all usable cores. ``spinning`` False stops idle threads of ONNX Runtime from
    busy-waiting, for engines that share the cores. Raises EngineError, ArtifactError,
    WeightsNotFoundError or ParameterError. Nothing is downloaded or built.
    """
    spec = spec_of(default_name(weights) if name == "auto" else name)
    count = default_threads(spec.name, weights) if threads is None else threads
    if not 1 <= count <= MAX_THREADS:
        raise ParameterError(f"threads={count} is not allowed; give 1 to {MAX_THREADS}.")
    opener = cast(Opener, importlib.import_module(spec.module).open_engine)
    return opener(spec, weights, count, spinning)


EMBEDDING = EngineSpec(
    name="onnxruntime-embedding",
    precision="fp32",
    module="resnet18_lab.inference.onnxruntime",
    artifact="onnx-embedding",
    needs=("onnxruntime",),
    extra=None,
)
"""Not one of SPECS: its runs return features, float32 N×512, where engines return logits."""


def open_embedding(*, weights: str = "auto", threads: int = 1) -> Engine:
    """The network without its last layer: ``run`` returns the features, float32 N×512.

    Raises ArtifactError, WeightsNotFoundError or ParameterError. Nothing is downloaded or built.
    """
    if not 1 <= threads <= MAX_THREADS:
        raise ParameterError(f"threads={threads} is not allowed; give 1 to {MAX_THREADS}.")
    opener = cast(Opener, importlib.import_module(EMBEDDING.module).open_engine)
    return opener(EMBEDDING, weights, threads, False)


def default_threads(name: str, weights: str = "auto") -> int:
    """Threads for an engine when none are asked for: tuned on this machine, else all usable cores."""
    try:
        tuned_count = tuned.threads_for(name, artifacts.find_folder(weights))
    except WeightsError:
        tuned_count = None  # the engine's own error says more
    return tuned_count or usable_cores()
