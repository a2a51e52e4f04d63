"""The notebooks run as tests, in two lanes of nbval: strict, and lax with chosen cells compared."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from support.notebook_checks import check_architecture, check_classification
from support.notebook_lanes import NOTEBOOKS, SMALLER, STRICT, run_lane, with_parameters
from support.project import ROOT, weights_or_skip

from resnet18_lab.benchmark.kept_records import read_record
from resnet18_lab.inference import labels


def check_conversion(result: dict) -> None:
    for name, parity in result["parity"].items():
        assert parity["relative"] <= (0.1 if "int8" in name else 1e-4), name
    assert set(result["parity"]) >= {"onnx-fp32", "onnx-int8-static", "torchscript"}
    assert "eager" in result["measured"]
    assert {row["take"] for row in result["decisions"].values()} <= set(result["measured"])


def check_quantization(result: dict) -> None:
    operators = result["operators"]
    assert operators["this project's INT8"] == {"QLinearAdd": 8, "QLinearConv": 20}
    assert operators["library defaults (S8S8)"]["Conv"] > 0, "the trap: half of it stays in float"
    assert operators["dynamic, torch (fc only)"]["float Conv2d"] == 20
    assert len(result["sensitivity"]) == len(result["noise_db"]["kept"]) == 21
    assert result["int8"]["reduce_range"] in (True, False)


def check_thread_benchmark(result: dict) -> None:
    assert result["starts"] >= 4
    said = {row["name"]: row["said"] for row in result["conclusions"] if not row["withheld"]}
    assert {row["name"] for row in result["conclusions"]} >= {"threads, onnxruntime-int8", "sessions"}
    assert "thread" in said.get("threads, onnxruntime-int8", "thread")
    assert all(row["low"] <= row["value"] <= row["high"] for row in result["latency_seconds"].values())


def check_preprocessing(result: dict) -> None:
    ways = result["accuracy"]["ways"]
    assert result["uint8"]["same"] is True
    assert ways["torchvision"]["same answer"] == 1
    assert ways["one resample"]["same answer"] == 1
    assert ways["one resample"]["cosine"] > 0.99
    assert ways["NumPy by hand"]["cosine"] < ways["one resample"]["cosine"], "it squashes"
    assert set(result["times_ms"]) == set(ways)


def check_bulk(result: dict) -> None:
    assert result["crash"]["same"] is True
    assert 0 < result["crash"]["kept"] <= result["crash"]["rows"]
    assert all(row["img/s"] > 0 for row in result["rates"])
    assert {"cat", "cat, encoded again"} in [{row["one"], row["other"]} for row in result["pairs"]]


def check_serving(result: dict) -> None:
    assert result["refusals"]["words"] == [415, "not_an_image"]
    assert result["refusals"]["21 MB"][0] == 413
    assert result["refusals"]["50,000 × 50,000 pixels"] == [413, "too_many_pixels"]
    refused = {load["mode"]: load["refused"] for load in result["loads"]}
    assert set(refused) == {"one at a time", "together", "from the cache", "room for eight"}
    assert refused["room for eight"] > 0
    assert sum(load["failed"] for load in result["loads"]) == 0


def check_distillation(result: dict) -> None:
    names = {student["name"] for student in result["students"]}
    assert {"soft", "hard", "T = 4", "16 px"} <= names
    assert all(0 <= student["held_out"] <= 1 and student["loss"] > 0 for student in result["students"])
    (worth,) = result["conclusions"]
    assert "nearer to the teacher" in worth["said"] or "seeds" in worth["withheld"]


def check_own_classes(result: dict) -> None:
    rows, auroc = result["right"], result["auroc"]
    assert rows["by hand"]["share"] > 0.5
    assert rows["copied alone, leaking"]["hits"] >= rows["copied alone, nothing leaks"]["hits"]
    assert auroc["distance of features"] > 0.9
    assert result["command"]["float"]["share"] > 0.5
    assert {conclusion["name"] for conclusion in result["conclusions"]} == {"more pictures", "depth"}


CHECKS = {
    "01_architecture": check_architecture, "02_classification": check_classification,
    "03_conversion": check_conversion, "04_quantization": check_quantization,
    "05_thread_benchmark": check_thread_benchmark, "06_preprocessing": check_preprocessing,
    "07_bulk": check_bulk, "08_serving": check_serving,
    "10_own_classes": check_own_classes, "11_distillation": check_distillation,
}  # fmt: skip


@pytest.mark.slow
@pytest.mark.timeout(1500)
@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_runs_and_its_compared_cells_agree(notebook, course_home, tmp_path):
    lane = "--nbval" if notebook.stem in STRICT else "--nbval-lax"
    copy = with_parameters(notebook, tmp_path, SMALLER.get(notebook.stem, {}))
    done = run_lane(copy, lane, {"RESNET18_LAB_HOME": str(course_home)})
    assert done.returncode == 0, done.stdout + done.stderr
    check = CHECKS.get(notebook.stem)
    if check:
        check(read_record(course_home / "results" / f"{notebook.stem}.json"))


def papermill(notebook: str, output: Path, *parameters: str, home: Path) -> None:
    """Plain papermill from the project's root, as README says."""
    command = [
        sys.executable,
        "-m",
        "papermill",
        f"notebooks/{notebook}.ipynb",
        str(output / "out.ipynb"),
        "--no-progress-bar",
    ]
    for parameter in parameters:
        command += ["-p", *parameter.split("=", 1)]
    environment = {**os.environ, "RESNET18_LAB_HOME": str(home)}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False, timeout=600)
    assert done.returncode == 0, done.stderr


@pytest.mark.slow
def test_plain_papermill_from_the_root_gives_right_answers(tmp_path, labelled_images, trained_home):
    weights_or_skip("compact")
    papermill(
        "02_classification",
        tmp_path,
        "weights=compact",
        f"results_dir={tmp_path}",
        f"images_dir={labelled_images}",
        home=trained_home,
    )
    record = read_record(tmp_path / "02_classification.json")
    verdicts = {row["file"]: row["verdict"] for row in record["samples"]}
    assert [verdicts[name] for name in ("cat.jpg", "coffee.jpg", "coffee_portrait.jpg", "camera.jpg")] == ["right"] * 4
    assert verdicts["astronaut.jpg"] == "no such class"
    assert abs(record["accuracy"]["top1"]["hits"] - 192) <= 1
    assert abs(record["accuracy"]["top5"]["hits"] - 231) <= 1


@pytest.mark.slow
def test_wrong_preprocessing_shows_what_the_notebook_teaches(tmp_path, trained_home):
    weights_or_skip("compact")
    papermill("02_classification", tmp_path, "weights=compact", f"results_dir={tmp_path}", home=trained_home)
    record = read_record(tmp_path / "02_classification.json")
    for name, answers in record["mistakes"].items():
        index, score = answers["0..255"]
        assert score > 0.95, (name, labels.by_index(index))
        assert index != answers["right"][0], name
