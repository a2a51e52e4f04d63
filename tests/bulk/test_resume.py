"""Going on with a run: the same inputs, from the same place, and words that say what to do."""

import json
import os
import re
import subprocess
import sys
import time

import psutil
import pytest
from support.bulk_pictures import CAT, command, end, folder_of, rows_of, start_and_wait
from support.pictures import slow_bmp

from resnet18_lab.bulk import journal
from resnet18_lab.bulk.plan import WORKING_DIRECTORY


@pytest.fixture
def listed_and_killed(untrained_home, tmp_path):
    """The paths that stdin gave to a run that was killed, and its output."""
    output = tmp_path / "out.jsonl"
    paths = sorted(map(str, folder_of(tmp_path / "in", 60).iterdir()))
    (tmp_path / "list").write_text("\n".join(paths))
    with (tmp_path / "list").open() as stdin:
        end(start_and_wait(untrained_home, output, "-", stdin=stdin))
    return paths, output


def test_the_same_list_on_stdin_is_gone_on_with(classify, listed_and_killed):
    paths, output = listed_and_killed
    done = classify("-", "--output", output, "--resume", input="\n".join(paths))
    assert done.returncode == 0, done.stderr
    assert "from before" in done.stderr
    assert [row["file"] for row in rows_of(output)] == paths


def test_another_list_on_stdin_is_refused_and_nothing_lost(classify, listed_and_killed):
    paths, output = listed_and_killed
    kept = journal.journal_of(output).read_bytes()
    done = classify("-", "--output", output, "--resume", input="\n".join(paths[:-1]))
    assert done.returncode == 2
    assert "another list of paths" in done.stderr
    assert "go on with:" not in done.stderr
    assert journal.journal_of(output).read_bytes() == kept


def test_without_a_list_on_stdin_the_one_kept_is_used_and_that_is_said(classify, listed_and_killed):
    paths, output = listed_and_killed
    done = classify("-", "--output", output, "--resume", stdin=subprocess.DEVNULL)
    assert done.returncode == 0, done.stderr
    assert "going on with the 60 that were listed" in done.stderr
    assert [row["file"] for row in rows_of(output)] == paths


@pytest.mark.slow
def test_relative_paths_are_gone_on_with_only_from_the_same_folder(untrained_home, classify, tmp_path, monkeypatch):
    for place in ("here", "there"):
        folder_of(tmp_path / place / "in", 60)
    output = tmp_path / "out.csv"
    monkeypatch.chdir(tmp_path / "here")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(sys.path))
    end(start_and_wait(untrained_home, output, "in"))
    done = classify("in", "--output", output, "--resume", cwd=tmp_path / "there")
    assert done.returncode == 2
    assert f"begun with {WORKING_DIRECTORY}" in done.stderr
    assert classify("in", "--output", output, "--resume").returncode == 0


def test_absolute_paths_are_gone_on_with_from_anywhere(classify, interrupted, tmp_path):
    folder, output = interrupted
    assert WORKING_DIRECTORY not in journal.header(journal.journal_of(output))
    done = classify(folder, "--output", output, "--resume", cwd=tmp_path, env={"PYTHONPATH": os.pathsep.join(sys.path)})
    assert done.returncode == 0, done.stderr


def test_an_error_in_the_middle_says_how_to_go_on(untrained_home, tmp_path):
    folder, output = folder_of(tmp_path / "in", 200), tmp_path / "out.jsonl"
    process = start_and_wait(untrained_home, output, folder)
    while process.poll() is None:  # until it gives up starting others
        for worker in psutil.Process(process.pid).children():
            worker.kill()
        time.sleep(0.05)
    _, complaint = process.communicate(timeout=60)
    assert process.returncode == 2, complaint
    assert b"ended before it was ready" in complaint
    assert b"go on with: resnet18-lab classify" in complaint


def test_nothing_is_said_to_be_kept_when_nothing_was_begun(classify, tmp_path):
    (tmp_path / "file").touch()
    done = classify(CAT, "--output", tmp_path / "file" / "out.jsonl")
    assert done.returncode == 2
    assert "kept" not in done.stderr


@pytest.mark.parametrize("options", [["--output", "out.jsonl"], ["--format", "jsonl"], ["--format", "table"]])
def test_an_empty_folder_is_noted_and_no_success(classify, tmp_path, options):
    (tmp_path / "in").mkdir()
    done = classify(tmp_path / "in", *options, cwd=tmp_path, env={"PYTHONPATH": os.pathsep.join(sys.path)})
    assert done.returncode == 1
    assert f"no pictures in {tmp_path / 'in'}" in done.stderr


@pytest.mark.parametrize("options", [["--output", "out.jsonl"], ["--format", "jsonl"]])
def test_untrained_weights_engine_and_artifact_are_named(classify, tmp_path, options):
    done = classify(CAT, *options, cwd=tmp_path, env={"PYTHONPATH": os.pathsep.join(sys.path)})
    assert done.returncode == 0
    assert "UNTRAINED" in done.stderr
    assert re.search(r"engine: onnxruntime-fp32.* [0-9a-f]{12}", done.stderr)


@pytest.mark.skipif(os.name != "posix", reason="terminals are POSIX")
@pytest.mark.slow
def test_a_terminal_is_shown_rate_time_left_and_errors(untrained_home, tmp_path):
    import fcntl
    import pty
    import struct
    import termios

    folder = folder_of(tmp_path / "in", 200)
    (folder / "00000.jpg").unlink()
    (folder / "00000.jpg").write_bytes(b"no picture, and longer than a signature")
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 120, 0, 0))
    process = command(untrained_home, "classify", folder, "--output", tmp_path / "out.jsonl", stderr=theirs)
    os.close(theirs)
    shown = b""
    try:
        while piece := os.read(ours, 4096):
            shown += piece
    except OSError:
        pass  # what a terminal says when its other side is closed
    os.close(ours)
    assert process.wait(timeout=60) == 1
    process.stdout.close()
    text = shown.decode()
    assert re.search(r"\d+/200 \[\d\d:\d\d<\d\d:\d\d, +[\d.]+(picture/s|s/picture), errors=1\]", text), text
    assert "200/200" in text


def test_without_a_terminal_nothing_is_drawn(classify, tmp_path):
    folder = folder_of(tmp_path / "in", 30)
    done = classify(folder, "--output", tmp_path / "out.jsonl")
    assert "\r" not in done.stderr
    assert [line.split()[0] for line in done.stderr.splitlines()] == ["engine:", "UNTRAINED", "30"]


def test_a_folder_of_a_cluster_is_not_taken_for_a_file(classify, tmp_path):
    (tmp_path / "out.parquet").mkdir()
    done = classify(CAT, "--output", tmp_path / "out.parquet")
    assert done.returncode == 2
    assert "choose another --output" in done.stderr


def test_the_lock_is_gone_after_a_run_that_failed(classify, tmp_path):
    output = tmp_path / "out.jsonl"
    journal.journal_of(output).write_text(json.dumps({"run": {}}) + "\n")
    assert classify(CAT, "--output", output).returncode == 2
    assert not list(tmp_path.glob("*.lock.part"))


@pytest.mark.slow
def test_a_picture_that_is_too_dear_is_an_error_row_and_passed_when_the_run_goes_on(untrained_home, classify, tmp_path):
    folder, output = folder_of(tmp_path / "in", 60), tmp_path / "out.jsonl"
    (folder / "0.bmp").write_bytes(slow_bmp())
    process = start_and_wait(untrained_home, output, folder, "--decode-seconds", 0.3)
    end(process)
    done = classify(folder, "--output", output, "--resume", "--decode-seconds", 0.3)
    assert done.returncode == 1, done.stderr
    assert "from before" in done.stderr
    rows = rows_of(output)
    assert len(rows) == 61
    assert [row["error"]["code"] for row in rows if "error" in row] == ["image_too_costly"]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "before"), [("runtime", "onnxruntime 1.0"), ("resnet18_lab", "0.0.1"), ("runtime", None)]
)
def test_a_run_of_other_versions_is_not_gone_on_with_unnoticed(classify, interrupted, name, before):
    folder, output = interrupted
    part = journal.journal_of(output)
    head, _, rest = part.read_text(encoding="utf-8").partition("\n")
    run = json.loads(head)
    holder = run if name in run else next(value for value in run.values() if isinstance(value, dict) and name in value)
    holder.pop(name) if before is None else holder.update({name: before})
    part.write_text(f"{json.dumps(run)}\n{rest}", encoding="utf-8")
    done = classify(folder, "--output", output, "--resume")
    if before is None:  # a run of a version that did not say it
        assert done.returncode == 0, done.stderr
    else:
        assert done.returncode == 2
        assert f"begun with {name} {before}, not" in done.stderr
