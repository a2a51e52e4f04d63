"""Whether a picture is of anything a network learned: how near its features are to those of the training pictures."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from resnet18_lab.base.errors import ArtifactError

if TYPE_CHECKING:
    import zipfile

NEIGHBOURS = 3
KEPT = 0.95
"""Share of one's own pictures that the threshold keeps."""
_BLOCK = 2048
_STORED = 0  # zipfile.ZIP_STORED


@dataclass(frozen=True)
class Familiar:
    """Features of the training pictures, float32 N×D of length 1, and the largest distance that is still familiar.

    Distance is 1 less the mean cosine to the nearest ``NEIGHBOURS`` training pictures: 0 for copies, about 1 for what
    has nothing in common.
    """

    features: NDArray[np.float32]
    threshold: float

    def distances(self, features: NDArray[np.float32]) -> NDArray[np.float64]:
        """Distance of each row of features float32 N×D, float64 N."""
        return distances(features, self.features)


def unit(features: NDArray[np.floating]) -> NDArray[np.float32]:
    """The rows, each of length 1 (float32)."""
    rows = np.asarray(features, np.float32)
    lengths = np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), np.float32(1e-12))
    return np.asarray(rows / lengths, np.float32)


def distances(
    features: NDArray[np.float32],
    known: NDArray[np.float32],
    groups: tuple[NDArray[np.int64], NDArray[np.int64]] | None = None,
) -> NDArray[np.float64]:
    """1 less the mean cosine to the nearest of the ``known`` (length 1), float64 N.

    ``groups`` numbers both sides: rows of a picture's own group are no neighbours of it.
    """
    parts = []
    for start in range(0, len(features), _BLOCK):
        cosines = unit(features[start : start + _BLOCK]) @ known.T
        if groups is not None:
            cosines[groups[0][start : start + _BLOCK, None] == groups[1][None, :]] = -1.0
        nearest = np.partition(cosines, -min(NEIGHBOURS, cosines.shape[1]), axis=1)[:, -NEIGHBOURS:]
        parts.append(1.0 - nearest.mean(axis=1, dtype=np.float64))
    return np.concatenate(parts) if parts else np.empty(0)


def threshold_for(features: NDArray[np.float32], groups: NDArray[np.int64]) -> float:
    """The distance within which ``KEPT`` of these pictures lie, each measured to those of other groups."""
    return threshold_at(distances(features, unit(features), (groups, groups)))


def threshold_at(own: NDArray[np.float64]) -> float:
    """The distance within which ``KEPT`` of these lie: those of one's own pictures."""
    return float(np.quantile(own, KEPT))


def save(path: Path, familiar: Familiar) -> None:
    """Write it (features as float16)."""
    with path.open("wb") as file:
        np.savez(file, features=familiar.features.astype(np.float16), threshold=np.float64(familiar.threshold))


def load(path: Path, width: int) -> Familiar:
    """What ``save`` wrote; ArtifactError for anything else, or features of another width."""
    import zipfile  # 6 ms of every start, and only models of one's own have such a file

    try:
        with np.load(path, allow_pickle=False) as content:
            _refuse_packed(content.zip)
            features, threshold = content["features"], float(content["threshold"])
    except (
        OSError,
        ValueError,
        KeyError,
        EOFError,
        TypeError,
        AttributeError,
        MemoryError,
        zipfile.BadZipFile,
    ) as error:
        raise ArtifactError(
            f"{path} holds no training features ({error}); make the model anew or import it."
        ) from error
    if features.ndim != 2 or features.shape[1] != width or not len(features) or not np.isfinite(threshold):
        raise ArtifactError(f"{path} holds no training features of this network; make the model anew or import it.")
    if not np.isfinite(features).all():
        raise ArtifactError(f"{path} holds features that are no finite numbers; make the model anew or import it.")
    return Familiar(unit(features), threshold)


def _refuse_packed(archive: "zipfile.ZipFile") -> None:
    """Raise ValueError unless the two arrays lie there as they are: packed ones could unpack to anything."""
    entries = archive.infolist()
    stored = all(entry.compress_type == _STORED and entry.file_size == entry.compress_size for entry in entries)
    if {entry.filename for entry in entries} != {"features.npy", "threshold.npy"} or len(entries) != 2 or not stored:
        raise ValueError("it is not as this project writes it")
