"""The two lanes in which nbval runs a notebook."""

import os
import subprocess
import sys
from pathlib import Path

from support.project import ROOT

STRICT: set[str] = set()  # deterministic whatever the weights; all others are lax
CELL_TIMEOUT = 600  # seconds, five times the usual on a busy machine; nbval's own is 2000
NOTEBOOKS = sorted((ROOT / "notebooks").glob("[0-9][0-9]_*.ipynb"))


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
