"""What notebook 10 calls: a layer by hand that learns, a leak that shows, a trap that is one."""

from pathlib import Path

import numpy as np
import pytest

from resnet18_lab.course.own_classes import experiments, made_pictures
from resnet18_lab.course.own_classes.experiments import Curve, Data, auroc, by_hand, by_score, shares_table
from resnet18_lab.inference.metrics import wilson


def clouds(count=120, classes=3, width=16, spread=1.0, seed=0):
    """Features around a point a class."""
    random = np.random.default_rng(seed)
    labels = np.arange(count) % classes
    features = (random.normal(size=(classes, width))[labels] * 2 + spread * random.normal(size=(count, width))).astype(
        np.float32
    )
    positions = list(range(count))
    names = tuple(f"c{label}" for label in range(classes))
    return Data(
        names, [Path(str(at)) for at in positions], labels, features, np.arange(count), positions[30:], positions[:30]
    )


def test_softmax_regression_by_hand_learns_and_its_gradient_is_right():
    data = clouds()
    weight, bias, losses = by_hand(data.features, data.labels, steps=200, rate=0.3)
    assert losses[0] == pytest.approx(np.log(3), rel=1e-6)
    assert losses[-1] < 0.2
    assert ((data.features @ weight + bias).argmax(axis=1) == data.labels).mean() > 0.95
    one, *_ = by_hand(data.features, data.labels, steps=1, rate=1.0, ridge=0.0)
    slope = data.features.T @ (np.eye(3)[data.labels] - 1 / 3) / len(data.features)
    np.testing.assert_allclose(one, slope, atol=1e-6)


def test_a_curve_speaks_only_where_its_interval_does():
    assert Curve([2, 20], [[0.5, 0.52, 0.51], [0.9, 0.91, 0.92]]).gain().said.endswith("more pictures helped here.")
    assert Curve([2, 20], [[0.5, 0.9, 0.7], [0.6, 0.95, 0.75]]).gain().withheld
    table = Curve([2, 20], [[0.5, 0.52], [0.9, 0.91]]).table()
    assert list(table["draws"]) == [2, 2]


def test_more_pictures_of_noisy_clouds_help():
    pytest.importorskip("sklearn", reason="needs the extra: training")
    data = clouds(spread=4.0)
    curve = experiments.learning_curve(data, [2, 25], 3)
    assert np.mean(curve.accuracies[1]) > np.mean(curve.accuracies[0])


def test_auroc_is_the_chance_of_a_larger_value():
    assert auroc(np.array([0.0, 1.0]), np.array([2.0, 3.0])) == 1.0
    assert auroc(np.array([2.0, 3.0]), np.array([0.0, 1.0])) == 0.0
    assert auroc(np.array([1.0, 1.0]), np.array([1.0])) == 0.5


def test_tables_hold_every_judged_picture():
    pytest.importorskip("sklearn", reason="needs the extra: training")
    data = clouds()
    layer = experiments.fitted(data, data.learned)
    assert by_score(layer, data)["pictures"].sum() == len(data.judged)
    assert shares_table({"x": wilson(3, 4)}).loc["x", "right"] == "3 of 4"


def test_made_pictures_are_always_the_same_and_of_six_kinds(tmp_path):
    first, again = (np.asarray(made_pictures.picture("rings", 7, noise=100)) for _ in range(2))
    np.testing.assert_array_equal(first, again)
    folder = made_pictures.write_folder(tmp_path / "made", range(2))
    assert sorted(path.name for path in folder.iterdir()) == sorted(made_pictures.KINDS)
    assert len(list(folder.rglob("*.png"))) == 2 * len(made_pictures.KINDS)


def test_folded_norms_are_a_trap_and_measured_again_they_are_none():
    torch = pytest.importorskip("torch")
    from resnet18_lab.course.own_classes import norm_trap
    from resnet18_lab.model.network import load_model

    module = load_model("distilled").module
    torch.manual_seed(0)
    batch = torch.randn(8, 3, 96, 96)
    with torch.no_grad():
        expected = module(batch)
    table = norm_trap.trap(module, batch)
    assert table.loc["restored, evaluation mode", "same best class"] == "100%"
    assert float(table.loc["restored, training mode", "cosine of logits"]) > 0.99
    assert float(table.loc["folded, training mode", "cosine of logits"]) < 0.9
    with torch.no_grad():
        assert (module(batch) - expected).abs().max() < 1e-3 * expected.abs().max()
