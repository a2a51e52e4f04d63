"""Fixtures that the tests of bulk runs share, as a plugin."""

from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import pytest
from support.bulk_pictures import end, folder_of, start_and_wait
from support.project import run_cli


@pytest.fixture
def classify(untrained_home: Path) -> Callable[..., CompletedProcess[str]]:
    """``resnet18-lab classify`` with untrained weights."""

    def run(*arguments: object, **options: object) -> CompletedProcess[str]:
        return run_cli("classify", *arguments, "--weights", "untrained", home=untrained_home, **options)

    return run


@pytest.fixture
def interrupted(untrained_home: Path, tmp_path: Path) -> tuple[Path, Path]:
    """A folder of 60 pictures and the output of a run over it that was killed."""
    folder = folder_of(tmp_path / "in", 60)
    output = tmp_path / "out.jsonl"
    end(start_and_wait(untrained_home, output, folder))
    return folder, output
