"""What runs before anything is installed."""

import ast
import json
import subprocess
import sys
from pathlib import Path

import pytest
from support.project import ROOT

from resnet18_lab import _bootstrap


def plan_of(*names):
    return {"install": [{"metadata": {"name": name}} for name in names]}


@pytest.mark.parametrize("name", ["nvidia-cudnn-cu13", "cuda-toolkit", "triton"])
def test_a_plan_with_gpu_packages_is_refused(name):
    with pytest.raises(_bootstrap.SetupError, match="CPU build of torch was not found"):
        _bootstrap.refuse_gpu_packages(plan_of("torch", name, "numpy"))


def test_a_plan_of_cpu_packages_is_accepted():
    _bootstrap.refuse_gpu_packages(plan_of("torch", "torchvision", "numpy"))


def test_it_needs_the_standard_library_alone():
    tree = ast.parse((ROOT / "resnet18_lab" / "_bootstrap.py").read_text(encoding="utf-8"))
    imported = {
        alias.name.split(".")[0] for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names
    }
    imported |= {node.module.split(".")[0] for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert imported <= set(sys.stdlib_module_names)


def test_setup_does_nothing_twice(tmp_path, monkeypatch):
    stamp = tmp_path / "stamp"
    python = tmp_path / "python"
    python.touch()
    monkeypatch.setattr(_bootstrap, "STAMP", stamp)
    monkeypatch.setattr(_bootstrap, "environment_python", lambda: python)
    assert not _bootstrap.is_up_to_date()
    stamp.write_text(_bootstrap.wanted_stamp(), encoding="ascii")
    assert _bootstrap.is_up_to_date()
    monkeypatch.setattr(_bootstrap, "_pip", lambda *_: pytest.fail("nothing was to be installed"))
    assert _bootstrap.run("setup", []) == 0


def test_the_environment_is_out_of_date_when_requirements_change(tmp_path, monkeypatch):
    stamp = tmp_path / "stamp"
    stamp.write_text(_bootstrap.wanted_stamp(), encoding="ascii")
    monkeypatch.setattr(_bootstrap, "STAMP", stamp)
    changed = tmp_path / "requirements.txt"
    changed.write_text("torch==9.9.9\n", encoding="utf-8")
    monkeypatch.setattr(_bootstrap, "REQUIREMENTS", changed)
    assert not _bootstrap.is_up_to_date()


def test_tests_install_what_only_they_need_and_once(tmp_path, monkeypatch):
    python = tmp_path / "python"
    python.touch()
    monkeypatch.setattr(_bootstrap, "environment_python", lambda: python)
    monkeypatch.setattr(_bootstrap, "TEST_STAMP", tmp_path / "stamp")
    monkeypatch.setattr(_bootstrap, "setup", lambda: None)
    installed = []
    monkeypatch.setattr(_bootstrap, "_pip", lambda *arguments: installed.append(arguments[-1]))
    _bootstrap.setup_tests()
    _bootstrap.setup_tests()
    assert installed == [str(_bootstrap.TEST_REQUIREMENTS)]


def test_a_failing_step_is_one_line_and_exit_2(monkeypatch, capfd):
    def refuse():
        raise _bootstrap.SetupError("no room")

    monkeypatch.setattr(_bootstrap, "setup", refuse)
    assert _bootstrap.run("setup", []) == 2
    assert capfd.readouterr().err == "setup: no room\n"


def test_torch_and_torchvision_are_pinned_as_a_pair():
    assert _bootstrap.pinned("torch") == "torch==2.13.0"
    assert _bootstrap.pinned("torchvision") == "torchvision==0.28.0"


def test_an_interpreter_without_packages_can_start_it():
    code = "import sys; sys.path.insert(0, '.'); import resnet18_lab.__main__"
    subprocess.run([sys.executable, "-I", "-S", "-c", code], cwd=ROOT, check=True, timeout=60)


def test_the_command_line_knows_every_task():
    from resnet18_lab.__main__ import TASKS

    assert set(TASKS) == set(_bootstrap.TASKS)


def test_make_help_names_exist_as_tasks():
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for task in _bootstrap.TASKS:
        assert f"\n{task}:" in makefile


def test_without_the_cpu_index_both_ways_on_are_named():
    with pytest.raises(_bootstrap.SetupError) as caught:
        _bootstrap.refuse_gpu_packages(plan_of("torch", "nvidia-cublas-cu12"))
    assert "TORCH=any" in str(caught.value)
    assert "5.6 GB" in str(caught.value)
    assert "-m pip install FILE.whl" in str(caught.value)


def test_any_build_is_taken_when_asked_for(monkeypatch):
    asked = []

    def pip(*arguments):
        asked.append(arguments)
        if "--report" in arguments:
            plan = Path(arguments[arguments.index("--report") + 1])
            plan.write_text(json.dumps(plan_of("torch", "nvidia-cublas-cu12")), encoding="utf-8")

    monkeypatch.setattr(_bootstrap, "_pip", pip)
    with pytest.raises(_bootstrap.SetupError):
        _bootstrap.install_torch()
    monkeypatch.setenv("TORCH", "any")
    _bootstrap.install_torch()
    assert any("--report" not in arguments for arguments in asked)
