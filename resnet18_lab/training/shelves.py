"""Where models and the files made of them lie: put there as a whole, taken away as a whole."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from resnet18_lab.inference import artifacts


def put(new: Path, target: Path) -> None:
    """Put a finished folder in the place of an old one, which comes back if that fails."""
    old = target.with_name(f".{target.name}.old.tmp.{new.parent.name[-8:]}")
    is_there = target.exists()
    if is_there:
        target.rename(old)
    try:
        new.rename(target)
    except BaseException:
        if is_there:
            old.rename(target)
        raise
    shutil.rmtree(old, ignore_errors=True)


@contextmanager
def undone_on_failure(folder: Path) -> Iterator[None]:
    """Remove the folder if the block fails and the folder was not there before."""
    was_there = folder.exists()
    try:
        yield
    except BaseException:
        if not was_there:
            shutil.rmtree(folder, ignore_errors=True)
        raise


def remove_artifacts(name: str, but: Path | None = None) -> None:
    """Delete the artifact folders of models of that name: files of one that is gone must not answer for it."""
    for folder in artifacts.folders_named(name):
        if folder != but:
            shutil.rmtree(folder, ignore_errors=True)
