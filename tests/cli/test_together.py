"""Two commands at once on the same thing: one waits, or is refused with a line; nothing is lost."""

import os
import subprocess
import sys

import pytest
from support.project import run_cli, samples_dir

pytestmark = pytest.mark.slow
CAT = samples_dir() / "cat.jpg"
WAIT = 240


def begin(home, *arguments, **options):
    """A command that runs beside others."""
    return subprocess.Popen(
        [sys.executable, "-m", "resnet18_lab", *map(str, arguments)],
        env={**os.environ, "RESNET18_LAB_HOME": str(home)}, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        **options,
    )  # fmt: skip


def ended(*processes):
    """(status, stdout, stderr) of each."""
    found = []
    for one in processes:
        out, err = one.communicate(timeout=WAIT)
        assert "Traceback" not in err, err
        found.append((one.returncode, out, err))
    return found


def test_two_builds_wait_for_each_other(tmp_path):
    home = tmp_path / "home"
    line = ("build", "--weights", "untrained", "--only", "onnx-fp32")
    first, second = ended(begin(home, *line), begin(home, *line))
    assert (first[0], second[0]) == (0, 0)
    assert run_cli("classify", CAT, "--weights", "untrained", home=home).returncode == 0


def test_of_two_runs_into_one_file_one_is_refused(untrained_home, tmp_path):
    folder, output = tmp_path / "in", tmp_path / "out.csv"
    folder.mkdir()
    for number in range(150):
        (folder / f"{number:03}.jpg").write_bytes(CAT.read_bytes())
    line = ("classify", folder, "--weights", "untrained", "--workers", "1", "-o", output)
    outcomes = ended(begin(untrained_home, *line), begin(untrained_home, *line))
    assert sorted(status for status, _, _ in outcomes) == [0, 2]
    (refused,) = [err for status, _, err in outcomes if status == 2]
    assert len(refused.strip().splitlines()) == 1
    assert output.name in refused
    assert len(output.read_text(encoding="utf-8").splitlines()) == 151


def test_of_two_reports_into_one_folder_one_is_refused(untrained_home, tmp_path):
    line = ("report", "--weights", "untrained", "--notebook", "02", "--output", tmp_path / "report")
    outcomes = ended(begin(untrained_home, *line), begin(untrained_home, *line))
    assert sorted(status for status, _, _ in outcomes) == [0, 2], outcomes
    (refused,) = [err for status, _, err in outcomes if status == 2]
    assert "Another report is being made" in refused


def test_weights_may_be_fetched_while_artifacts_are_built(tmp_path):
    """Nothing can be fetched here: the fetch ends in a line, and the build as if it were alone."""
    home = tmp_path / "home"
    environment = {**os.environ, "RESNET18_LAB_HOME": str(home), "RESNET18_LAB_OFFLINE": "1"}
    fetching = subprocess.Popen(
        [sys.executable, "-m", "resnet18_lab", "weights", "fetch", "compact"], env=environment, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    building, fetched = ended(begin(home, "build", "--weights", "untrained", "--only", "onnx-fp32"), fetching)
    assert building[0] == 0
    assert fetched[0] == 2
    assert len(fetched[2].strip().splitlines()) == 1
