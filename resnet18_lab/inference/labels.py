"""The 1,000 ImageNet-1K classes, keyed by class index (0..999) or wnid, never by name.

Two English categories differ only by case, so a name cannot be a key. ``en`` is torchvision's category,
``index`` the position of the wnid in the sorted list of wnids.
"""

import csv
import hashlib
import io
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache

from resnet18_lab.base.errors import ParameterError
from resnet18_lab.base.networks import RESNET18
from resnet18_lab.base.paths import package_data
from resnet18_lab.weights.find import WeightsFile


class Language(StrEnum):
    """Language of class names and messages."""

    en = "en"
    zh = "zh"
    both = "both"

    @property
    def keys(self) -> tuple[str, ...]:
        """Fields of a label that the choice shows."""
        return ("en", "zh") if self is Language.both else (self.value,)


@dataclass(frozen=True)
class Label:
    """One class: its index in the logits, WordNet id (None for a class of one's own), and names in two languages."""

    index: int
    wnid: str | None
    en: str
    zh: str


_PACKAGED = "imagenet1k_labels.csv"


@lru_cache(maxsize=1)
def all_labels() -> tuple[Label, ...]:
    """The 1,000 labels, sorted by index."""
    return labels_in(packaged())


def labels_in(content: bytes) -> tuple[Label, ...]:
    """The labels in the content of such a file; the second column of one's own classes is ``key``.

    Raises ValueError for content that is no such file, or whose rows are not in the order of their index.
    """
    try:
        rows = csv.reader(io.StringIO(content.decode("utf-8"), newline=""))
        is_own = next(rows)[1] == "key"
        found = tuple(Label(int(index), None if is_own else key, en, zh) for index, key, en, zh in rows)
    except (csv.Error, StopIteration, IndexError) as error:
        raise ValueError(f"no table of classes: {error}") from error
    if [label.index for label in found] != list(range(len(found))):
        raise ValueError("the classes are not in the order of their index")
    return found


def packaged() -> bytes:
    """The file of the package's labels, as it goes into an artifact folder."""
    return package_data(_PACKAGED).read_bytes()


@lru_cache(maxsize=1)
def packaged_sha256() -> str:
    """The hash of that file, by which artifacts say which class names they were made with."""
    return hashlib.sha256(packaged()).hexdigest()


def content_of(file: WeightsFile) -> bytes:
    """The file of class names that belongs to these weights."""
    return packaged() if file.labels_path is None else file.labels_path.read_bytes()


def by_index(index: int) -> Label:
    """The label of a class index; ParameterError outside 0..999."""
    if not 0 <= index < RESNET18.classes:
        raise ParameterError(f"Class index {index} does not exist; give one from 0 to {RESNET18.classes - 1}.")
    return all_labels()[index]


def search(text: str) -> list[Label]:
    """Labels whose index or wnid is ``text`` or whose name, in either language, contains it; whole matches first."""
    query = text.strip().casefold()
    if not query:
        return []
    matches = [
        label
        for label in all_labels()
        if query in (str(label.index), label.wnid) or query in label.en.casefold() or query in label.zh.casefold()
    ]
    return sorted(matches, key=lambda label: query not in (label.en.casefold(), label.zh.casefold(), str(label.index)))


def nearest(text: str) -> list[str]:
    """At most three names that look like ``text``, nearest first."""
    import difflib

    names = {name.casefold(): name for label in all_labels() for name in (label.en, label.zh) if name}
    return [names[name] for name in difflib.get_close_matches(text.strip().casefold(), names, n=3)]
