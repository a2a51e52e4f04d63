"""Labelled pictures: folders named by class, or a table of files and classes."""

import csv
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from enum import Enum
from functools import cache
from pathlib import Path

from resnet18_lab.base import paths
from resnet18_lab.base.errors import ParameterError
from resnet18_lab.base.files import is_system_file
from resnet18_lab.inference import labels

Picture = tuple[Path, tuple[int, ...]]
"""A file and the class indexes that count as right for it."""
Classes = tuple[labels.Label, ...]
_SPLITS = {"train", "training", "val", "valid", "validation", "test"}


class LabelsAre(Enum):
    """What the names of sub-folders are. An index is never guessed: sorted as text, 10 comes before 2."""

    wnid = "wnid"
    index = "index"
    name = "name"


@dataclass(frozen=True)
class Labelled:
    """The pictures, sorted; ``unknown`` are sub-folders that are no class, with how many files each holds."""

    pictures: list[Picture]
    unknown: dict[str, int] = field(default_factory=dict)
    classes: Classes = ()

    def unknown_words(self) -> str:
        """A sentence that names the unknown folders once, each with the nearest class; empty where there are none."""
        if not self.unknown:
            return ""
        named = [f"{name}{_hint(name, self.classes)}" for name in list(self.unknown)[:5]]
        more = f" and {len(self.unknown) - 5} more" if len(self.unknown) > 5 else ""
        return (
            f"{len(self.unknown)} folders are no class, and their {sum(self.unknown.values())} files are left out: "
            f"{', '.join(named)}{more}"
        )


def folder_to_count_on(chosen: str = "") -> tuple[str, Path]:
    """What to call the folder of labelled pictures, and the folder.

    It is the ``chosen`` one, else that of $RESNET18_LAB_IMAGES, else the project's own photographs.
    """
    place = chosen or os.environ.get("RESNET18_LAB_IMAGES", "")
    return (Path(place).name, Path(place)) if place else ("data/labelled", paths.labelled_dir())


def labelled(folder: Path, labels_are: LabelsAre | None = None, classes: Classes | None = None) -> Labelled:
    """Pictures of sub-folders named by class, or those that ``folder/labels.csv`` names; ImageNet's unless given.

    Sub-folders are wnids or English names that one class alone has, unless ``labels_are`` says what they are. The
    table has the columns ``file`` and ``acceptable`` (indexes separated by semicolons; rows with ``none`` are left
    out, because no answer to them is right). Raises ParameterError when the folder has neither.
    """
    if not folder.is_dir():
        raise ParameterError(f"{folder} is no folder; give one with a sub-folder per wnid (n02123045/...).")
    classes = labels.all_labels() if classes is None else classes
    table = labels_are is None and (folder / "labels.csv").is_file()
    found = Labelled(_from_table(folder, len(classes))) if table else _from_sub_folders(folder, labels_are, classes)
    if not found.pictures:
        raise ParameterError(_why_none(folder, found))
    return found


def _why_none(folder: Path, found: Labelled) -> str:
    splits = sorted(name for name in found.unknown if name.lower() in _SPLITS)
    if splits:
        return f"{folder} holds {' and '.join(splits)}, each with its own classes; give one: {folder / splits[-1]}."
    if found.unknown and all(name.isascii() and name.isdigit() for name in found.unknown):
        return f"The sub-folders of {folder} are named by numbers; add --labels-are index if those are class indexes."
    if found.unknown:
        return f"No sub-folder of {folder} is a class: {found.unknown_words()}. They are named by wnid or English name."
    return f"{folder} holds neither pictures in sub-folders named by wnid (n02123045/...) nor a labels.csv."


def _from_sub_folders(folder: Path, labels_are: LabelsAre | None, classes: Classes) -> Labelled:
    known = _classes(labels_are, classes)
    pictures: list[Picture] = []
    unknown: dict[str, int] = {}
    for sub in sorted(folder.iterdir()):
        if not sub.is_dir() or is_system_file(sub.name):
            continue
        files = [file for file in sorted(sub.iterdir()) if file.is_file() and not is_system_file(file.name)]
        index = known.get(_plain(sub.name))
        if index is None:
            unknown[sub.name] = len(files)
        else:
            pictures += [(file, (index,)) for file in files]
    return Labelled(pictures, unknown, classes)


def _classes(labels_are: LabelsAre | None, classes: Classes) -> Mapping[str, int]:
    """The index of each name that a folder may have; English names that two classes share are not among them."""
    if labels_are is LabelsAre.index:
        return {str(label.index): label.index for label in classes}
    found: dict[str, int] = {}
    if labels_are in (None, LabelsAre.name):
        found |= {name: shared[0].index for name, shared in _by_name(classes).items() if len(shared) == 1}
    if labels_are in (None, LabelsAre.wnid):
        found |= {label.wnid: label.index for label in classes if label.wnid is not None}
    return found


def _plain(name: str) -> str:
    """A name as folders and labels can be compared: lower case, underscores for spaces undone."""
    return " ".join(name.lower().replace("_", " ").split())


@cache
def _by_name(classes: Classes) -> dict[str, list[labels.Label]]:
    """The classes of each English name."""
    by_name: dict[str, list[labels.Label]] = {}
    for label in classes:
        by_name.setdefault(_plain(label.en), []).append(label)
    return by_name


def _hint(name: str, classes: Classes) -> str:
    by_name = _by_name(classes)
    shared = by_name.get(_plain(name), [])
    if len(shared) > 1:
        return f" (two classes: {' and '.join(str(label.wnid) for label in shared)})"
    near = get_close_matches(_plain(name), list(by_name), 1)
    if not near:
        return ""
    wnid = by_name[near[0]][0].wnid
    return f" (is {near[0]}, {wnid}, meant?)" if wnid else f" (is {near[0]} meant?)"


def _from_table(folder: Path, classes: int) -> list[Picture]:
    path = folder / "labels.csv"
    try:
        with path.open(encoding="utf-8-sig", newline="") as table:  # -sig: spreadsheets put a byte order mark first
            reader = csv.DictReader(table)
            _check_head(path, reader.fieldnames or [])
            return sorted(
                (_inside(folder, row["file"], path, reader.line_num), _acceptable(row, path, reader.line_num, classes))
                for row in reader
                if row["acceptable"] != "none"
            )
    except UnicodeDecodeError as error:
        raise ParameterError(f"{path} is not UTF-8; save it so.") from error
    except csv.Error as error:
        raise ParameterError(f"{path}, line {reader.line_num + 1}: {error}; correct or leave out that row.") from error


def _check_head(path: Path, names: Sequence[str]) -> None:
    if {"file", "acceptable"} <= set(names):
        return
    if len(names) == 1 and ";" in names[0]:
        raise ParameterError(f"{path} has its columns split by semicolons; save it with commas.")
    raise ParameterError(f"{path} needs the columns file and acceptable (class indexes or none).")


def _acceptable(row: dict[str, str | None], path: Path, line: int, classes: int) -> tuple[int, ...]:
    """The class indexes of a row; ParameterError names the line that holds none."""
    try:
        return tuple(range(classes)[_position(text)] for text in str(row["acceptable"]).split(";"))
    except (ValueError, IndexError) as error:
        raise ParameterError(
            f"{path}, line {line}: {row['acceptable'] or 'nothing'} is no class index (0 to {classes - 1}, "
            "several split by semicolons, or none)."
        ) from error


def _position(text: str) -> int:
    """The index that the text is; ValueError for one below 0, which would count from the end."""
    if (index := int(text)) < 0:
        raise ValueError(text)
    return index


def _inside(folder: Path, name: str | None, path: Path, line: int) -> Path:
    """The file that a row names; ParameterError for one outside the folder."""
    file = folder / (name or "")
    if not name or not file.resolve().is_relative_to(folder.resolve()):
        raise ParameterError(f"{path}, line {line}: {name!r} leads out of {folder}; name pictures below it.")
    return file
