"""A student's own copy of the course: notebooks without outputs, what they point to, and the photographs."""

import hashlib
import json
import re
import shutil
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from resnet18_lab.base import paths
from resnet18_lab.base.errors import LabError, ParameterError
from resnet18_lab.base.files import replacing
from resnet18_lab.course.notebooks import all_notebooks

STATE = ".course.json"
"""What the last copy or update wrote: a digest by path, so that what was edited since is known."""
_LINK = re.compile(r"\]\(\.\./docs/([\w-]+\.md)")
_IMAGE = re.compile(r"\]\((images/[\w-]+\.\w+)\)")


@dataclass
class Copied:
    """Paths below the folder: written for the first time, brought up to date, and left as the student has them."""

    new: list[str] = field(default_factory=list)
    updated: list[str] = field(default_factory=list)
    left: list[str] = field(default_factory=list)


def copy_course(folder: Path) -> Copied:
    """Make the copy, or bring it up to date; a file that was edited, or is not from here, stays as it is.

    A notebook that was only run counts as unedited. Raises ParameterError for a folder that is a file, and LabError
    where the project is installed without its notebooks or the folder's list of files is damaged.
    """
    folder = folder.expanduser()
    if folder.exists() and not folder.is_dir():
        raise ParameterError(f"{folder} is a file; name a folder for the course.")
    if paths.is_checkout() and folder.resolve() == paths.notebooks_dir().parent:
        raise ParameterError(f"{folder} is the project itself; name another folder for the copy.")
    known, copied = _state(folder), Copied()
    try:
        for name, content in _files():
            _put(folder, name, content, known, copied)
    finally:  # whatever ended it, what was written is known to be ours
        if known:
            _write(folder / STATE, json.dumps(known, indent=1, sort_keys=True).encode())
    for place in (paths.samples_dir(), paths.labelled_dir()):
        _link(folder / "data" / place.name, place)
    return copied


def _put(folder: Path, name: str, content: bytes, known: dict[str, str], copied: Copied) -> None:
    target, digest = folder / name, _digest(name, content)
    here = _digest(name, target.read_bytes()) if target.is_file() else None
    if here is None and target.exists():
        copied.left.append(name)
    elif here is not None and here == digest:
        known[name] = digest
    elif here is not None and here != known.get(name):
        copied.left.append(name)
    else:
        _write(target, content)
        (copied.new if here is None else copied.updated).append(name)
        known[name] = digest


def _files() -> Iterator[tuple[str, bytes]]:
    """What the copy consists of: its path below the folder, and its bytes."""
    documents: set[str] = set()
    for notebook in all_notebooks():
        text = notebook.read_text(encoding="utf-8")
        documents.update(_LINK.findall(text))
        yield f"notebooks/{notebook.name}", _without_outputs(text)
    yield "notebooks/references.bib", (paths.notebooks_dir() / "references.bib").read_bytes()
    for name in sorted(documents):
        content = (paths.documents_dir() / name).read_bytes()
        yield f"docs/{name}", content
        for image in _IMAGE.findall(content.decode("utf-8")):
            yield f"docs/{image}", (paths.documents_dir() / image).read_bytes()


def _without_outputs(text: str) -> bytes:
    notebook = json.loads(text)
    for cell in notebook["cells"]:
        if cell["cell_type"] == "code":
            cell.update(outputs=[], execution_count=None)
    return (json.dumps(notebook, ensure_ascii=False, indent=1) + "\n").encode()


def _digest(name: str, content: bytes) -> str:
    """Of a notebook's cells alone: running it, or saving it in JupyterLab, is no edit."""
    if name.endswith(".ipynb"):
        with suppress(ValueError, KeyError, TypeError, AttributeError):
            cells = json.loads(content)["cells"]
            content = json.dumps([[cell["cell_type"], "".join(cell["source"])] for cell in cells]).encode()
    return hashlib.sha256(content).hexdigest()


def _state(folder: Path) -> dict[str, str]:
    file = folder / STATE
    if not file.exists():
        return {}
    try:
        known: Any = json.loads(file.read_text(encoding="utf-8"))
        return {str(name): str(digest) for name, digest in known.items()}
    except (ValueError, AttributeError, UnicodeDecodeError) as error:
        raise LabError(f"{file} is damaged; remove it, and every file that is there already stays as it is.") from error


def _write(target: Path, content: bytes) -> None:
    with replacing(target) as temporary:
        temporary.write_bytes(content)


def _link(target: Path, place: Path) -> None:
    """A link to the photographs, or a copy of them where the system allows no links; what is there already stays."""
    if target.is_symlink() and not target.exists():
        target.unlink()  # it led to an installation that is gone
    if target.exists():
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        target.symlink_to(place, target_is_directory=True)
    except OSError:
        shutil.copytree(place, target)
