"""What one run of a notebook records: header, conclusions, and why some are withheld."""

import json
import os
import subprocess
import sys
import time
from contextlib import ExitStack, contextmanager

import pytest

from resnet18_lab.base.conclusion import Conclusion
from resnet18_lab.base.errors import LabError, ParameterError
from resnet18_lab.base.machine import cpu_model
from resnet18_lab.base.proc import machine_time
from resnet18_lab.benchmark.kept_records import ENVELOPE, read_record
from resnet18_lab.course.lesson import Lesson

SPIN = "import sys\nprint('spins', flush=True)\nwhile True: pass"


def a_lesson(folder="", **parameters):
    values = {"weights": "auto", "rounds": 15, "results_dir": str(folder), **parameters}
    return Lesson("06_preprocessing", {**values, "__annotations__": dict.fromkeys(values, str), "other": 1})


@contextmanager
def a_spinner(*, of_ours):
    """A process that keeps a core busy: a child of this one, or one that is nobody's child any more."""
    command = [sys.executable, "-c", SPIN]
    if of_ours:
        process = subprocess.Popen(command, stdout=subprocess.PIPE)
        process.stdout.readline()
        number = process.pid
    else:
        nowhere = f"stdout={subprocess.DEVNULL}, stderr={subprocess.DEVNULL}"  # or the pipe to us would stay open
        script = f"import subprocess; print(subprocess.Popen({command!r}, {nowhere}).pid)"
        number = int(subprocess.run([sys.executable, "-c", script], capture_output=True, check=True).stdout)
    try:
        yield
    finally:
        os.kill(number, 9)
        if of_ours:
            process.wait()


def test_the_header_holds_parameters_profile_and_machine_and_numbers_stay_numbers(tmp_path, monkeypatch):
    lesson = a_lesson(tmp_path)
    said = lesson.say(Conclusion("a", "A is so."), Conclusion("b", "B is so.", "others were busy"))
    assert said == "A is so.\nToo noisy to say here (b): others were busy."
    assert lesson.write({"rate": 2.5, "also": [1]}) == "also, rate"
    text = json.loads((tmp_path / "06_preprocessing.json").read_text(encoding="utf-8"))
    assert tuple(text)[: len(ENVELOPE)] == ENVELOPE
    assert text["parameters"] == {"weights": "auto", "rounds": 15, "results_dir": str(tmp_path)}
    assert text["environment"]["cpu"] == cpu_model()
    found = read_record(tmp_path / "06_preprocessing.json")
    assert found["rate"] == 2.5
    assert [row["withheld"] for row in found["conclusions"]] == ["", "others were busy"]
    assert found["profile"] == "fast"
    monkeypatch.setenv("RESNET18_LAB_PROFILE", "full")
    a_lesson(tmp_path).write({})
    assert read_record(tmp_path / "06_preprocessing.json")["profile"] == "full"


def test_a_lesson_begins_after_its_parameters():
    with pytest.raises(ParameterError, match="run it from the top"):
        Lesson("06_preprocessing", {})


def test_results_go_beside_the_notebook_where_no_folder_is_named(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("RESNET18_LAB_HOME", raising=False)
    assert a_lesson().folder == tmp_path / "results"
    monkeypatch.setenv("RESNET18_LAB_HOME", str(tmp_path / "own"))
    (tmp_path / "own").mkdir()
    assert a_lesson().folder == tmp_path / "own" / "results"
    monkeypatch.setattr("resnet18_lab.course.lesson.os.access", lambda place, _: place == tmp_path)
    assert a_lesson().folder == tmp_path / "results"
    monkeypatch.setattr("resnet18_lab.course.lesson.os.access", lambda *_: False)
    with pytest.raises(LabError, match="copy the notebooks"):
        _ = a_lesson().folder


def test_weights_and_machine_are_named():
    assert cpu_model() in a_lesson().where("distilled", trained=True)
    assert "UNTRAINED" in a_lesson().where("untrained", trained=False)


@pytest.mark.skipif(machine_time() is None, reason="needs /proc/stat")
def test_what_others_take_of_the_cores_is_noise_and_what_the_lesson_starts_is_not():
    with ExitStack() as others:
        for _ in range(os.cpu_count()):
            others.enter_context(a_spinner(of_ours=False))
        with a_lesson().measured() as part:
            time.sleep(1)
    assert "of the cores' time" in part.noise
    with a_lesson().measured() as busy, a_spinner(of_ours=True):
        time.sleep(1)
    with a_lesson().measured() as idle:
        time.sleep(1)
    if idle.noise == "":  # a test run has neighbours: only what is quiet without the child can show that it is its own
        assert busy.noise == ""
