"""The course's notebooks, found without importing what runs them."""

from pathlib import Path

from resnet18_lab.base import paths
from resnet18_lab.base.errors import ReportError


def all_notebooks() -> list[Path]:
    """The course's notebooks in reading order."""
    notebooks = sorted(paths.notebooks_dir().glob("[0-9][0-9]_*.ipynb"))
    if not notebooks:
        raise ReportError(f"No notebooks in {paths.notebooks_dir()}: run from a clone of the project.")
    return notebooks
