"""The engines by name; an engine's module is imported only when that engine is opened."""

import importlib
import importlib.util
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from resnet18_lab.base.errors import ArtifactError, EngineError, ParameterError, unknown_name
from resnet18_lab.base.machine import usable_cores
from resnet18_lab.base.networks import Network
from resnet18_lab.inference import artifacts, tuned, unknown
from resnet18_lab.inference.artifacts import Artifact, ArtifactFolder
from resnet18_lab.inference.engine import BaseEngine, Engine
from resnet18_lab.inference.labels import labels_in
from resnet18_lab.weights.find import WeightsFile, find_weights

_MAX_THREADS = 256
_FP32_FILE, _INT8_FILE = "onnx-fp32", "onnx-int8-static"
Opener = Callable[["Choice", bool], BaseEngine]


@dataclass(frozen=True)
class EngineSpec:
    """The module of an engine and what it needs.

    ``module`` holds ``open_engine(choice, spinning)``; ``artifact`` names the kind of file it
    runs (None: the weights themselves); ``needs`` names its packages, ``extra`` the extra that installs them.
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


EMBEDDING = EngineSpec(
    name="onnxruntime-embedding",
    precision="fp32",
    module="resnet18_lab.inference.onnxruntime",
    artifact="onnx-embedding",
    needs=("onnxruntime",),
    extra=None,
)
"""Not one of SPECS: its runs return features, float32 N×512, where engines return logits."""


def names() -> list[str]:
    """Names of all known engines, fastest first."""
    return [spec.name for spec in SPECS]


def is_installed(spec: EngineSpec) -> bool:
    """True when the packages the engine needs can be found (they are not imported)."""
    return all(importlib.util.find_spec(package) is not None for package in spec.needs)


def spec_of(name: str) -> EngineSpec:
    """The entry of a name; EngineError lists the available names, or how to install the missing packages."""
    for spec in SPECS:
        if spec.name == name:
            if is_installed(spec):
                return spec
            command = f"pip install 'resnet18-lab[{spec.extra}]'" if spec.extra else f"pip install {spec.needs[0]}"
            raise EngineError(f"The back end {name} needs {' and '.join(spec.needs)}: {command}.")
    raise EngineError(unknown_name("back end", name, ["auto", *names()]))


def formats_for(name: str, network: Network) -> list[str]:
    """Formats that ``build`` must make for an engine; for ``auto`` those that the engines without torch run here."""
    if name != "auto":
        return [spec.artifact for spec in [spec_of(name)] if spec.artifact]
    possible = artifacts.formats_of(network)
    return [spec.artifact for spec in SPECS if spec.extra is None and spec.artifact in possible]


@dataclass(frozen=True)
class Choice:
    """Everything needed to open an engine, looked up once: its entry, its file, its threads.

    ``artifact`` is None for an engine that runs the ``weights`` themselves; all others do not need the weights.
    """

    spec: EngineSpec
    artifact: Artifact | None
    weights: WeightsFile | None
    threads: int

    @property
    def network(self) -> Network:
        """The network that will run."""
        if self.artifact is not None:
            return self.artifact.network
        assert self.weights is not None  # noqa: S101 - one of the two is set
        return self.weights.network

    @property
    def source(self) -> tuple[str, str]:
        """Name of the weights, and SHA-256 of the file that is run."""
        if self.artifact is not None:
            return self.artifact.weights_name, self.artifact.sha256
        assert self.weights is not None  # noqa: S101 - one of the two is set
        return self.weights.name, self.weights.sha256


def choose(name: str = "auto", *, weights: str = "auto", threads: int | None = None) -> Choice:
    """The engine of a name, or the fastest whose artifact exists, with its verified file and its threads.

    Weights are found, the manifest read and the artifact hashed once. Raises EngineError, ArtifactError,
    WeightsNotFoundError or ParameterError. Nothing is downloaded or built.
    """
    spec = None if name == "auto" else EMBEDDING if name == EMBEDDING.name else spec_of(name)
    if threads is not None and not 1 <= threads <= _MAX_THREADS:
        raise ParameterError(f"threads={threads} is not allowed; give 1 to {_MAX_THREADS}.")
    if spec is not None and spec.artifact is None:
        file = find_weights(weights)
        return Choice(spec, None, file, threads or _threads(spec.name, artifacts.folder_of(file)))
    folder = artifacts.open_folder(weights)
    if spec is None:
        spec, artifact = _fastest(folder)
    else:
        artifact = folder.artifact(artifacts.KINDS[str(spec.artifact)])
    return Choice(spec, artifact, None, threads or _threads(spec.name, folder.path))


def _fastest(folder: ArtifactFolder) -> tuple[EngineSpec, Artifact]:
    """The first engine that needs no extra and whose artifact can be used; ArtifactError says how to make one."""
    reasons = []
    for spec in SPECS:
        if spec.artifact is None or spec.extra is not None or not is_installed(spec):
            continue  # installing an extra must not change the engine that `auto` chooses
        kind = artifacts.KINDS[spec.artifact]
        if spec.precision == "int8" and not folder.network.int8_default:
            reasons.append(f"{kind.filename(folder.network)} costs more than 2 points of right answers")
            continue
        if (reason := folder.problem(kind)) is None:
            return spec, folder.artifact(kind, verified=True)
        reasons.append(f"{kind.filename(folder.network)} {reason}")
    raise ArtifactError(
        f"No artifact to run in {folder.path}: {'; '.join(reasons)}. Make them with `resnet18-lab build`, let "
        "`classify --build` do it, or take the slow engine that needs none: `--backend eager`."
    )


def _threads(name: str, folder: Path) -> int:
    """Default threads for an engine: the number tuned on this machine, else all usable cores."""
    return tuned.threads_for(name, folder) or usable_cores()


def name_in(folder: ArtifactFolder, name: str = "auto") -> str:
    """The name itself, or for ``auto`` the name of the fastest engine whose artifact lies in the folder.

    Raises ArtifactError, which says how to make an artifact, when there is none.
    """
    return _fastest(folder)[0].name if name == "auto" else name


def open_engine(
    name: str = "auto", *, weights: str = "auto", threads: int | None = None, spinning: bool = True
) -> Engine:
    """An engine ready to run; ``auto`` is the fastest whose artifact exists.

    ``threads`` means the threads of one run for every engine; None takes the number that a benchmark found best on
    this machine, else all usable cores. ``spinning`` False stops idle threads of ONNX Runtime from
    busy-waiting, for engines that share the cores. Raises what ``choose`` raises. Nothing is downloaded or built.
    """
    return opened(choose(name, weights=weights, threads=threads), spinning=spinning)


def opened(choice: Choice, *, spinning: bool = True) -> Engine:
    """The engine of a choice, ready to run; ArtifactError when its file cannot be loaded."""
    engine = cast(Opener, importlib.import_module(choice.spec.module).open_engine)(choice, spinning)
    engine.network = choice.network
    if choice.artifact is not None and choice.artifact.labels_path is not None:
        # now: a service must not need the folder any more once it runs
        engine.own_labels = labels_in(choice.artifact.labels_path.read_bytes())
        if choice.artifact.familiar_path is not None and engine.gives_features:
            engine.familiar = unknown.load(choice.artifact.familiar_path, choice.network.features)
    elif choice.weights is not None and choice.weights.labels_path is not None:
        engine.own_labels = labels_in(choice.weights.labels_path.read_bytes())
    return cast(Engine, engine)


def judged_by(engine: Engine, rules: str | None = None, *, tells_unknown: bool = True) -> Engine:
    """The same engine, whose answers follow the text of a file of rules, and call nothing unknown if so asked.

    ParameterError for rules that do not fit its classes, or that ask for unknown where nothing tells it.
    """
    if not tells_unknown:
        engine.familiar = None
    if rules is not None:
        from resnet18_lab.inference.rules import compiled  # most starts have no rules

        engine.rules = compiled(rules, engine.labels)
        engine.rules.refuse_unknown(engine.familiar is not None)
    return engine


def open_embedding(*, weights: str = "auto", threads: int = 1) -> Engine:
    """The network without its last layer: ``run`` returns the features, float32 N×512.

    Raises what ``choose`` raises. Nothing is downloaded or built.
    """
    return open_engine(EMBEDDING.name, weights=weights, threads=threads, spinning=False)
