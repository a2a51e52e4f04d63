"""The systemd unit: what systemd itself says of it, and what the engines do under its harshest option."""

import os
import re
import shutil
import subprocess
import sys

import pytest
from support.deployed import DEPLOY, unit
from support.project import ROOT

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="systemd is for Linux")


def systemd_analyze(*arguments):
    if shutil.which("systemd-analyze") is None:
        pytest.skip("needs systemd-analyze: apt-get install systemd")
    done = subprocess.run(["systemd-analyze", *arguments], capture_output=True, text=True, check=False, timeout=60)
    if "--offline" in arguments[1] and re.search(r"unrecognized option|Unknown option", done.stderr):
        pytest.skip("needs systemd 250 or newer, whose systemd-analyze reads units offline")
    return done


def test_the_unit_is_exposed_to_little():
    done = systemd_analyze("security", "--offline=yes", str(DEPLOY / "resnet18-lab.service"))
    exposure = re.search(r"Overall exposure level for \S+: ([\d.]+)", done.stdout)
    assert exposure, done.stdout + done.stderr
    assert float(exposure[1]) <= 2.0


def test_systemd_knows_every_option_of_the_unit(tmp_path):
    text = (DEPLOY / "resnet18-lab.service").read_text(encoding="utf-8")
    changed = tmp_path / "resnet18-lab.service"
    changed.write_text(re.sub(r"ExecStart=\S+", f"ExecStart={sys.executable}", text), encoding="utf-8")
    done = systemd_analyze("verify", str(changed))
    assert done.returncode == 0, done.stderr
    assert "resnet18-lab.service" not in done.stderr


def test_the_unit_waits_for_ready_watches_the_parent_and_reloads_by_sighup():
    options = unit()
    assert options["Type"] == ["notify"]
    assert options["NotifyAccess"] == ["main"]
    assert int(options["WatchdogSec"][0]) >= 10
    assert options["ExecReload"] == ["kill -HUP $MAINPID"]


LOCKED = """
import ctypes, mmap, os, sys
libc = ctypes.CDLL(None, use_errno=True)
if libc.prctl(65, 1, 0, 0, 0):  # PR_SET_MDWE, PR_MDWE_REFUSE_EXEC_GAIN: what MemoryDenyWriteExecute= sets
    sys.exit(77)
try:
    mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
except PermissionError:
    os.execv(sys.executable, [sys.executable, "-m", "resnet18_lab", *sys.argv[1:]])
sys.exit("memory that is both written and run was given")
"""


def classify_locked(home, backend):
    """``classify`` in a process that gets no memory which is both written and run; skips where no kernel refuses it."""
    environment = {**os.environ, "RESNET18_LAB_HOME": str(home)}
    arguments = ["classify", "data/samples/cat.jpg", "--backend", backend, "--weights", "untrained", "--threads", "1"]
    done = subprocess.run(
        [sys.executable, "-c", LOCKED, *arguments], cwd=ROOT, env=environment, capture_output=True, text=True,
        check=False, timeout=120,
    )  # fmt: skip
    if done.returncode == 77:
        pytest.skip("needs Linux 6.3 or newer, whose kernel refuses such memory to a process that asks for it")
    return done


def test_onnx_runtime_works_without_memory_that_is_written_and_run_as_the_unit_has_it(untrained_home):
    assert unit()["MemoryDenyWriteExecute"] == ["yes"]
    done = classify_locked(untrained_home, "onnxruntime-fp32")
    assert done.returncode == 0, done.stderr


def test_openvino_needs_such_memory_as_the_unit_says(untrained_home):
    pytest.importorskip("openvino", reason="needs the extra: pip install 'resnet18-lab[openvino]'")
    done = classify_locked(untrained_home, "openvino-fp32")
    assert done.returncode != 0
    assert "cannot be loaded by OpenVINO" in done.stderr
    assert re.search(r"openvino-.*\n.*has to be no", (DEPLOY / "resnet18-lab.service").read_text(encoding="utf-8"))
