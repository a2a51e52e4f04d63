"""The pictures that a network of one's own learns from: a folder a class, train and val folders, or a labels.csv."""

import csv
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from resnet18_lab.base.errors import ParameterError
from resnet18_lab.base.files import is_system_file
from resnet18_lab.base.text import as_cell

FEWEST = 5
"""Pictures a class must have: fewer cannot be split into parts to learn from, to choose by and to judge."""
_TRAIN = ("train", "training")
_JUDGED = {"test": "test", "val": "val", "valid": "val", "validation": "val"}
TABLE = "labels.csv"
_LONGEST_NAME = 100


@dataclass(frozen=True)
class Photo:
    """A file, its class (a position in the sorted names), and whether its owner set it aside to be judged on."""

    path: Path
    label: int
    held: bool = False


@dataclass(frozen=True)
class Photos:
    """The class names, sorted, and the pictures, sorted by path; ``judged_on`` is ``test``, ``val`` or empty."""

    folder: Path
    classes: tuple[str, ...]
    photos: tuple[Photo, ...]
    judged_on: str = ""
    is_split: bool = False
    """True where the folder holds train and its like, not classes."""

    def name_of(self, path: Path) -> str:
        """The file's name below the folder, as tables show it (``as_cell``)."""
        return as_cell(path.relative_to(self.folder).as_posix())

    def series_name(self, path: Path) -> str:
        """The name below the folder without that of its split: a series may go on in another one."""
        parts = path.relative_to(self.folder).parts
        return "/".join(parts[1:] if self.is_split and len(parts) > 1 else parts)


def read_photos(folder: Path) -> Photos:
    """The labelled pictures of a folder; ParameterError, a line, for one that cannot be learned from.

    Sub-folders are classes, unless some are called train and val (valid, validation) or test, whose sub-folders are
    classes then. With a test folder that one is judged on, and val is learned from like train. A ``labels.csv`` names
    ``file`` and ``class``, and perhaps ``split``.
    """
    if not folder.is_dir():
        raise ParameterError(f"{folder} is no folder; give one with a sub-folder a class.")
    if (folder / TABLE).is_file():
        return _checked(folder, _of_table(folder), is_split=False)
    subs = _sub_folders(folder)
    splits = {sub.name.lower(): sub for sub in subs}
    is_split = any(name in splits for name in _TRAIN)
    rows = _of_splits(folder, splits) if is_split else [row for sub in subs for row in _of_class(sub, "")]
    return _checked(folder, rows, is_split=is_split)


Row = tuple[Path, str, str]
"""A file, its class, and the split that its owner put it into (may be empty)."""


def _sub_folders(folder: Path) -> list[Path]:
    return [sub for sub in sorted(folder.iterdir()) if sub.is_dir() and not is_system_file(sub.name)]


def _of_class(folder: Path, split: str) -> list[Row]:
    files = [file for file in sorted(folder.rglob("*")) if file.is_file() and not is_system_file(file.name)]
    if not files:
        raise ParameterError(f"{folder} is empty; put pictures of {folder.name} there, or remove it.")
    return [(file, folder.name, split) for file in files]


def _of_splits(folder: Path, splits: dict[str, Path]) -> list[Row]:
    known = {*_TRAIN, *_JUDGED}
    if strange := [sub.name for name, sub in splits.items() if name not in known]:
        raise ParameterError(f"{folder} holds train and also {', '.join(strange[:3])}; give train, val and test only.")
    return [row for name, place in splits.items() for sub in _sub_folders(place) for row in _of_class(sub, name)]


def _of_table(folder: Path) -> list[Row]:
    path = folder / TABLE
    try:
        with path.open(encoding="utf-8-sig", newline="") as table:
            reader = csv.DictReader(table)
            if not {"file", "class"} <= set(reader.fieldnames or []):
                raise ParameterError(f"{path} needs the columns file and class (and split, if you have one).")
            return [_row_of(folder, row, reader.line_num) for row in reader]
    except (UnicodeDecodeError, csv.Error) as error:
        raise ParameterError(f"{path} is no CSV in UTF-8 ({error}).") from error


def _row_of(folder: Path, row: dict[str, str | None], line: int) -> Row:
    file, name, split = folder / (row["file"] or ""), (row["class"] or "").strip(), (row.get("split") or "").lower()
    where = f"{folder / TABLE}, line {line}"
    if not _is_below(folder, row["file"] or ""):
        raise ParameterError(f"{where}: {row['file']!r} is no file below {folder}.")
    if not name:
        raise ParameterError(f"{where}: {row['file']} has no class.")
    if split and split not in {*_TRAIN, *_JUDGED}:
        raise ParameterError(f"{where}: the split {split!r} is unknown; write train, val or test.")
    return file, name, split


def _is_below(folder: Path, name: str) -> bool:
    """True for the relative name of a file in the folder or below it."""
    try:
        file = folder / name
        return bool(name) and not Path(name).is_absolute() and ".." not in Path(name).parts and file.is_file()
    except (OSError, ValueError):  # ValueError: a zero byte in the name
        return False


def _checked(folder: Path, rows: list[Row], *, is_split: bool) -> Photos:
    names = sorted({name for _, name, _ in rows})
    if len(names) < 2:
        what = f"one class, {names[0]}" if names else "no class"
        raise ParameterError(f"{folder} holds {what}; give at least two sub-folders with pictures.")
    refuse_names(names)
    judged = {_JUDGED[split] for _, _, split in rows if split in _JUDGED}
    judged_on = "test" if "test" in judged else "val" if judged else ""
    index = {name: number for number, name in enumerate(names)}
    photos = tuple(
        Photo(path, index[name], bool(judged_on) and _JUDGED.get(split) == judged_on)
        for path, name, split in sorted(rows)
    )
    refuse_few(tuple(names), photos)
    return Photos(folder, tuple(names), photos, judged_on, is_split)


def refuse_names(names: list[str]) -> None:
    """Raise ParameterError for names that differ in case only, or that tables cannot hold."""
    by_case: dict[str, str] = {}
    for name in names:
        if (other := by_case.setdefault(name.casefold(), name)) != name:
            raise ParameterError(f"The classes {other} and {name} differ in case only; rename or join them.")
        if not name.isprintable() or len(name) > _LONGEST_NAME:  # nor are bytes that are not UTF-8 printable
            raise ParameterError(f"The class {name[:40]!r} has a name that tables cannot hold; rename it.")


def refuse_few(names: tuple[str, ...], photos: tuple[Photo, ...]) -> None:
    """Raise ParameterError where a class has too few pictures to learn from."""
    counts = Counter(photo.label for photo in photos if not photo.held)
    few = [f"{name} ({counts[number]})" for number, name in enumerate(names) if counts[number] < FEWEST]
    if few:
        raise ParameterError(
            f"{', '.join(few[:5])}: too few pictures to learn from; give each class at least {FEWEST}."
        )
