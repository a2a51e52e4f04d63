"""Which pictures look alike: exact cosine of the 512 features before the last layer."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from resnet18_lab.base.networks import RESNET18
from resnet18_lab.bulk.batch import Answer, Vector


@dataclass(frozen=True)
class Neighbour:
    """A picture and the cosine (-1..1) between its features and the query's."""

    file: str
    cosine: float


def unit_vectors(answers: Iterable[Answer]) -> tuple[list[str], NDArray[np.float32]]:
    """Names and float32 N×512, each row of length 1, of the pictures that could be read."""
    vectors = [one for one in answers if isinstance(one, Vector) and one.embedding is not None]
    rows = (
        np.stack([one.embedding for one in vectors if one.embedding is not None])
        if vectors
        else np.zeros((0, RESNET18.features))
    )
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    return [one.file for one in vectors], (rows / np.maximum(lengths, 1e-12)).astype(np.float32)


def nearest(query: NDArray[np.float32], files: list[str], vectors: NDArray[np.float32], k: int) -> list[Neighbour]:
    """The ``k`` pictures with the largest cosine to a query of length 1, best first; equals in order of input."""
    cosines = vectors @ query
    order = np.argsort(-cosines, kind="stable")[:k]
    return [Neighbour(files[index], float(cosines[index])) for index in order]
