"""Run notebooks in place, top to bottom, so that their stored outputs are one clean run's.

Usage: python tools/run_notebooks.py [notebooks/02_classification.ipynb ...]  (all if none is named)
"""

import sys
from pathlib import Path

import nbformat
from nbclient import NotebookClient

from resnet18_lab.course.report.kernels import kernel_environment, kernels_with

ROOT = Path(__file__).resolve().parent.parent
sys.path.append(str(ROOT / "tools" / "make"))

from notebooks_form import canonical  # noqa: E402 - a script's neighbour, found by the line before


def run_in_place(path: Path) -> None:
    """Execute every cell and write the notebook back without what changes from run to run."""
    notebook = nbformat.read(path, as_version=4)
    kernels = kernels_with(kernel_environment("fast"))
    NotebookClient(
        notebook, timeout=600, kernel_name="python3", kernel_manager_class=kernels,
        resources={"metadata": {"path": path.parent}},
    ).execute()  # fmt: skip
    path.write_bytes(canonical(nbformat.writes(notebook), path.stem).encode())


if __name__ == "__main__":
    for name in sys.argv[1:] or sorted((ROOT / "notebooks").glob("[0-9][0-9]_*.ipynb")):
        print(name)
        run_in_place(Path(name).resolve())
