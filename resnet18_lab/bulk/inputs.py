"""Inputs of a bulk run: folders walked in a fixed order, lists of paths, shards, and the listing on disk."""

import codecs
import hashlib
import json
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from resnet18_lab.base.errors import ImageError, ParameterError
from resnet18_lab.base.files import is_system_file, replacing
from resnet18_lab.preprocessing.refusals import image_error

PICTURE_SUFFIXES = frozenset({".jpg", ".jpeg", ".jpe", ".jfif", ".mpo", ".png", ".apng", ".webp", ".gif", ".bmp"})
_CHUNK = 1 << 16


@dataclass(frozen=True)
class Input:
    """A file to classify, or a folder that could not be listed; ``problem`` then names the error."""

    file: str
    problem: str | None = None

    @property
    def error(self) -> ImageError | None:
        """The error known before the input is read; None for a file."""
        if self.problem is None:
            return None
        text, _, reason = self.problem.partition(":")
        return image_error(text, reason=reason)


def walk(paths: Iterable[str | os.PathLike[str]]) -> Iterator[Input]:
    """The files in ``paths``, and the pictures in and below each folder in it, sorted by name.

    Links to folders are not followed, so that a loop of links ends. A folder that cannot be listed
    becomes an input with a problem, so that the output shows that its pictures are missing.
    """
    for path in paths:
        name = os.fspath(path)
        if os.path.isdir(name):  # noqa: PTH112 - Path.is_dir() raises when the parent folder may not be read
            yield from _walk_folder(name)
        else:
            yield Input(name)


def _walk_folder(top: str) -> Iterator[Input]:
    """Its pictures, then those of its folders in turn; by a stack, for recursion ends where folders are deep."""
    waiting = [top]
    while waiting:
        folder = waiting.pop()
        try:
            pictures, folders = _names_in(folder)
        except OSError as error:
            yield Input(folder, _problem_of(error))
            continue
        yield from (Input(os.path.join(folder, name)) for name in pictures)  # noqa: PTH118 - names are kept as they are
        waiting += [os.path.join(folder, name) for name in reversed(folders)]  # noqa: PTH118


def _problem_of(error: OSError) -> str:
    if isinstance(error, PermissionError):
        return "permission_denied"
    if isinstance(error, FileNotFoundError):
        return "file_not_found"
    return "unreadable:" + (error.strerror or str(error))


def _names_in(folder: str) -> tuple[list[str], list[str]]:
    """Sorted names of the pictures and of the folders in a folder; only names are kept: there may be millions."""
    pictures, folders = [], []
    with os.scandir(folder) as entries:
        for entry in entries:
            if is_system_file(entry.name):
                continue
            if entry.is_dir(follow_symlinks=False):
                folders.append(entry.name)
            elif _is_picture(entry.name) and not (entry.is_symlink() and os.path.isdir(entry.path)):  # noqa: PTH112
                pictures.append(entry.name)
    return sorted(pictures), sorted(folders)


def _is_picture(name: str) -> bool:
    return os.path.splitext(name)[1].lower() in PICTURE_SUFFIXES  # noqa: PTH122 - Path costs seconds a million


def read_list(source: BinaryIO, *, nul: bool = False) -> Iterator[str]:
    """Paths from a binary stream, one per line or separated by NUL; bytes that are not UTF-8 are preserved."""
    end = b"\0" if nul else b"\n"
    rest, first = b"", True
    while chunk := source.read(_CHUNK):
        if first:
            chunk, first = chunk.removeprefix(codecs.BOM_UTF8), False
        *pieces, rest = (rest + chunk).split(end)
        yield from _names(pieces, nul)
    yield from _names([rest], nul)


def _names(pieces: list[bytes], nul: bool) -> Iterator[str]:
    for piece in pieces:
        name = piece if nul else piece.removesuffix(b"\r")
        if name:
            yield os.fsdecode(name)


@dataclass(frozen=True)
class Shard:
    """Part ``number`` (1..count) of the inputs: every ``count``-th one, from the ``number``-th on."""

    number: int = 1
    count: int = 1

    @classmethod
    def parse(cls, text: str | None) -> "Shard":
        """The shard that ``K/N`` names, None the whole; ParameterError for anything else."""
        if text is None:
            return cls()
        number, _, count = text.partition("/")
        if number.isdecimal() and count.isdecimal() and 1 <= int(number) <= int(count):
            return cls(int(number), int(count))
        raise ParameterError(f"--shard {text} is not allowed; give K/N with 1 ≤ K ≤ N, such as 2/8.")

    def __str__(self) -> str:
        return f"{self.number}/{self.count}"


@dataclass(frozen=True)
class Listing:
    """The inputs of a run as one file of JSON lines, so that a resumed run sees the same ones in the same order.

    ``total``, ``sha256`` and ``relative`` (some name depends on the working directory) describe all inputs,
    ``count`` only those of the shard.
    """

    path: Path
    count: int
    total: int
    sha256: str
    relative: bool = False

    def __iter__(self) -> Iterator[Input]:
        with self.path.open(encoding="ascii") as file:
            for line in file:
                name, problem = json.loads(line)
                yield Input(name, problem)


def write_listing(target: Path, inputs: Iterable[Input], shard: Shard) -> Listing:
    """The listing of the shard's part of the inputs, written completely or not at all."""
    digest = hashlib.sha256()
    count = total = 0
    relative = False
    with replacing(target) as temporary, temporary.open("wb") as file:
        for entry in inputs:
            line = _line(entry)
            digest.update(line)
            relative = relative or not (os.path.isabs(entry.file) or "://" in entry.file)  # noqa: PTH117 - a URL is no path
            if total % shard.count == shard.number - 1:
                file.write(line)
                count += 1
            total += 1
    return Listing(target, count, total, digest.hexdigest(), relative)


def fingerprint(inputs: Iterable[Input]) -> tuple[int, str]:
    """How many inputs there are, and the ``sha256`` that their listing would have."""
    digest = hashlib.sha256()
    total = 0
    for total, entry in enumerate(inputs, start=1):  # noqa: B007 - used after the loop
        digest.update(_line(entry))
    return total, digest.hexdigest()


def _line(entry: Input) -> bytes:
    return json.dumps([entry.file, entry.problem]).encode("ascii") + b"\n"
