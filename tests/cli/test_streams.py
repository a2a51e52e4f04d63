"""Closed streams and a terminal of no width: the answer comes where it can, and never a traceback."""

import os
import shlex
import subprocess
import sys

import pytest
from support.bulk_pictures import CAT

pytestmark = [pytest.mark.slow, pytest.mark.skipif(os.name == "nt", reason="closes streams with a shell")]


def shell(home, line, **environment):
    """The command line in a shell, which may close its streams."""
    command = f"{shlex.quote(sys.executable)} -m resnet18_lab {line}"
    settings = {**os.environ, "RESNET18_LAB_HOME": str(home), **environment}
    return subprocess.run(["sh", "-c", command], env=settings, capture_output=True, text=True, check=False, timeout=120)


@pytest.mark.parametrize("output_format", ["table", "csv", "json", "jsonl"])
def test_a_closed_stderr_costs_no_answer(untrained_home, output_format):
    done = shell(untrained_home, f"classify {CAT} --weights untrained --format {output_format} 2>&-")
    assert done.returncode == 0
    assert "cat.jpg" in done.stdout


@pytest.mark.parametrize(
    "command",
    [
        "classify {cat} --weights untrained",
        "classify {cat} --weights untrained -f json",
        "labels cat",
        "weights list",
        "--help",
        "doctor --json",
        "inspect --weights untrained",
    ],
)
def test_a_closed_stdout_is_one_line(untrained_home, command):
    done = shell(untrained_home, command.format(cat=CAT) + " >&-")
    assert done.returncode == 2, done.stderr
    assert "stdout is closed" in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("closed", [">&-", "2>&-", ">&- 2>&-", "<&- >&- 2>&-"])
def test_an_output_file_is_whole_whatever_is_closed(untrained_home, tmp_path, closed):
    done = shell(untrained_home, f"classify {CAT} --weights untrained -o {tmp_path}/out.csv {closed}")
    assert done.returncode == 0, done.stderr
    assert len((tmp_path / "out.csv").read_text(encoding="utf-8").splitlines()) == 2


def test_no_columns_are_eighty(untrained_home):
    none, eighty = (
        shell(untrained_home, f"classify {CAT} --weights untrained", COLUMNS=width) for width in ("0", "80")
    )
    assert none.stdout == eighty.stdout
    assert "cat.jpg" in none.stdout
