"""What the results of notebooks 01 and 02 must say: published numbers, and answers computed here in another way.

The other way is torchvision's: its resizing, its normalising, its names of the classes and torch's softmax.
Each message begins with a word by which the tests of the tests know what was found.
"""

from functools import lru_cache
from typing import Any

import torch
from PIL import Image, ImageOps
from torchvision.models import ResNet18_Weights

from resnet18_lab.base.samples import Sample, load_samples
from resnet18_lab.model.network import load_model

FIELDS = {"conv1": 7, "maxpool": 11, "layer1": 43, "layer2": 99, "layer3": 211, "layer4": 435}
STAGE_MACS = {
    "stem": 112 * 112 * 64 * 3 * 7 * 7,
    "layer1": 4 * 56 * 56 * 64 * 64 * 9,
    "layer2": 28 * 28 * 128 * (64 * 9 + 64 + 3 * 128 * 9),
    "layer3": 14 * 14 * 256 * (128 * 9 + 128 + 3 * 256 * 9),
    "layer4": 7 * 7 * 512 * (256 * 9 + 256 + 3 * 512 * 9),
    "head": 512 * 1000,
}
ANSWERED = ("camera.jpg", "cat.jpg", "coffee.jpg", "coffee_portrait.jpg")
"""Photographs that the weights of the catalogue all answer right."""
NEAR = 0.02
"""Most that a share of the softmax may be off: a crop is within one grey level of torchvision's."""
ROUNDING = 5e-6
"""Most that folded logits may be off, of the largest; forgetting ε costs 1.7e-5, ten times float32's rounding."""


def check_architecture(result: dict[str, Any]) -> None:
    """AssertionError where the results of notebook 01 are not those of a right ResNet-18."""
    counted = {name: row["counted"] for name, row in result["totals"].items()}
    assert counted == {"parameters": 11_689_512, "GMACs": 1.814, "MB": 46.8}, f"totals: {counted}"
    assert list(result["layers_counted"].values()) == [20, 17, 3, 1, 18], f"layers: {result['layers_counted']}"
    macs = {stage["stage"]: stage["macs"] for stage in result["stages"]}
    assert macs == STAGE_MACS, f"macs: {macs}"
    assert result["receptive_field"] == FIELDS, f"fields: {result['receptive_field']}"
    within = result["gradient_within"]["pixels"]
    assert all(0 < side < FIELDS[name] for name, side in within.items()), f"gradient within: {within}"
    assert result["folding"]["relative"] <= ROUNDING, f"folding: {result['folding']['relative']}"
    _check_cuts(result)


def _check_cuts(result: dict[str, Any]) -> None:
    """What cutting changes stands behind the cut, what it cannot change before it."""
    whole, cut = (result["signal"][which]["rms"] for which in ("whole", "cut"))
    assert whole["stem"] == cut["stem"], "cut: no block stands before the stem's end"
    assert all(abs(whole[name] / cut[name] - 1) > 1e-3 for name in whole if name != "stem"), f"cut: nothing, {cut}"
    gradient = result["gradient"]
    last, first = (gradient["cut"][name] / gradient["whole"][name] for name in ("layer4.1", "stem"))
    assert abs(last - 1) < 1e-3, f"gradient: {last} behind the last block, where nothing is cut"
    assert abs(first - 1) > 1e-3, f"gradient: {first} at the stem, as if nothing were cut"
    if result["weights"] == "untrained":
        return
    likeness = {which: signal["likeness"]["layer4.1"] for which, signal in result["signal"].items()}
    assert likeness["cut"] > likeness["whole"] + 0.2, f"cut: the photographs stay apart, {likeness}"
    kept = result["answers_kept"]
    assert kept["all_cut"] <= kept["of"] // 4, f"cut: {kept['all_cut']} of {kept['of']} answers are kept"
    assert kept["all_cut"] < max(kept["one_cut"].values()), f"cut: one costs more than all, {kept}"
    assert min(kept["one_cut"].values()) <= kept["of"] // 2, f"cut: no block alone is missed, {kept}"


def check_classification(result: dict[str, Any]) -> None:
    """AssertionError where the results of notebook 02 are not those of a right way from picture to name."""
    categories = ResNet18_Weights.IMAGENET1K_V1.meta["categories"]
    rows = {row["file"]: row for row in result["samples"]}
    for row in rows.values():
        for best in row["predictions"]:
            named = best["en"]
            assert named == categories[best["index"]], f"names: {best['index']} is called {named!r} in {row['file']}"
    weights = result["engine"]["weights"]
    expected = shares(weights)
    for file, of_file in expected.items():
        for best in rows[file]["predictions"]:
            own, other = best["score"], of_file[best["index"]]
            assert abs(own - other) <= NEAR, f"scores: {file}, class {best['index']}: {own:.3f}, not {other:.3f}"
    if weights != "untrained":
        _check_answers(rows, result["mistakes"])
        heat = result["grad_cam"]
        assert heat["hot"] > max(heat["cold"], 0), f"grad-cam: hot {heat['hot']:.2f}, cold {heat['cold']:.2f}"


def _check_answers(rows: dict[str, Any], mistakes: dict[str, Any]) -> None:
    """The right answers of trained weights, and what the mistakes do to them."""
    wrong = [file for file in ANSWERED if rows[file]["verdict"] != "right"]
    assert not wrong, f"answers: {wrong} are not right"
    assert rows["camera.jpg"]["predictions"][0]["wnid"] == "n04485082", "answers: the camera stands on no tripod"
    for file, ways in mistakes.items():
        first = rows[file]["predictions"][0]
        assert ways["right"][0] == first["index"], f"mistakes: {file} has two right answers"
        assert abs(ways["right"][1] - first["score"]) <= 1e-3, f"mistakes: {file} has two scores"
        assert ways["BGR"] != ways["right"], f"mistakes: swapped colours change nothing in {file}"
        turned = ways["EXIF ignored"] != ways["right"]
        assert turned == (file == "coffee_portrait.jpg"), f"mistakes: {file} is the one that lies on its side"


@lru_cache
def shares(weights: str) -> dict[str, list[float]]:
    """All 1,000 shares of each sample by file name, by torchvision's own transforms; the one with an alpha channel is left out."""
    module, prepare = load_model(weights).module, ResNet18_Weights.IMAGENET1K_V1.transforms()
    with torch.inference_mode():
        return {
            sample.path.name: torch.softmax(module(prepare(_upright(sample))[None]).double(), dim=1)[0].tolist()
            for sample in load_samples()
            if sample.path.suffix == ".jpg"
        }


def _upright(sample: Sample) -> Image.Image:
    with Image.open(sample.path) as picture:
        return ImageOps.exif_transpose(picture).convert("RGB")
