"""The interface that every engine implements."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from resnet18_lab.base.errors import ArtifactError
from resnet18_lab.base.networks import RESNET18, Network
from resnet18_lab.inference.labels import Label, all_labels
from resnet18_lab.inference.unknown import Familiar
from resnet18_lab.preprocessing.transform import Batch

if TYPE_CHECKING:
    from resnet18_lab.inference.rules import Rules

Logits = NDArray[np.float32]
Features = NDArray[np.float32]


@dataclass(frozen=True)
class EngineInfo:
    """Which engine answers, and from which file; every output contains this."""

    backend: str
    precision: str
    threads: int
    weights: str
    artifact: str
    sha256: str

    def as_json(self) -> dict[str, str | int]:
        """The fields as a dictionary for JSON."""
        return dict(vars(self))

    def __str__(self) -> str:
        threads = f"{self.threads} thread" + ("s" if self.threads != 1 else "")
        return f"{self.backend}, {threads}, weights {self.weights}, {self.artifact} {self.sha256[:12]}"


class Engine(Protocol):
    """An engine that turns pictures into logits; a context manager."""

    name: str
    precision: str
    threads: int
    """Threads of one run, read back from the engine."""
    engine: EngineInfo
    network: Network
    familiar: Familiar | None
    rules: "Rules | None"

    @property
    def labels(self) -> tuple[Label, ...]:
        """The classes of its logits, by index."""

    def run(self, batch: Batch) -> Logits:
        """Logits, float32 N×1000, of a float32 batch N×3×H×W (N ≥ 1; ResNet-18: H = W = 224)."""

    def rows(self, batch: Batch) -> Logits:
        """What ``result_of`` takes: the logits, and behind them the distance to what was learned if it is known."""

    def close(self) -> None:
        """Release the model; the engine cannot run afterwards."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


REBUILD = "Run `resnet18-lab build --force`."


def check_shapes(
    path: Path,
    input_shape: Sequence[object],
    output_shape: Sequence[object],
    network: Network = RESNET18,
    width: int | None = None,
    *,
    advice: str = "",
) -> None:
    """Raise ArtifactError unless a graph turns N pictures for the network into N×width; a symbolic axis fits any.

    ``width`` is the number of classes if not given. ``advice`` ends the message: what to do about an artifact; a file
    of the user's own gets none.
    """
    width = network.classes if width is None else width
    for shape, expected in ((input_shape, network.shape), (output_shape, (width,))):
        axes = [axis if isinstance(axis, int) else size for axis, size in zip(shape[1:], expected, strict=False)]
        if len(shape) != len(expected) + 1 or tuple(axes) != expected:
            raise ArtifactError(
                f"{path} is another network: it turns {_shape_text(input_shape)} into {_shape_text(output_shape)}, "
                f"not N×{_shape_text(('N', *network.shape))[2:]} into N×{width}. {advice}".rstrip()
            )


def _shape_text(shape: Sequence[object]) -> str:
    return "×".join(str(axis) if isinstance(axis, int) else "N" for axis in shape)


class Closing:
    """A context manager that closes at its end."""

    def close(self) -> None:
        """Release the model; the engine cannot run afterwards."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class BaseEngine(Closing):
    """What all engines share; network and class names are the default ones until ``registry.opened`` sets them."""

    network: Network = RESNET18
    own_labels: tuple[Label, ...] | None = None
    """The class names that lie beside its file, where some do."""
    gives_features = False
    """True for an engine whose file gives features beside the logits."""
    familiar: Familiar | None = None
    rules: "Rules | None" = None
    """What is done to its answers, if anything."""
    """The features of its training pictures, where they lie beside its file and the engine gives features."""

    def run(self, batch: Batch) -> Logits:
        """Logits, float32 N×C."""
        raise NotImplementedError

    def run_with_features(self, batch: Batch) -> tuple[Logits, Features]:
        """Logits float32 N×C and features float32 N×D, of an engine that ``gives_features``."""
        raise NotImplementedError

    def rows(self, batch: Batch) -> Logits:
        """The logits, N×C; where the training pictures are known a column more: the distance to them."""
        if self.familiar is None:
            return self.run(batch)
        logits, features = self.run_with_features(batch)
        return np.column_stack([logits, self.familiar.distances(features).astype(np.float32)])

    @property
    def labels(self) -> tuple[Label, ...]:
        """The classes of its logits, by index."""
        return all_labels() if self.own_labels is None else self.own_labels
