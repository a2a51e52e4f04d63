"""Bring notebooks into the form in which opening and saving them in JupyterLab changes nothing.

Usage: python tools/make/notebooks_form.py [--check] [NOTEBOOK ...]  (all if none is named)

On opening, JupyterLab puts the kernel's own account of itself into the metadata, and on saving it writes JSON
as nbformat does. So the files hold exactly that. One thing in the account differs from machine to machine, the
version of Python: the kernels of this project leave it out (KERNEL_CONFIG).
"""

import hashlib
import re
import sys
from pathlib import Path
from typing import Any

import nbformat

ROOT = Path(__file__).resolve().parents[2]
KERNELSPEC = {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"}
LANGUAGE_INFO = {
    "codemirror_mode": {"name": "ipython", "version": 3},
    "file_extension": ".py",
    "mimetype": "text/x-python",
    "name": "python",
    "nbconvert_exporter": "python",
    "pygments_lexer": "ipython3",
}
KERNEL_CONFIG = (ROOT / "tools" / "ipython_kernel_config.py").read_text(encoding="utf-8")
"""What set-up puts into ``etc/ipython`` of the environment, where every kernel reads it."""
_MINOR = 5
"""nbformat 4.5, the first with cell ids; JupyterLab keeps a newer minor, and writes no older one than 4."""
_POSITION = re.compile(r"cell-\d+")
_OF_A_RUN = ("execution", "papermill", "trusted", "ExecuteTime")
"""Metadata of cells that tell of one run or one reader."""


def _stable_id(stem: str, source: str, taken: set[str]) -> str:
    """Eight hexadecimal digits that do not depend on where the cell stands."""
    for number in range(len(taken) + 1):
        found = hashlib.sha256(f"{stem}\0{source}\0{number}".encode()).hexdigest()[:8]
        if found not in taken:
            break
    return found


def _give_ids(cells: list[dict[str, Any]], stem: str) -> None:
    """An id for each cell that has none, a position for one, or that of a cell before it; others stay."""
    taken = {cell.get("id", "") for cell in cells}
    seen: set[str] = set()
    for cell in cells:
        own = cell.get("id", "")
        if not own or own in seen or _POSITION.fullmatch(own):
            own = _stable_id(stem, cell["source"], taken)
            taken.add(own)
        cell["id"] = own
        seen.add(own)


def canonical(text: str, stem: str) -> str:
    """The notebook's JSON as JupyterLab would save it; ``stem`` of its file name goes into new cell ids."""
    notebook = nbformat.reads(text, as_version=4)
    notebook.nbformat_minor = _MINOR
    notebook.metadata.pop("papermill", None)
    notebook.metadata.update(kernelspec=dict(KERNELSPEC), language_info=dict(LANGUAGE_INFO))
    _give_ids(notebook.cells, stem)
    for cell in notebook.cells:
        for name in _OF_A_RUN:
            cell.metadata.pop(name, None)
    nbformat.validate(notebook)
    return nbformat.writes(notebook, version=4).rstrip("\n") + "\n"


def differs(path: Path) -> bool:
    """True when the file is not in the canonical form, to the byte."""
    stored = path.read_bytes()
    return canonical(stored.decode("utf-8"), path.stem).encode() != stored


def main() -> int:
    """Exit status: 1 when --check finds a file that is in another form."""
    arguments = [argument for argument in sys.argv[1:] if argument != "--check"]
    paths = [Path(name) for name in arguments] or sorted((ROOT / "notebooks").glob("*.ipynb"))
    changed = [path for path in paths if differs(path)]
    for path in changed:
        print(path)
        if "--check" not in sys.argv:
            path.write_bytes(canonical(path.read_text(encoding="utf-8"), path.stem).encode())
    return int(bool(changed) and "--check" in sys.argv)


if __name__ == "__main__":
    sys.exit(main())
