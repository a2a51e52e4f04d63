"""A folder of photographs packed small, with a teacher's soft targets of each: once, and resumed after any end.

Shards of a few hundred pictures are written one after the other, each whole or not at all; when all stand, the index
and the targets are written, which makes the folder a packed one.
"""

import csv
import hashlib
import io
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from resnet18_lab.base.errors import ImageError, ParameterError
from resnet18_lab.base.files import replacing, write_text
from resnet18_lab.bulk.inputs import walk
from resnet18_lab.preprocessing.decode import decode
from resnet18_lab.training.pictures import COLUMNS, INDEX
from resnet18_lab.training.targets import boxes_of, kept_classes, write_targets
from resnet18_lab.training.teachers import Teacher

_SHORT_SIDE = 144
"""Pixels of a packed picture's short side: what 128-pixel views are cut from without being made larger."""
TARGETS = "targets.npz"
LEFT_OUT = "left_out.txt"
_SHARD = 256
_QUALITY = 80
_TEACHER = "teacher.json"


@dataclass(frozen=True)
class _Shard:
    """Rows of the index, and targets of the same pictures, in one order."""

    rows: list[dict[str, Any]]
    boxes: NDArray[np.float32]
    classes: NDArray[np.int16]
    kept: NDArray[np.float16]
    left_out: list[str]


def pack(
    photographs: Path,
    folder: Path,
    open_teacher: Callable[[], Teacher],
    *,
    progress: Callable[[int, int], None] = lambda _done, _all: None,
) -> list[str]:
    """Pack the photographs below a folder, with targets; returns names of those that could not be read.

    ``open_teacher`` is called once there are photographs; ``progress`` is told how many are done of how many.
    Raises ParameterError when there are none, or when the folder holds a beginning made from other photographs or by
    another teacher.
    """
    files, teacher = _files(photographs), open_teacher()
    folder.mkdir(parents=True, exist_ok=True)
    _same_beginning(folder, photographs, files, teacher)
    shards = []
    for number, start in enumerate(range(0, len(files), _SHARD)):
        shards.append(_shard(files[start : start + _SHARD], photographs, folder, number, teacher))
        progress(min(start + _SHARD, len(files)), len(files))
    if not any(shard.rows for shard in shards):
        raise ParameterError(f"None of the {len(files)} files in {photographs} is a picture that can be read.")
    return _finish(folder, [shard for shard in shards if shard.rows], [name for s in shards for name in s.left_out])


def refuse_others(folder: Path, photographs: Path) -> None:
    """ParameterError unless the packed folder was made of these photographs, by their names."""
    facts = json.loads((folder / _TEACHER).read_text(encoding="utf-8"))
    if facts["pictures"] != _digest(photographs, _files(photographs)):
        raise ParameterError(f"{folder} holds other photographs than {photographs}; give another --name.")


def _files(photographs: Path) -> list[Path]:
    files = [Path(entry.file) for entry in walk([photographs]) if entry.problem is None]
    if not files:
        raise ParameterError(f"There are no pictures in {photographs}.")
    return files


def _digest(photographs: Path, files: list[Path]) -> str:
    names = "\n".join(str(path.relative_to(photographs)) for path in files)
    return hashlib.sha256(names.encode("utf-8", "surrogateescape")).hexdigest()


def _same_beginning(folder: Path, photographs: Path, files: list[Path], teacher: Teacher) -> None:
    facts = {"teacher": teacher.name, "sha256": teacher.sha256, "pictures": _digest(photographs, files)}
    path = folder / _TEACHER
    if path.is_file() and json.loads(path.read_text(encoding="utf-8")) != facts:
        raise ParameterError(f"{folder} holds targets of other photographs or of another teacher; give another --name.")
    write_text(path, json.dumps(facts, indent=1) + "\n")


def _shard(files: list[Path], photographs: Path, folder: Path, number: int, teacher: Teacher) -> _Shard:
    """One shard, from the disk when it stands there whole."""
    facts = folder / f"shard-{number:05}.npz"
    if not facts.is_file():
        _make_shard(files, photographs, folder, number, teacher)
    with np.load(facts, allow_pickle=False) as file:
        rows, left_out = json.loads(str(file["rows"])), json.loads(str(file["left_out"]))
        return _Shard(rows, file["B"], file["I"], file["P"], left_out)


def _make_shard(files: list[Path], photographs: Path, folder: Path, number: int, teacher: Teacher) -> None:
    name = f"pictures-{number:05}.bin"
    rows, boxes, classes, kept, left_out = [], [], [], [], []
    packed = io.BytesIO()
    for file in files:
        shown = file.relative_to(photographs).as_posix().encode("utf-8", "backslashreplace").decode()
        try:
            picture = decode(file)
        except ImageError as error:
            left_out.append(f"{shown}: {error.message}")
            continue
        small, data = _small(picture)
        own = boxes_of(*small.size, shown)
        scale = picture.width / small.width
        likeliest, shares = kept_classes(teacher.probabilities(picture, list(_scaled(own, scale, picture.size))))
        rows.append(
            dict(zip(COLUMNS, (shown, name, packed.tell(), len(data), *small.size, photographs.name), strict=True))
        )
        packed.write(data)
        boxes.append(own)
        classes.append(likeliest)
        kept.append(shares)
    with replacing(folder / name) as target:
        target.write_bytes(packed.getvalue())
    out = io.BytesIO()
    stacked = [np.stack(list_) if list_ else np.empty(0) for list_ in (boxes, classes, kept)]
    told = {"rows": np.asarray(json.dumps(rows)), "left_out": np.asarray(json.dumps(left_out))}
    np.savez(out, **dict(zip("BIP", stacked, strict=True)), **told)  # type: ignore[arg-type]
    with replacing(folder / f"shard-{number:05}.npz") as target:
        target.write_bytes(out.getvalue())


def _small(picture: Image.Image) -> tuple[Image.Image, bytes]:
    scale = min(1.0, _SHORT_SIDE / min(picture.size))
    size = (max(1, round(picture.width * scale)), max(1, round(picture.height * scale)))
    small = picture.resize(size, Image.Resampling.BICUBIC)
    out = io.BytesIO()
    small.save(out, "WEBP", quality=_QUALITY)
    return small, out.getvalue()


def _scaled(
    boxes: NDArray[np.float32], scale: float, size: tuple[int, int]
) -> Iterator[tuple[float, float, float, float]]:
    """The boxes in the original's pixels, inside it whatever the rounding of its size was."""
    for left, top, right, bottom in boxes * scale:
        yield max(0.0, left), max(0.0, top), min(float(size[0]), right), min(float(size[1]), bottom)


def _finish(folder: Path, shards: list[_Shard], left_out: list[str]) -> list[str]:
    rows = [row for shard in shards for row in shard.rows]
    boxes, classes, kept = (
        np.concatenate([getattr(shard, name) for shard in shards]) for name in ("boxes", "classes", "kept")
    )
    write_targets(folder / TARGETS, [row["name"] for row in rows], boxes, classes, kept)
    write_text(folder / LEFT_OUT, "".join(f"{line}\n" for line in left_out))
    with replacing(folder / INDEX) as target, target.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    return left_out
