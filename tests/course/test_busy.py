"""A report made while others keep every core busy ends, and states nothing that its times cannot support."""

import os
import subprocess
import sys
from contextlib import contextmanager

import pytest
from support.notebook_lanes import NOTEBOOKS
from support.project import run_cli

from resnet18_lab.base.proc import machine_time
from resnet18_lab.benchmark.kept_records import read_record

HARD = os.environ.get("RESNET18_LAB_HARD") == "1"
CHOSEN = [path.stem for path in NOTEBOOKS]
COUNTED = ("counted shares", "signal", "need", "gradient, ", "mistakes", "rounding", "methods", "stored weights",
           "answers", "soft or hard", "more pictures", "depth")  # fmt: skip
"""Conclusions that rest on no time; every other one does."""
TIMED = {
    "01_architecture": {"shares of time", "folding"}, "03_conversion": {"quickest engine"},
    "04_quantization": {"INT8 against float32"},
    "05_thread_benchmark": {"threads, onnxruntime-int8", "four threads, onnxruntime-int8", "sessions"},
    "06_preprocessing": {"largest stage", "one resample, torchvision", "table of codes"}, "07_bulk": {"workers"},
    "08_serving": {"peak", "together", "from the cache", "beyond capacity"},
}  # fmt: skip
"""Conclusions that must be there, withheld."""


@contextmanager
def busy_cores():
    spinning = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(os.cpu_count())]
    try:
        yield
    finally:
        for process in spinning:
            process.kill()
            process.wait()


@pytest.mark.slow
@pytest.mark.timeout(7200)
@pytest.mark.skipif(not HARD, reason="done by `make notebooks-hard` (RESNET18_LAB_HARD=1)")
@pytest.mark.skipif(machine_time() is None, reason="needs /proc/stat to know what others do")
def test_a_report_on_a_busy_machine_ends_and_withholds_what_times_would_say(course_home, tmp_path):
    chosen = [part for name in CHOSEN for part in ("--notebook", name)]
    with busy_cores():
        done = run_cli("report", *chosen, "--output", tmp_path, home=course_home, timeout=7000)
    assert done.returncode == 0, done.stderr[-3000:]
    for name in CHOSEN:
        found = read_record(tmp_path / "results" / f"{name}.json")["conclusions"]
        timed = {row["name"]: row for row in found if not row["name"].startswith(COUNTED)}
        assert set(timed) >= TIMED.get(name, set()), name
        assert [row for row in timed.values() if not row["withheld"]] == [], name
        page = (tmp_path / f"{name}.html").read_text(encoding="utf-8")
        assert ("ran, noisy" in page) == bool(timed), name
    assert "ran, noisy" in (tmp_path / "index.html").read_text(encoding="utf-8")
