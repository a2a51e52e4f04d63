"""What runs before anything is installed."""

import ast
import subprocess
import sys

import pytest
from conftest import ROOT

from resnet18_lab import setup_tasks


def plan_of(*names):
    return {"install": [{"metadata": {"name": name}} for name in names]}


@pytest.mark.parametrize("name", ["nvidia-cudnn-cu13", "cuda-toolkit", "triton"])
def test_a_plan_with_gpu_packages_is_refused(name):
    with pytest.raises(setup_tasks.SetupError, match="CPU build of torch was not found"):
        setup_tasks.refuse_gpu_packages(plan_of("torch", name, "numpy"))


def test_a_plan_of_cpu_packages_is_accepted():
    setup_tasks.refuse_gpu_packages(plan_of("torch", "torchvision", "numpy"))


def test_it_needs_the_standard_library_alone():
    tree = ast.parse((ROOT / "resnet18_lab" / "setup_tasks.py").read_text(encoding="utf-8"))
    imported = {
        alias.name.split(".")[0] for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names
    }
    imported |= {node.module.split(".")[0] for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert imported <= set(sys.stdlib_module_names)


def test_setup_does_nothing_twice(tmp_path, monkeypatch):
    stamp = tmp_path / "stamp"
    python = tmp_path / "python"
    python.touch()
    monkeypatch.setattr(setup_tasks, "STAMP", stamp)
    monkeypatch.setattr(setup_tasks, "environment_python", lambda: python)
    assert not setup_tasks.is_up_to_date()
    stamp.write_text(setup_tasks._wanted_stamp(), encoding="ascii")
    assert setup_tasks.is_up_to_date()
    monkeypatch.setattr(setup_tasks, "_pip", lambda *_: pytest.fail("nothing was to be installed"))
    assert setup_tasks.run("setup", []) == 0


def test_the_environment_is_out_of_date_when_requirements_change(tmp_path, monkeypatch):
    stamp = tmp_path / "stamp"
    stamp.write_text(setup_tasks._wanted_stamp(), encoding="ascii")
    monkeypatch.setattr(setup_tasks, "STAMP", stamp)
    changed = tmp_path / "requirements.txt"
    changed.write_text("torch==9.9.9\n", encoding="utf-8")
    monkeypatch.setattr(setup_tasks, "REQUIREMENTS", changed)
    assert not setup_tasks.is_up_to_date()


def test_tests_install_what_only_they_need_and_once(tmp_path, monkeypatch):
    python = tmp_path / "python"
    python.touch()
    monkeypatch.setattr(setup_tasks, "environment_python", lambda: python)
    monkeypatch.setattr(setup_tasks, "TEST_STAMP", tmp_path / "stamp")
    monkeypatch.setattr(setup_tasks, "setup", lambda: None)
    installed = []
    monkeypatch.setattr(setup_tasks, "_pip", lambda *arguments: installed.append(arguments[-1]))
    setup_tasks.setup_tests()
    setup_tasks.setup_tests()
    assert installed == [str(setup_tasks.TEST_REQUIREMENTS)]


def test_a_failing_step_is_one_line_and_exit_2(monkeypatch, capfd):
    def refuse():
        raise setup_tasks.SetupError("no room")

    monkeypatch.setattr(setup_tasks, "setup", refuse)
    assert setup_tasks.run("setup", []) == 2
    assert capfd.readouterr().err == "setup: no room\n"


def test_torch_and_torchvision_are_pinned_as_a_pair():
    assert setup_tasks._pinned("torch") == "torch==2.13.0"
    assert setup_tasks._pinned("torchvision") == "torchvision==0.28.0"


def test_an_interpreter_without_packages_can_start_it():
    code = "import sys; sys.path.insert(0, '.'); import resnet18_lab.__main__"
    subprocess.run([sys.executable, "-I", "-S", "-c", code], cwd=ROOT, check=True, timeout=60)


def test_the_command_line_knows_every_task():
    from resnet18_lab.__main__ import TASKS

    assert set(TASKS) == set(setup_tasks.TASKS)


def test_make_help_names_exist_as_tasks():
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for task in setup_tasks.TASKS:
        assert f"\n{task}:" in makefile
