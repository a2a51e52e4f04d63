"""Learning more than the last layer: it ends with the best round, goes on after any end, and answers at once."""

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace

import numpy as np
import pytest
from support.built_homes import built_home
from support.own_pictures import CLASSES, write_folder
from support.project import run_cli, trained_or_skip

pytest.importorskip("torch")
pytest.importorskip("sklearn", reason="needs the extra: training")

from resnet18_lab.inference.registry import open_engine
from resnet18_lab.preprocessing.decode import decode
from resnet18_lab.preprocessing.transform import preprocess
from resnet18_lab.training import finetune as finetuning
from resnet18_lab.training.depths import is_beyond, learn
from resnet18_lab.training.material import Recipe
from resnet18_lab.training.photos import read_photos
from resnet18_lab.training.split import groups_of, split
from resnet18_lab.weights.find import find_weights

pytestmark = pytest.mark.slow
FORMATS = ("onnx-fp32", "onnx-int8-static", "onnx-embedding")
PATIENCE = 120.0
LAYER4 = ("--depth", "layer4", "--epochs", "2")


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    return write_folder(tmp_path_factory.mktemp("photos"), range(16))


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    return built_home(tmp_path_factory, trained_or_skip(), *FORMATS)


@pytest.fixture(autouse=True)
def _home(home, monkeypatch):
    monkeypatch.setenv("RESNET18_LAB_HOME", str(home))


def command(photos, name, *more):
    return ("finetune", str(photos), "--name", name, "--weights", trained_or_skip().name, *more)


def begun(home, photos, name, *more):
    """A run that has written a checkpoint after its first round or later, as a process."""
    process = subprocess.Popen(
        [sys.executable, "-m", "resnet18_lab", *command(photos, name, *more)], stderr=subprocess.PIPE, text=True,
        stdout=subprocess.DEVNULL, env={**os.environ, "RESNET18_LAB_HOME": str(home)},
    )  # fmt: skip
    lines = []
    deadline = time.monotonic() + PATIENCE
    for line in process.stderr:
        lines.append(line)
        if "round 1:" in line:
            return process
        assert time.monotonic() < deadline
    raise AssertionError("".join(lines))


@pytest.fixture(scope="module")
def cut(home, photos):
    """A model whose run was interrupted, gone on with, killed, and gone on with again."""
    process = begun(home, photos, "cut", *LAYER4)
    process.send_signal(signal.SIGINT)
    assert process.wait(PATIENCE) == 130
    card = json.loads((home / "models" / "cut" / "card.json").read_text(encoding="utf-8"))
    assert card["recipe"]["finished"] is False  # the best so far is there, and answers
    again = run_cli(*command(photos, "cut", *LAYER4), home=home)
    assert again.returncode == 2
    assert "There is an unfinished run of cut; add --resume" in again.stderr
    process = begun(home, photos, "cut", *LAYER4, "--resume")
    process.kill()
    process.wait()
    other = run_cli(*command(photos, "cut", *LAYER4, "--balance", "--seed", "1", "--resume"), home=home)
    assert other.returncode == 2
    assert "of another run" in other.stderr
    done = run_cli(*command(photos, "cut", *LAYER4, "--resume"), home=home)
    assert done.returncode == 0, done.stderr
    return home / "models" / "cut"


def test_a_run_interrupted_and_killed_ends_with_the_weights_of_one_that_was_not(cut, home, photos):
    from safetensors.numpy import load_file

    result, *_ = learned(photos, depth="layer4", epochs=2)
    weights = load_file(cut / "weights.safetensors")
    assert set(weights) == set(result.deep.state)
    for name, values in result.deep.state.items():
        np.testing.assert_array_equal(weights[name], values, err_msg=name)
    assert not (home / "runs" / "finetune-cut").exists()


def test_its_card_tells_the_rounds_and_what_chose_among_them(cut):
    card = json.loads((cut / "card.json").read_text(encoding="utf-8"))
    recipe = card["recipe"]
    assert (recipe["depth"], recipe["finished"]) == ("layer4", True)
    assert [one["epoch"] for one in recipe["curve"]] == [0, 1, 2]
    assert recipe["curve"][0]["loss"] is None
    assert max(one["hits"] for one in recipe["curve"]) <= recipe["chosen_by"]
    assert card["results"]["top1"]["share"] > 0.6
    parts = [line.split(",")[3] for line in (cut / "split.csv").read_text().splitlines()[1:]]
    assert parts.count("chosen by") == recipe["chosen_by"] > 0
    assert "| round |" in (cut / "card.md").read_text(encoding="utf-8")


def test_all_engines_answer_as_torch_does(cut, tmp_path):
    unseen = write_folder(tmp_path / "unseen", range(100, 102))
    batch = np.concatenate([preprocess(decode(path)) for path in sorted(unseen.rglob("*.png"))])
    with open_engine("eager", weights="cut") as eager:
        expected = eager.run(batch)
    for name, allowed in (("onnxruntime-fp32", 1e-4), ("onnxruntime-int8", 0.3)):
        with open_engine(name, weights="cut") as engine:
            assert np.abs(engine.run(batch) - expected).max() <= allowed * np.abs(expected).max(), name
            assert [label.en for label in engine.labels] == list(CLASSES)


def test_its_int8_file_was_calibrated_on_pictures_it_learned_from(cut, home):
    (folder,) = (home / "artifacts").glob("cut-*")
    manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    entry = next(entry for name, entry in manifest["files"].items() if "int8" in name)
    learned = {line.split(",")[1] for line in (cut / "split.csv").read_text().splitlines() if ",learned," in line}
    assert set(entry["calibration"]["pictures_sha256"]) <= learned


def learned(photos, **how):
    """What ``learn`` gives for the photos, without the files that are built of it."""
    recipe = Recipe("inner", **how)
    parent = find_weights(trained_or_skip().name)
    material = finetuning._material(read_photos(photos), parent, lambda *_: None)
    groups = groups_of(material.examples, material.features)
    parts = split(material.examples, groups, 0.2, 0)
    told = []
    result = learn(
        recipe, parent, material, parts, resume=False, notify=told.append, progress=lambda *_: None
    )  # fmt: skip
    return result, parts, told


def test_all_of_it_learns_at_another_size_and_what_is_judged_stays_unseen(photos):
    result, parts, _ = learned(photos, depth="all", size=64, epochs=1)
    assert result.depth == "all"
    assert not set(parts.judged) & {*result.known, *result.chosen_by}
    assert result.material.features.shape == (48, 512)
    logits = result.head.logits(result.material.features[result.chosen_by])
    hits = (logits.argmax(axis=1) == result.material.labels(result.chosen_by)).sum()
    assert hits >= len(result.chosen_by) / 2
    assert result.threshold > 0


def test_so_many_minutes_end_a_run(photos):
    result, *_ = learned(photos, depth="layer4", minutes=0.02)
    assert result.deep.finished
    assert result.deep.curve[-1]["seconds"] >= 0.02 * 60
    assert result.deep.curve[-1]["loss"] is not None


def test_auto_takes_the_head_where_there_is_little_to_learn_from(photos):
    result, _, told = learned(photos, depth="auto")
    assert result.depth == "head"
    assert any("fewer than 50: head" in line for line in told)


@pytest.mark.parametrize(("won", "lost", "of", "beyond"), [(30, 5, 300, True), (6, 5, 300, False), (0, 0, 9, False)])
def test_one_is_better_only_beyond_the_paired_interval(won, lost, of, beyond):
    assert is_beyond(won, lost, of) is beyond


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--epochs", "3"), "give --depth as well"),
        (("--depth", "layer4", "--size", "128"), "--size is for --depth all"),
        (("--depth", "body"), "There is no depth 'body'"),
        (("--resume",), "There is no run of never to resume with --depth head"),
        (("--depth", "layer4", "--resume"), "There is no run of never to resume with --depth layer4"),
    ],
)
def test_settings_that_do_not_belong_together_are_one_line(home, photos, options, words):
    done = run_cli(*command(photos, "never", *options), home=home)
    assert done.returncode == 2
    assert words in done.stderr
    assert not (home / "models" / "never").exists()


def test_a_network_without_a_last_stage_is_told_so(photos):
    from resnet18_lab.base.networks import NETWORKS
    from resnet18_lab.training.depths import ParameterError, check_depth

    parent = replace(find_weights(trained_or_skip().name), network=NETWORKS["efficientnet-lite0"])
    with pytest.raises(ParameterError, match="EfficientNet-Lite0 has no layer4; give --depth head or all"):
        check_depth(Recipe("x", depth="layer4"), parent)
