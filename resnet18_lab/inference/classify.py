"""From logits to named answers, and from pictures to results."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from os import PathLike, fspath

import numpy as np
from numpy.typing import NDArray

from resnet18_lab.base.errors import ImageError, ParameterError
from resnet18_lab.inference.engine import Engine
from resnet18_lab.inference.predictions import Prediction, Result, top_k
from resnet18_lab.preprocessing import transform
from resnet18_lab.preprocessing.decode import Source, decode


def classify_files(
    files: Iterable[str | PathLike[str]],
    backend: Engine,
    *,
    k: int = 3,
    batch_size: int = 1,
    draft_for: int | None = None,
) -> Iterator[Result]:
    """Results in the order of the files; a bad file gives an error result and the rest go on."""
    if batch_size < 1:
        raise ParameterError(f"batch_size={batch_size} is not allowed; give 1 or more.")
    remaining = iter(files)
    while chunk := [fspath(file) for file in islice(remaining, batch_size)]:
        yield from _classify_chunk(chunk, backend, k, draft_for)


def read_crops(
    named: Sequence[tuple[str, Source]], draft_for: int | None = None
) -> tuple[list[NDArray[np.uint8]], list[tuple[str, ...] | ImageError]]:
    """Crops of the pictures that can be taken, and for each picture its warnings or its error."""
    crops: list[NDArray[np.uint8]] = []
    noted: list[tuple[str, ...] | ImageError] = []
    for _, source in named:
        try:
            picture = decode(source, draft_for=draft_for)
            crops.append(transform.crop(picture))
        except ImageError as error:
            noted.append(error)
            continue
        noted.append(tuple(transform.warnings_for(picture.size)))
    return crops, noted


def _classify_chunk(files: list[str], backend: Engine, k: int, draft_for: int | None) -> list[Result]:
    crops, noted = read_crops([(file, file) for file in files], draft_for)
    answers: Iterator[tuple[Prediction, ...]] = iter(())
    if crops:
        answers = iter(top_k(backend.run(transform.normalise(np.stack(crops))), k))
    return [
        Result(file, error=note) if isinstance(note, ImageError) else Result(file, next(answers), note, backend.engine)
        for file, note in zip(files, noted, strict=True)
    ]
