"""The service under load and attack, in small; the page of figures follows from its record."""

import json
import os
import subprocess
import sys

import pytest
from conftest import ROOT, tool

TOOL = ROOT / "tools" / "load.py"


@pytest.fixture(scope="module")
def short(tmp_path_factory, trained_or_untrained_home):
    pytest.importorskip("flask")
    target = tmp_path_factory.mktemp("load") / "serving.json"
    environment = {"RESNET18_LAB_HOME": str(trained_or_untrained_home)}
    done = subprocess.run(
        [sys.executable, str(TOOL), "--short", "--output", str(target)],
        env={**os.environ, **environment}, capture_output=True, text=True, check=False, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return json.loads(target.read_text(encoding="utf-8"))


pytestmark = pytest.mark.slow


def test_nothing_fails_below_capacity(short):
    for name in ("ours", "cached"):
        assert (short[name]["failed"], short[name]["refused"]) == (0, 0), name
    assert [short["workers"][count]["failed"] for count in "12"] == [0, 0]


def test_beyond_capacity_all_is_answered_or_refused_and_health_is_told(short):
    assert short["overload"]["failed"] == 0
    assert set(short["overload"]["statuses"]) <= {"200", "503"}
    assert short["overload"]["health_failed"] == 0


def test_half_open_clients_fail_nobody_else(short):
    assert short["attack"]["attacked"]["failed"] == 0


def test_a_killed_worker_is_replaced_and_counted(short):
    assert short["killed"]["counted"] == 1
    assert short["killed"]["seconds"] < 20


def test_memory_does_not_run_away(short):
    assert short["soak"]["growth_mb"] < 20
    assert short["soak"]["failed"] == 0


def test_the_page_can_be_written_from_any_record(short):
    serving = tool("make_serving")
    assert serving.page(short).count("|") > 100
    assert serving.figure(short).axes


def test_the_page_is_what_the_kept_record_gives():
    serving = tool("make_serving")
    record = json.loads(serving.RECORD.read_text(encoding="utf-8"))
    assert serving.PAGE.read_text(encoding="utf-8") == serving.page(record), "run tools/make_serving.py"
    assert serving.FIGURE.is_file()
