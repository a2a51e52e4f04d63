"""The service under load and attack, in small; the page of figures follows from its record."""

import os
import shutil
import subprocess
import sys

import pytest
from support.project import ROOT, tool

from resnet18_lab.benchmark.kept_records import read_record

TOOL = ROOT / "tools" / "records" / "serving.py"


@pytest.fixture(scope="module")
def short(tmp_path_factory, trained_or_untrained_home):
    pytest.importorskip("flask")
    target = tmp_path_factory.mktemp("load") / "serving.json"
    environment = {"RESNET18_LAB_HOME": str(trained_or_untrained_home)}
    done = subprocess.run(
        [sys.executable, str(TOOL), "--short", "--output", str(target)],
        env={**os.environ, **environment, "PYTHONSAFEPATH": ""}, capture_output=True, text=True, check=False, timeout=500,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return read_record(target)


pytestmark = pytest.mark.slow


def test_nothing_fails_below_capacity(short):
    for name in ("ours", "cached"):
        assert (short[name]["failed"], short[name]["refused"]) == (0, 0), name
    assert [short["workers"][count]["failed"] for count in "12"] == [0, 0]


def test_beyond_capacity_all_is_answered_or_refused_and_health_is_told(short):
    assert short["overload"]["failed"] == 0
    assert set(short["overload"]["statuses"]) <= {"200", "503"}
    assert short["overload"]["health_failed"] == 0


def test_clients_that_do_not_finish_fail_nobody_else(short):
    assert short["attack"]["attacked"]["failed"] == 0
    assert short["attack"]["health_failed"] == 0


def test_bad_inputs_are_all_refused(short):
    assert short["bad_inputs"]["requests"] > 100
    assert short["bad_inputs"]["not_refused"] == 0
    assert short["bad_inputs"]["growth_mb"] < 20


def test_a_killed_worker_is_replaced_and_counted(short):
    assert short["killed"]["counted"] == 1
    assert short["killed"]["seconds"] < 20


def test_dear_pictures_fail_nobody_else(short):
    assert short["hostile"]["failed"] == 0
    assert short["hostile"]["health_failed"] == 0
    assert "lost" not in short["hostile"]["hostile"]


@pytest.mark.parametrize("event", ["replaced", "ended"])
def test_signals_lose_no_request(short, event):
    assert short[event]["answered"] > 10
    assert short[event]["lost"] == 0


def test_memory_does_not_run_away(short):
    assert short["soak"]["growth_mb"] < 20
    assert short["soak"]["failed"] == 0


def test_the_page_can_be_written_from_any_record(short):
    serving = tool("pages/serving")
    assert serving.page(short).count("|") > 100
    assert serving.figure(short).axes


def test_only_a_full_run_on_photographs_is_written_over_the_kept_record(monkeypatch, tmp_path):
    monkeypatch.syspath_prepend(str(ROOT / "tools"))
    load = tool("records/serving")
    assert load.place_of(tmp_path, short=False) == load.RECORD
    assert load.RECORD not in (load.place_of(None, short=False), load.place_of(tmp_path, short=True))
    monkeypatch.setenv("RESNET18_LAB_IMAGES", str(tmp_path))
    assert load.classroom_pictures() == tmp_path
    (tmp_path / "imagenet-sample").mkdir()
    assert load.classroom_pictures() == tmp_path / "imagenet-sample"
    monkeypatch.setenv("RESNET18_LAB_IMAGES", str(tmp_path / "nothing"))
    with pytest.raises(SystemExit, match="RESNET18_LAB_IMAGES"):
        load.classroom_pictures()


def git(*arguments):
    return subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=False)


def test_the_kept_record_was_measured_at_a_commit_of_this_repository():
    if shutil.which("git") is None or git("rev-parse", "--is-shallow-repository").stdout.strip() != "false":
        pytest.skip("needs git and a clone with its history")
    record = read_record(tool("pages/serving").RECORD)
    for commit in (record["environment"]["git_commit"], record["soak"]["git_commit"]):
        sha = commit.partition("+")[0]
        assert git("cat-file", "-e", f"{sha}^{{commit}}").returncode == 0, f"{sha} is no commit here: run `make load`"


def test_the_page_is_what_the_kept_record_gives():
    serving = tool("pages/serving")
    record = read_record(serving.RECORD)
    assert serving.PAGE.read_text(encoding="utf-8") == serving.page(record), "run tools/pages/serving.py"
    assert serving.FIGURE.is_file()
