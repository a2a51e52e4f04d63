"""Print what the service needs: the project's own dependencies and its extra ``serve``, from pyproject.toml."""

import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def requirements() -> list[str]:
    """Its requirements, as pyproject.toml writes them."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return [*project["dependencies"], *project["optional-dependencies"]["serve"]]


if __name__ == "__main__":
    sys.stdout.write("\n".join(requirements()) + "\n")
