"""Run notebooks in place, top to bottom, so that their stored outputs are one clean run's.

Usage: python tools/run_notebooks.py [notebooks/02_classification.ipynb ...]  (all if none is named)
"""

import re
import sys
import time
from datetime import datetime
from pathlib import Path

import nbformat
from nbclient import NotebookClient

from resnet18_lab.base.machine import cpu_model, usable_cores
from resnet18_lab.course.notebooks import all_notebooks
from resnet18_lab.course.report.kernels import kernel_environment, kernels_with

ROOT = Path(__file__).resolve().parent.parent
sys.path.append(str(ROOT / "tools" / "make"))

from notebooks_form import canonical  # noqa: E402 - a script's neighbour, found by the line before

_TIME = re.compile(r"\*\*Time:\*\*.*")
_WORDS_A_MINUTE = 110
"""A technical text with formulas, read for the first time by somebody whose language may be another one."""
_LINES_A_MINUTE = 12
"""Of code, read with its output."""
SHOWS_PROGRESS = 5.0
"""Seconds from which a cell must say how far it has come; such cells keep their time in their metadata."""


def minutes_to_read(notebook: nbformat.NotebookNode) -> int:
    """Rounded up to five."""
    words = sum(len(cell.source.split()) for cell in notebook.cells if cell.cell_type == "markdown")
    lines = sum(len(cell.source.splitlines()) for cell in notebook.cells if cell.cell_type == "code")
    return 5 * int(-(-(words / _WORDS_A_MINUTE + lines / _LINES_A_MINUTE) // 5))


def write_times(notebook: nbformat.NotebookNode, seconds: float) -> None:
    """Put what the run took into the first cell, and what its slow cells took into their metadata."""
    took = f"{seconds:.0f} s to run on {usable_cores()} cores of {cpu_model()} ({time.strftime('%Y-%m-%d')})"
    line = f"**Time:** {minutes_to_read(notebook)} minutes to read, {took}."
    notebook.cells[0].source = _TIME.sub(lambda _: line, notebook.cells[0].source)
    for cell in notebook.cells:
        cell.metadata.pop("seconds", None)
        told = cell.metadata.get("execution", {})
        if "shell.execute_reply" in told:
            began, ended = (
                datetime.fromisoformat(told[name]) for name in ("iopub.execute_input", "shell.execute_reply")
            )
            if (took_cell := (ended - began).total_seconds()) >= SHOWS_PROGRESS:
                cell.metadata["seconds"] = round(took_cell)


def run_in_place(path: Path) -> None:
    """Execute every cell and write the notebook back without what changes from run to run."""
    notebook = nbformat.read(path, as_version=4)
    kernels, began = kernels_with(kernel_environment("fast")), time.monotonic()
    NotebookClient(
        notebook, timeout=600, kernel_name="python3", kernel_manager_class=kernels,
        resources={"metadata": {"path": path.parent}},
    ).execute()  # fmt: skip
    write_times(notebook, time.monotonic() - began)
    path.write_bytes(canonical(nbformat.writes(notebook), path.stem).encode())


if __name__ == "__main__":
    for name in sys.argv[1:] or all_notebooks():
        print(name)
        run_in_place(Path(name).resolve())
