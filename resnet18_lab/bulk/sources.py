"""Inputs of a cluster run: local paths, and URLs of any store that fsspec supports."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import PurePosixPath
from typing import Any

from resnet18_lab.base.errors import ImageError, LabError
from resnet18_lab.bulk.inputs import PICTURE_SUFFIXES, Input, walk
from resnet18_lab.preprocessing.refusals import image_error
from resnet18_lab.preprocessing.source import read

_LONGEST_REASON = 200


def is_url(name: str) -> bool:
    """True when fsspec must open a name, not the local file system."""
    return "://" in name


def find_inputs(paths: Iterable[str]) -> Iterator[Input]:
    """The pictures of local paths and of URLs; a URL is a folder when the store says so.

    One folder is listed at a time, as for local paths. LabError names the package that a kind of store needs.
    """
    for path in paths:
        if not is_url(path):
            yield from walk([path])
            continue
        files, root = _store(path)
        try:
            is_folder = files.isdir(root)
        except Exception as error:  # each kind of store has its own errors
            yield Input(path, _problem(error))
            continue
        yield from _below(files, root) if is_folder else [Input(path)]


def _store(url: str) -> tuple[Any, str]:
    try:
        import fsspec
    except ImportError as error:
        raise LabError(f"{url} needs fsspec: pip install 'resnet18-lab[ray]'.") from error
    try:
        files, root = fsspec.core.url_to_fs(url)
    except ImportError as error:
        raise LabError(f"{url} needs a package that is not installed here: {_words(error)}.") from error
    except Exception as error:
        raise LabError(
            f"{url} cannot be opened ({_words(error)}); check its beginning and your credentials."
        ) from error
    return files, root


def _below(files: Any, folder: str) -> Iterator[Input]:  # noqa: ANN401 - a file system of an optional package
    try:
        entries = sorted((entry["name"], entry["type"] == "directory") for entry in files.ls(folder, detail=True))
    except Exception as error:
        yield Input(files.unstrip_protocol(folder), _problem(error))
        return
    names = [(name, is_folder) for name, is_folder in entries if name.rstrip("/") != folder.rstrip("/")]
    for name, is_folder in names:
        if not is_folder and PurePosixPath(name).suffix.lower() in PICTURE_SUFFIXES:
            yield Input(files.unstrip_protocol(name))
    for name, is_folder in names:
        if is_folder:
            yield from _below(files, name)


def read_source(name: str) -> bytes:
    """The bytes of a local file or a URL; raises only ImageError."""
    if not is_url(name):
        return read(name)
    try:
        import fsspec

        with fsspec.open(name, "rb") as file:
            return read(file)
    except ImageError:
        raise
    except Exception as error:  # each kind of store has its own errors
        text, _, reason = _problem(error).partition(":")
        raise image_error(text, reason=reason) from error


def _problem(error: Exception) -> str:
    """The text of an input's ``problem`` for an error of a store."""
    if isinstance(error, FileNotFoundError):
        return "file_not_found"
    if isinstance(error, PermissionError):
        return "permission_denied"
    return f"unreadable:{type(error).__name__}: {_words(error)}"


def _words(error: Exception) -> str:
    return " ".join(str(error).split())[:_LONGEST_REASON].rstrip(".")
