"""What the tests call: the clone, a command in a process of its own, trained weights or a skip, a tool as a module."""

import importlib.util
import os
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType

import pytest

from resnet18_lab.base import paths
from resnet18_lab.base.errors import LabError
from resnet18_lab.weights.find import WeightsFile, find_weights

ROOT = Path(__file__).resolve().parents[2]
CLASSROOM = ROOT.parent / "shared"


def tool(name: str) -> ModuleType:
    """The script ``tools/NAME.py`` as a module."""
    script = ROOT / "tools" / f"{name}.py"
    if str(script.parent) not in sys.path:  # a script finds its neighbours as if it were run
        sys.path.append(str(script.parent))
    spec = importlib.util.spec_from_file_location(f"tools_{script.parent.name}_{script.stem}", script)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def weights_or_skip(name: str) -> WeightsFile:
    """The trained weights of that name, or a skip that says what is missing."""
    try:
        return find_weights(name)
    except LabError as error:
        pytest.skip(f"needs the trained weights {name!r}: {error}")


def trained_or_skip() -> WeightsFile:
    """Any trained weights, the compact ones first: the figures asserted on are about those."""
    for name in ("compact", "compact-large", "official", "distilled"):
        try:
            return find_weights(name)
        except LabError:
            continue
    pytest.skip("needs trained weights (compact, compact-large, official or distilled): see weights/README.md")


_SEEN: set[tuple[str, ...]] = set()


def _is_new(arguments: list[str]) -> bool:
    """True for the first call of a command with these options: later ones are not traced for coverage.

    Tracing makes a command start three quarters slower (0.48 to 0.84 s), and what it would see has been seen.
    """
    shape = (*arguments[:1], *sorted({argument for argument in arguments if argument.startswith("-")}))
    is_new = shape not in _SEEN
    _SEEN.add(shape)
    return is_new


def run_cli(
    *arguments: str | Path,
    home: Path | None = None,
    env: dict[str, str] | None = None,
    prefix: Sequence[str] = (),
    **options: object,
) -> subprocess.CompletedProcess[str]:
    """The command line in a process of its own, as a user runs it; ``prefix`` is a command that starts it."""
    environment = {**os.environ, **(env or {})}
    if home is not None:
        environment["RESNET18_LAB_HOME"] = str(home)
    if not _is_new([str(argument) for argument in arguments]):
        environment.pop("COVERAGE_PROCESS_CONFIG", None)
    settings: dict = {
        "capture_output": True,
        "text": True,
        "timeout": 300,
        "encoding": "utf-8",
        **options,
    }
    return subprocess.run(
        [*prefix, sys.executable, "-m", "resnet18_lab", *map(str, arguments)], env=environment, check=False, **settings
    )


def samples_dir() -> Path:
    """The project's own photographs."""
    return paths.samples_dir()


def ten_lines() -> str:
    """The first Python block of README."""
    return re.search(r"```python\n(.*?)```", (ROOT / "README.md").read_text(encoding="utf-8"), re.S).group(1)
