"""Print what the service needs: the project's own dependencies and its extra ``serve``, from pyproject.toml."""

import sys
import tomllib
from pathlib import Path

project = tomllib.loads((Path(__file__).resolve().parent.parent / "pyproject.toml").read_text(encoding="utf-8"))[
    "project"
]
sys.stdout.write("\n".join([*project["dependencies"], *project["optional-dependencies"]["serve"]]) + "\n")
