"""Run notebooks in place, top to bottom, so that their stored outputs are one clean run's.

Usage: python tools/run_notebooks.py [notebooks/02_classification.ipynb ...]  (all if none is named)
"""

import sys
from pathlib import Path

import nbformat
from nbclient import NotebookClient

ROOT = Path(__file__).resolve().parent.parent


def run_in_place(path: Path) -> None:
    """Execute every cell and write the notebook back without what changes from run to run."""
    notebook = nbformat.read(path, as_version=4)
    NotebookClient(
        notebook, timeout=600, kernel_name="python3", resources={"metadata": {"path": path.parent}}
    ).execute()
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)
    notebook.metadata.get("language_info", {}).pop("version", None)
    nbformat.write(notebook, path)


if __name__ == "__main__":
    for name in sys.argv[1:] or sorted((ROOT / "notebooks").glob("[0-9][0-9]_*.ipynb")):
        print(name)
        run_in_place(Path(name).resolve())
