"""The two lanes in which nbval runs a notebook."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from support.project import ROOT

STRICT: set[str] = set()  # deterministic whatever the weights; all others are lax
CELL_TIMEOUT = 600  # seconds, five times the usual on a busy machine; nbval's own is 2000
NOTEBOOKS = sorted((ROOT / "notebooks").glob("[0-9][0-9]_*.ipynb"))
SMALLER: dict[str, dict[str, object]] = {
    "03_conversion": {"profile": "smoke"},
    "04_quantization": {"profile": "smoke", "crops": 4},
    "05_thread_benchmark": {"profile": "smoke", "threads": [1, 2]},
    "07_bulk": {"pictures": 96},
    "08_serving": {"seconds": 0.7},
    "10_own_classes": {"pictures_each": 16, "draws": 2},
    "11_distillation": {"crops_each": 24},
}
"""Parameters with which the lanes take minutes less; `make notebooks-hard` runs all notebooks as they are."""


def with_parameters(notebook: Path, folder: Path, parameters: Mapping[str, object]) -> Path:
    """A copy in ``folder`` whose parameters cell ends with those values."""
    content = json.loads(notebook.read_text(encoding="utf-8"))
    (cell,) = [cell for cell in content["cells"] if "parameters" in cell["metadata"].get("tags", [])]
    lines = [f"{name} = {value!r}" for name, value in parameters.items()]
    cell["source"] = "\n".join(["".join(cell["source"]), *lines])
    copy = folder / notebook.name
    copy.write_text(json.dumps(content), encoding="utf-8")
    return copy


def run_lane(notebook: Path, lane: str, env: dict[str, str] | None = None) -> subprocess.CompletedProcess:
    """nbval on one notebook in a pytest of its own."""
    command = [
        sys.executable,
        "-m",
        "pytest",
        lane,
        "--nbval-current-env",
        f"--nbval-cell-timeout={CELL_TIMEOUT}",
    ]
    command += [
        "--nbval-sanitize-with",
        str(ROOT / "tests" / "course" / "nbval_sanitize.cfg"),
        "-q",
        "-p",
        "no:cacheprovider",
        "--no-cov",
    ]
    environment = {**os.environ, **(env or {})}
    return subprocess.run(
        [*command, str(notebook)], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
