import csv
import io
import json
import os
import shutil
import signal
import subprocess
import sys

import pytest
from support.bulk_pictures import command, ended
from support.project import run_cli, samples_dir, trained_or_skip

from resnet18_lab import __version__
from resnet18_lab.base.samples import load_samples
from resnet18_lab.base.text import as_cell, from_cell
from resnet18_lab.cli import rendering
from resnet18_lab.cli.main import main
from resnet18_lab.inference.csv_rows import columns

CAT = samples_dir() / "cat.jpg"


@pytest.fixture
def classify(untrained_home):
    def run(*arguments, **options):
        return run_cli("classify", *arguments, "--weights", "untrained", home=untrained_home, **options)

    return run


def test_version_and_help_with_examples():
    assert run_cli("--version").stdout.strip() == f"resnet18-lab {__version__}"
    for arguments in (
        [],
        ["classify"],
        ["build"],
        ["report"],
        ["inspect"],
        ["evaluate"],
        ["doctor"],
        ["labels"],
        ["weights"],
    ):
        done = run_cli(*arguments, "--help", env={"COLUMNS": "200"})
        assert done.returncode == 0
        assert "Examples:" in done.stdout


def test_json_on_stdout_is_an_array_and_messages_go_to_stderr(classify):
    done = classify(CAT, samples_dir() / "coffee.jpg", "--format", "json", "--top-k", 2)
    assert done.returncode == 0
    answers = json.loads(done.stdout)
    assert [answer["file"] for answer in answers] == [str(CAT), str(samples_dir() / "coffee.jpg")]
    assert all(len(answer["predictions"]) == 2 for answer in answers)
    assert "onnxruntime-fp32" in done.stderr
    assert "UNTRAINED" in done.stderr


def test_csv_has_a_row_a_picture_in_the_columns_of_every_csv(classify, tmp_path):
    (row,) = csv.DictReader(io.StringIO(classify(CAT, "--format", "csv").stdout))
    assert list(row) == columns(3, ("en", "zh"))
    assert row["backend"] == "onnxruntime-fp32"
    assert len(row["sha256"]) == 64
    classify(CAT, "--output", tmp_path / "file.csv")
    with (tmp_path / "file.csv").open(encoding="utf-8", newline="") as file:
        assert list(csv.DictReader(file)) == [row]


def test_a_folder_gives_its_pictures_in_order_and_no_other_files(classify):
    answers = json.loads(classify(samples_dir(), "--format", "json").stdout)
    assert [answer["file"] for answer in answers] == [str(sample.path) for sample in load_samples()]


def test_one_bad_file_is_an_error_object_and_the_rest_go_on(classify, tmp_path):
    bad = tmp_path / "bad.png"
    bad.write_bytes(b"")
    done = classify(bad, CAT, "--format", "json")
    assert done.returncode == 1
    first, second = json.loads(done.stdout)
    assert first["error"]["code"] == "empty_file"
    assert second["predictions"]
    assert "1 of 2" in done.stderr


def test_the_table_names_classes_with_bars_and_errors_with_codes(classify, tmp_path):
    done = classify(CAT, tmp_path / "missing.png", env={"COLUMNS": "160"})
    assert "file_not_found" in done.stdout
    assert done.stdout.count("n0") == 3


@pytest.mark.parametrize("score", [0.0, 0.5, 1.0])
def test_a_bar_is_as_long_as_its_score(score):
    assert len(rendering.bar(score).rstrip()) == round(20 * score)
    assert len(rendering.bar(score)) == 20


@pytest.mark.parametrize("name", ["=cmd|'x'!A0.png", "+1.png", "-1.png", "@a.png"])
def test_names_that_a_spreadsheet_would_run_are_quoted_in_csv(name):
    assert as_cell(name) == "'" + name
    assert from_cell(as_cell(name)) == name


def test_names_with_newlines_and_bad_bytes_stay_on_one_line(classify, tmp_path):
    odd = os.fsencode(tmp_path) + b"/new\nline \xff.jpg"
    shutil.copy(CAT, odd)
    for output_format in ("table", "json", "csv"):
        done = classify(os.fsdecode(odd), "--format", output_format, env={"COLUMNS": "300"})
        assert done.returncode == 0, done.stderr
    assert "new\\x0aline" in classify(os.fsdecode(odd), "--format", "csv").stdout


def test_torch_is_not_imported(untrained_home):
    code = (
        "import sys; from resnet18_lab.cli.main import main; sys.argv[1:] = ['classify', sys.argv[1], '--weights', 'untrained'];"
        "assert main() == 0; bad = {'torch', 'torchvision', 'pandas', 'matplotlib', 'pydantic', 'resnet18_lab.bulk.answer_cache', 'resnet18_lab.bulk.run'} & set(sys.modules); assert not bad, bad"
    )
    environment = {**os.environ, "RESNET18_LAB_HOME": str(untrained_home)}
    subprocess.run(
        [sys.executable, "-c", code, str(CAT)], env=environment, check=True, timeout=120, capture_output=True
    )


def test_a_missing_artifact_says_which_command_makes_it(tmp_path):
    done = run_cli("classify", CAT, "--weights", "untrained", home=tmp_path)
    assert done.returncode == 2
    assert "resnet18-lab build" in done.stderr
    assert "Traceback" not in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


@pytest.mark.slow
def test_build_flag_makes_missing_artifacts(tmp_path):
    done = run_cli(
        "classify",
        CAT,
        "--weights",
        "untrained",
        "--backend",
        "onnxruntime-fp32",
        "--build",
        "-f",
        "json",
        home=tmp_path,
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)[0]["predictions"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--backend", "onnxruntim-fp32"], "Did you mean onnxruntime-fp32"),
        (["--threads", "0"], "1 to 256"),
        (["--top-k", "0"], "1 to 1000"),
        (["--top-k", "1001"], "1 to 1000"),
    ],
)
def test_a_wrong_option_is_one_line_and_exit_2(classify, arguments, words):
    done = classify(CAT, *arguments)
    assert done.returncode == 2
    assert words in done.stderr
    assert "Traceback" not in done.stderr


def test_a_folder_without_pictures_says_what_was_looked_for(classify, tmp_path):
    done = classify(tmp_path)
    assert done.returncode == 1
    assert "no pictures" in done.stderr
    assert ".webp" in done.stderr


def test_a_closed_pipe_prints_no_traceback(untrained_home):
    process = command(untrained_home, "classify", samples_dir(), "-k", "1000", "-f", "csv")
    process.stdout.readline()
    process.stdout.close()
    process.wait(timeout=120)
    assert b"Traceback" not in process.stderr.read()


def test_ctrl_c_ends_with_one_line(untrained_home, tmp_path):
    for number in range(300):
        os.link(
            shutil.copy(CAT, tmp_path / "0000.jpg") if number == 0 else tmp_path / "0000.jpg",
            tmp_path / f"{number + 1:04}.jpg",
        )
    process = command(untrained_home, "classify", tmp_path, "-f", "json")
    assert process.stderr.readline().startswith(b"engine:")
    process.send_signal(signal.SIGINT)
    _, said = ended(process)
    assert process.returncode == 130
    assert said.strip().splitlines()[-1] == b"resnet18-lab: interrupted"
    assert b"Traceback" not in said


def test_ctrl_c_while_a_class_is_made_by_an_import_is_an_interrupt_too(monkeypatch, capsys):
    class Interrupting:
        def __set_name__(self, owner, name):
            raise KeyboardInterrupt

    def app(**_options):
        type("Made", (), {"field": Interrupting()})  # Python makes a RuntimeError of it

    monkeypatch.setattr("resnet18_lab.cli.main.app", app)
    monkeypatch.setenv("PYTHONSAFEPATH", "")  # the command line sets it for its children: here it is undone at the end
    monkeypatch.setattr(sys, "path", list(sys.path))
    assert main() == 130
    assert capsys.readouterr().err == "resnet18-lab: interrupted\n"


@pytest.mark.slow
def test_trained_weights_recognise_cat_espresso_and_tripod(trained_home):
    name = trained_or_skip().name
    files = {sample.path.name: sample for sample in load_samples()}
    chosen = [files[file] for file in ("cat.jpg", "coffee.jpg", "camera.jpg")]
    done = run_cli("classify", *[sample.path for sample in chosen], "--weights", name, "-f", "json", home=trained_home)
    assert done.returncode == 0, done.stderr
    for sample, answer in zip(chosen, json.loads(done.stdout), strict=True):
        assert answer["predictions"][0]["index"] in sample.acceptable, answer


def test_weights_list_names_every_entry_and_verify_and_path_answer(tmp_path):
    listed = run_cli("weights", "list", home=tmp_path, env={"COLUMNS": "200"})
    assert listed.returncode == 0, listed.stderr
    for name in ("official", "compact", "compact-large"):
        assert name in listed.stdout


def test_weights_path_prints_the_path_alone(tmp_path):
    file = trained_or_skip()
    done = run_cli("weights", "path", file.name, home=tmp_path)
    assert done.stdout.strip() == str(file.path)


def test_weights_verify_says_verified(tmp_path):
    file = trained_or_skip()
    done = run_cli("weights", "verify", file.name, home=tmp_path)
    assert done.returncode == 0
    assert file.sha256 in done.stdout


def test_weights_fetch_offline_is_one_clear_line(tmp_path):
    done = run_cli("weights", "fetch", "official", home=tmp_path, env={"RESNET18_LAB_OFFLINE": "1"})
    assert done.returncode == 2
    assert "RESNET18_LAB_OFFLINE" in done.stderr
    assert "Traceback" not in done.stderr
