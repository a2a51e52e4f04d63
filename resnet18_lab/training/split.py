"""Which pictures are learned from and which are judged: repeatable by content, and nothing alike on both sides."""

import hashlib
import re
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from resnet18_lab.base.errors import ParameterError
from resnet18_lab.inference.unknown import unit

NEAR = 0.97
"""Cosine of features above which two pictures count as one: encoded again, cropped a little, the next of a series."""
_BLOCK = 1024


@dataclass(frozen=True)
class Example:
    """A picture that could be read: its name below the folder, the SHA-256 of its bytes, and its class.

    ``series`` is the name in which ``--group`` looks, ``name`` itself if empty.
    """

    name: str
    sha256: str
    label: int
    held: bool = False
    series: str = ""


@dataclass(frozen=True)
class Split:
    """Positions to learn from and to judge on, and those left out with the reason; ``groups`` number what is alike."""

    learned: list[int]
    judged: list[int]
    left_out: dict[int, str]
    groups: NDArray[np.int64]


def groups_of(examples: Sequence[Example], features: NDArray[np.float32], series: str = "") -> NDArray[np.int64]:
    """A number for each picture, the same for those that are alike: bytes, features (cosine > ``NEAR``), or series.

    ``series`` is a regular expression; names in which it finds the same text (its first group, if it has one) belong
    together. ParameterError for one that is no regular expression.
    """
    joined = list(range(len(examples)))

    def root(position: int) -> int:
        while joined[position] != position:
            joined[position] = joined[joined[position]]
            position = joined[position]
        return position

    def join(one: int, other: int) -> None:
        first, second = sorted((root(one), root(other)))
        joined[second] = first

    seen: dict[str, int] = {}
    for position, example in enumerate(examples):
        for key in (f"sha256 {example.sha256}", *_series_key(series, example.series or example.name)):
            join(seen.setdefault(key, position), position)
    rows = unit(features)
    for start in range(0, len(rows), _BLOCK):
        for row, column in zip(*np.nonzero(rows[start : start + _BLOCK] @ rows.T > NEAR), strict=True):
            join(start + int(row), int(column))
    return np.array([root(position) for position in range(len(examples))], np.int64)


def _series_key(series: str, name: str) -> list[str]:
    if not series:
        return []
    try:
        found = re.search(series, name)
    except re.error as error:
        raise ParameterError(f"--group {series!r} is no regular expression ({error}).") from error
    return [f"series {found.group(1 if found.re.groups else 0)}"] if found else []


def split(examples: Sequence[Example], groups: NDArray[np.int64], share: float, seed: int) -> Split:
    """The given split where pictures are ``held``, else about ``share`` of each class, whole groups at a time.

    Which groups are judged depends on the pictures' content and the seed alone, not on names or order. Of a given
    split, pictures to learn from that are alike to one that is judged are left out.
    """
    members = defaultdict(list)
    for position, group in enumerate(groups):
        members[int(group)].append(position)
    if any(example.held for example in examples):
        return _given(examples, groups, members)
    judged = drawn(examples, members, share, seed)
    rest = set(judged)
    return Split([position for position in range(len(examples)) if position not in rest], judged, {}, groups)


def drawn(examples: Sequence[Example], members: dict[int, list[int]], share: float, seed: int) -> list[int]:
    """Positions in groups drawn in an order of their own until each class has its share."""
    counts = Counter(examples[position].label for group in members.values() for position in group)
    wanted = {label: round(share * count) for label, count in counts.items()}
    taken: Counter[int] = Counter()
    judged: list[int] = []
    for _, group in sorted((_key(examples, members[group], seed), group) for group in members):
        labels = Counter(examples[position].label for position in members[group])
        if all(taken[label] + count <= max(1, wanted[label]) for label, count in labels.items()):
            judged += members[group]
            taken += labels
    return sorted(judged)


def _key(examples: Sequence[Example], positions: list[int], seed: int) -> str:
    """By what groups are drawn: the smallest hash of their pictures, mixed with the seed."""
    smallest = min(examples[position].sha256 for position in positions)
    return hashlib.sha256(f"{seed} {smallest}".encode()).hexdigest()


def _given(examples: Sequence[Example], groups: NDArray[np.int64], members: dict[int, list[int]]) -> Split:
    left_out = {}
    for positions in members.values():
        judged = [position for position in positions if examples[position].held]
        for position in positions:
            if judged and not examples[position].held:
                left_out[position] = f"alike to {examples[judged[0]].name}, which is judged"
    learned = [position for position, example in enumerate(examples) if not example.held and position not in left_out]
    return Split(learned, [position for position, example in enumerate(examples) if example.held], left_out, groups)
