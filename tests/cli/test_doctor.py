import json
import os
import subprocess
import sys

import pytest
from support.project import run_cli

from resnet18_lab.base import machine
from resnet18_lab.cli import checkup
from resnet18_lab.cli.checkup import OK, PROBLEM, WARNING


def found(name, findings=None):
    return next(finding for finding in (findings or checkup.examine()) if finding.name.startswith(name))


@pytest.fixture(scope="module")
def findings():
    return checkup.examine()


@pytest.mark.parametrize(
    "name",
    ["Python", "torch and torchvision", "torchvision's operators", "onnxruntime", "onnx", "onnxscript", "CPU", "cores", "memory",
     "disk", "weights official", "weights compact", "artifact", "Jupyter kernel", "C++ compiler", "browser", "variables"],
)  # fmt: skip
def test_every_part_is_looked_at(name, findings):
    if name == "artifact" and any(finding.name == "artifacts" for finding in findings):
        return  # without weights there is one line for all artifacts
    if name.startswith("weights ") and os.environ.get("RESNET18_LAB_WEIGHTS") == "untrained":
        name = "weights"  # asked for by name: there is one line for all weights
    assert found(name, findings).state in (OK, WARNING)


def test_whatever_is_not_ok_says_what_to_do(findings):
    assert all(finding.remedy for finding in findings if finding.state != OK)


def test_json_is_an_array_of_findings_and_exit_0_without_problems(untrained_home):
    done = run_cli("doctor", "--json", home=untrained_home)
    rows = json.loads(done.stdout)
    assert set(rows[0]) == {"name", "state", "detail", "remedy"}
    assert done.returncode == int(any(row["state"] == PROBLEM for row in rows))


@pytest.mark.parametrize(
    ("package", "line"),
    [
        ("torch", "torch and torchvision"),
        ("onnxruntime", "onnxruntime"),
        ("numpy", "onnx"),
        ("jupyter_client", "Jupyter kernel"),
    ],
)
@pytest.mark.slow
def test_a_broken_package_is_a_problem_line_and_exit_1(package, line, tmp_path):
    (tmp_path / f"{package}.py").write_text("raise ImportError('half an installation')\n", encoding="utf-8")
    done = run_cli("doctor", "--json", home=tmp_path / "home", env={"PYTHONPATH": str(tmp_path)})
    row = next(row for row in json.loads(done.stdout) if row["name"] == line)
    assert row["state"] == PROBLEM
    assert "half an installation" in row["detail"]
    assert done.returncode == 1


@pytest.mark.slow
def test_a_package_that_kills_its_process_is_a_finding(tmp_path):
    (tmp_path / "onnxruntime.py").write_text("import os\nos.abort()\n", encoding="utf-8")
    done = run_cli("doctor", "--json", home=tmp_path / "home", env={"PYTHONPATH": str(tmp_path)})
    row = next(row for row in json.loads(done.stdout) if row["name"] == "onnxruntime")
    assert row["state"] == PROBLEM


def test_a_package_that_hangs_is_a_finding(monkeypatch):
    monkeypatch.setattr(checkup, "_IMPORT_TIMEOUT", 1)
    assert checkup.import_elsewhere("import time; time.sleep(60)") == (False, "no answer within 1 s")


def test_damaged_weights_are_a_problem(tmp_path, monkeypatch):
    (tmp_path / "resnet18_small_blocks.pth").write_bytes(b"half")
    monkeypatch.setenv("RESNET18_LAB_WEIGHTS", str(tmp_path))
    assert found("weights compact", list(checkup.check_weights())).state == PROBLEM


def test_no_weights_are_a_warning_that_names_the_command(tmp_path, monkeypatch):
    monkeypatch.setenv("RESNET18_LAB_WEIGHTS", str(tmp_path))
    rows = list(checkup.check_weights())
    assert rows[-1].state == WARNING
    assert "weights fetch" in rows[-1].remedy


def test_stale_artifacts_are_a_warning(untrained_home, monkeypatch):
    monkeypatch.setenv("RESNET18_LAB_HOME", str(untrained_home))
    monkeypatch.setenv("RESNET18_LAB_WEIGHTS", "untrained")
    assert found("artifact onnx-fp32", list(checkup.check_artifacts())).state == OK
    monkeypatch.setattr(
        "resnet18_lab.inference.artifacts.installed_versions", lambda packages: dict.fromkeys(packages, "0")
    )
    stale = found("artifact onnx-fp32", list(checkup.check_artifacts()))
    assert stale.state == WARNING
    assert "is stale" in stale.detail


@pytest.mark.parametrize(
    ("flags", "state"),
    [({}, WARNING), ({"avx2": True}, WARNING), ({"avx2": True, "avx512_vnni": True}, OK)],
)
def test_cpu_flags_decide_what_is_said_of_the_cpu(flags, state, monkeypatch):
    monkeypatch.setattr(checkup, "cpu_flags", lambda: {flag: flags.get(flag, False) for flag in machine.CPU_FLAGS})
    (finding,) = checkup.check_cpu()
    assert finding.state == state


def test_a_system_that_tells_no_flags_is_no_problem(monkeypatch):
    monkeypatch.setattr(checkup, "cpu_flags", lambda: None)
    (finding,) = checkup.check_cpu()
    assert finding.state == OK


def test_missing_programs_are_warnings(monkeypatch):
    monkeypatch.setattr("shutil.which", lambda _name: None)
    assert {finding.state for finding in checkup.check_programs()} == {WARNING}


def test_a_check_that_fails_is_itself_a_problem(monkeypatch):
    def check_everything():
        raise RuntimeError("broken")

    monkeypatch.setattr(checkup, "CHECKS", (check_everything,))
    (finding,) = checkup.examine()
    assert (finding.name, finding.state) == ("everything", PROBLEM)


def test_it_starts_without_numpy_pillow_and_torch():
    code = "import sys\nfor name in ('numpy', 'PIL', 'torch', 'onnxruntime'): sys.modules[name] = None\nimport resnet18_lab.cli.checkup"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60, env=dict(os.environ))


def test_in_an_environment_of_conda_the_remedies_are_condas(monkeypatch, tmp_path):
    (tmp_path / "conda-meta").mkdir()
    monkeypatch.setattr(sys, "prefix", str(tmp_path))
    monkeypatch.setattr(checkup, "import_elsewhere", lambda _: (False, "ModuleNotFoundError"))
    findings = [*checkup.check_python(), *checkup.check_torch(), *checkup.check_packages(), *checkup.check_kernel()]
    assert "(of conda)" in findings[0].detail
    remedies = [one.remedy for one in findings[1:]]
    assert all("conda env update --file environment.yml" in remedy for remedy in remedies)
    assert not any("make setup" in remedy for remedy in remedies)
