"""Every command with the wrong thing: one line that says what to do, no traceback, exit status 2 (or 1)."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from support.pictures import slow_bmp
from support.project import CLASSROOM, run_cli, samples_dir

CAT = str(samples_dir() / "cat.jpg")
USE = [
    (["clasify", CAT], "Did you mean 'classify'"),
    (["classify"], "Missing argument"),
    (["classify", CAT, "--format", "xml"], "'table', 'json', 'csv'"),
    (["classify", CAT, "--topk", "3"], "--top-k"),
    (["classify", CAT, "--top-k", "many"], "--top-k"),
    (["classify", CAT, "--lang", "fr"], "'en', 'zh', 'both'"),
    (["classify", CAT, "--weights", "oficial"], "Did you mean official"),
    (["classify", CAT, "--weights", "/nowhere/w.pth"], "weights list"),
    (["classify", CAT, "--backend", "onnx-runtime-fp32"], "Did you mean onnxruntime-fp32"),
    (["build", "--only", "onnx-fp23"], "Did you mean onnx-fp32"),
    (["report", "--notebook", "clasification"], "Did you mean 02_classification"),
    (["report", "--profile", "quick"], "fast, full"),
    (["report", "-p", "top_q=3"], "Did you mean top_k"),
    (["report", "-p", "top_k"], "name=value"),
    (["report", "-p", "top_k=many"], "of type int"),
    (["weights", "fetch", "compakt"], "Did you mean compact"),
    (["weights", "verify", "nothing-here.pth"], "weights list"),
    (["weights", "verify", "untrained"], "no file"),
    (["weights", "path", "compact-lrage"], "Did you mean compact-large"),
]


def one_line(done, words):
    said = done.stderr.strip()
    assert done.returncode == 2, said
    assert "Traceback" not in said
    assert len(said.splitlines()) == 1, said
    assert said.startswith("resnet18-lab: ")
    assert words in said


@pytest.mark.parametrize(
    ("arguments", "words"), USE, ids=lambda value: " ".join(value[:2]) if isinstance(value, list) else ""
)
def test_wrong_use_is_one_line_that_says_what_to_do(arguments, words, tmp_path):
    one_line(run_cli(*arguments, home=tmp_path), words)


@pytest.mark.parametrize("command", [["classify", CAT], ["build"], ["report"], ["weights", "path"]])
def test_a_variable_that_points_nowhere_is_named(command, tmp_path):
    done = run_cli(*command, home=tmp_path, env={"RESNET18_LAB_WEIGHTS": "/nowhere"})
    one_line(done, "RESNET18_LAB_WEIGHTS is /nowhere, which does not exist")


def test_half_a_weights_file_is_refused_by_its_size(tmp_path):
    half = tmp_path / "resnet18_small_blocks.pth"
    half.write_bytes(b"\0" * 1000)
    done = run_cli("classify", CAT, home=tmp_path, env={"RESNET18_LAB_WEIGHTS": str(half)})
    one_line(done, "1,669,921 bytes expected, 1,000 found")


def test_a_folder_where_a_weights_file_is_meant(tmp_path):
    one_line(run_cli("classify", CAT, "--weights", str(tmp_path), home=tmp_path), "is a folder")


@pytest.mark.slow
def test_a_dear_picture_ends_at_its_deadline(tmp_path):
    (tmp_path / "slow.bmp").write_bytes(slow_bmp())
    done = run_cli(
        "classify", tmp_path / "slow.bmp", CAT, "--weights", "untrained", "--decode-seconds", "0.2", "--format", "json",
        "--backend", "eager", home=tmp_path / "home",
    )  # fmt: skip
    assert done.returncode == 1
    slow, cat = json.loads(done.stdout)
    assert slow["error"]["code"] == "image_too_costly"
    assert "0.2 s of CPU time" in slow["error"]["message"]
    assert cat["predictions"]


def test_a_file_where_the_report_folder_is_meant(tmp_path, untrained_home):
    (tmp_path / "taken").touch()
    done = run_cli("report", "--weights", "untrained", "--output", tmp_path / "taken", home=untrained_home)
    one_line(done, "a file is where a folder is meant")


def test_a_home_that_cannot_be_made(tmp_path):
    (tmp_path / "taken").touch()
    done = run_cli("build", "--weights", "untrained", home=tmp_path / "taken" / "home")
    one_line(done, "a file is where a folder is meant")


@pytest.mark.skipif(os.name == "nt", reason="permissions are other things on Windows")
def test_a_home_without_permission(tmp_path):
    tmp_path.chmod(0o500)
    done = run_cli("build", "--weights", "untrained", home=tmp_path / "home", prefix=bound_by_permissions())
    one_line(done, "you may not write there")


def bound_by_permissions():
    """What to start a command with so that permissions hold for it even when root runs the tests."""
    if os.geteuid() != 0:
        return []
    if shutil.which("setpriv") is None:
        pytest.skip("root may write anywhere, and setpriv (util-linux), which takes that right away, is missing")
    return ["setpriv", "--bounding-set=-dac_override,-dac_read_search"]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full, a device that is always full")
@pytest.mark.parametrize("output_format", ["table", "json", "csv"])
def test_a_full_disk_under_stdout_is_one_line(output_format, untrained_home):
    with Path("/dev/full").open("w") as full:
        done = run_cli(
            "classify", CAT, "--weights", "untrained", "-f", output_format,
            home=untrained_home, capture_output=False, stdout=full, stderr=subprocess.PIPE,
        )  # fmt: skip
    assert done.returncode == 2
    assert done.stderr.strip().splitlines()[-1].startswith("resnet18-lab: no space left on the disk")
    assert "Traceback" not in done.stderr


@pytest.mark.slow
def test_a_disk_that_fills_during_a_build_leaves_no_file(tmp_path):
    code = (
        "import resource, signal, sys; signal.signal(signal.SIGXFSZ, signal.SIG_IGN);"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, 1_000_000));"
        "from resnet18_lab.cli.main import main; sys.argv[1:] = ['build', '--weights', 'untrained']; sys.exit(main())"
    )
    environment = {**os.environ, "RESNET18_LAB_HOME": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False, timeout=300
    )
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    (folder,) = (tmp_path / "artifacts").iterdir()
    assert [file.name for file in folder.iterdir()] == [".lock"]


@pytest.mark.parametrize("columns", ["20", "40", "80"])
def test_narrow_terminals_get_whole_names(columns, untrained_home):
    done = run_cli("classify", CAT, "--weights", "untrained", home=untrained_home, env={"COLUMNS": columns})
    assert done.returncode == 0
    assert all(len(line) <= int(columns) for line in done.stdout.splitlines())


def test_a_path_with_backslashes_is_turned_into_a_suggestion(untrained_home):
    done = run_cli(
        "classify",
        r"data\samples\cat.jpg",
        "--weights",
        "untrained",
        home=untrained_home,
        cwd=samples_dir().parent.parent,
    )
    assert done.returncode == 1
    assert "did you mean data/samples/cat.jpg?" in done.stderr


def test_an_ascii_terminal_gets_escapes_instead_of_a_crash(untrained_home):
    done = run_cli(
        "classify",
        CAT,
        "--weights",
        "untrained",
        "--lang",
        "zh",
        home=untrained_home,
        env={"PYTHONIOENCODING": "ascii"},
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("text", ["cardgan", "猫头鹰鹰"])
def test_a_search_that_finds_nothing_exits_1_and_suggests(text, tmp_path):
    done = run_cli("labels", text, home=tmp_path)
    assert done.returncode == 1
    assert f"no class matches '{text}'" in done.stderr


def test_labels_are_found_from_the_command_line(tmp_path):
    done = run_cli("labels", "n02123045", home=tmp_path)
    assert done.stdout.startswith("281  n02123045  tabby")


def test_the_classroom_folder_is_where_readme_says():
    from resnet18_lab.base import paths

    assert paths.classroom_weights_dir() == CLASSROOM / "weights"
