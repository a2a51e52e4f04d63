"""What notebook 11 calls: a small set, students, and sentences that their figures support."""

import numpy as np
import pytest

from resnet18_lab.course.distillation import experiment, figures, story
from resnet18_lab.course.distillation.experiment import SmallSet, Student
from resnet18_lab.inference.registry import open_engine


def a_set(count=64, classes=4):
    """Crops of one colour a class, of which a student can tell all."""
    random = np.random.default_rng(0)
    answers = np.arange(count) % classes
    crops = np.repeat(answers[:, None, None, None] * 60 + 20, 3, axis=3) * np.ones((1, 64, 64, 1), int)
    shares = np.full((count, classes), 0.1 / (classes - 1), np.float32)
    shares[np.arange(count), answers] = 0.9
    noise = random.integers(0, 10, crops.shape)
    return SmallSet((crops + noise).astype(np.uint8), shares, list(range(classes)), np.arange(count) % 4 != 3)


def student(name, seed, loss, agreement=(True,)):
    return Student(name, seed, 1.0, 0.5, loss, 1.0, np.asarray(agreement))


@pytest.mark.parametrize("settings", [{}, {"hard": True}, {"temperature": 2.0}, {"side": 16}])
@pytest.mark.slow
def test_a_student_learns_what_can_be_told_and_one_seed_gives_one_student(settings, monkeypatch):
    monkeypatch.setattr(experiment, "STEPS", 60)
    data = a_set()
    first, again = (experiment.learn(data, "x", seed=3, **settings) for _ in range(2))
    assert first.learned > 0.9
    assert first.held_out == again.held_out
    assert first.loss == again.loss


def test_targets_are_as_hard_or_soft_as_asked():
    data = a_set(8)
    assert experiment.targets_of(data, True, 1.0).max(axis=1).tolist() == [1.0] * 8
    soft, sharp = (experiment.targets_of(data, False, value) for value in (4.0, 0.5))
    assert soft.max() < 0.9 < sharp.max()
    np.testing.assert_allclose(soft.sum(axis=1), 1, rtol=1e-6)


def test_a_conclusion_is_drawn_only_where_the_interval_supports_it():
    clear = [student("soft", seed, 1.0 + seed / 100) for seed in range(3)]
    clear += [student("hard", seed, 2.0 + seed / 90) for seed in range(3)]
    assert str(experiment.worth(clear, "soft", "hard")).endswith("soft is nearer to the teacher.")
    noisy = [student("soft", seed, loss) for seed, loss in enumerate((1.0, 2.0, 1.5))]
    noisy += [student("hard", seed, loss) for seed, loss in enumerate((2.0, 1.0, 1.6))]
    assert "more seeds" in experiment.worth(noisy, "soft", "hard").withheld
    assert experiment.worth(noisy[:1] + noisy[3:4], "soft", "hard").withheld == "one seed decides nothing"


def test_the_parts_by_confidence_hold_every_held_out_crop():
    data = a_set()
    held = int((~data.learned).sum())
    table = experiment.by_confidence(data, [student("x", 0, 1.0, [True] * held)])
    assert table["crops"].sum() == held


def test_the_small_set_is_made_of_the_projects_photographs(trained_or_untrained_home, monkeypatch):
    monkeypatch.setenv("RESNET18_LAB_HOME", str(trained_or_untrained_home))
    (folder,) = (trained_or_untrained_home / "artifacts").iterdir()
    with open_engine("onnxruntime-fp32", weights=folder.name.rsplit("-", 1)[0]) as teacher:
        data = experiment.small_set(teacher, crops_each=2, kept=5)
    assert data.crops.shape[1:] == (64, 64, 3)
    assert len(data.classes) == 5
    np.testing.assert_allclose(data.probabilities.sum(axis=1), 1, rtol=1e-5)


def test_the_curve_and_the_story_hold_what_the_record_says():
    looks = [{"seconds": 0.0, "side": 64, "agreement": 0.0}, {"seconds": 60.0, "side": 96, "agreement": 0.5}]
    axes = figures.learning_curve(looks, "name").axes[0]
    assert axes.lines[0].get_ydata().tolist() == [0, 50]
    counts = {"top1": {"hits": 1, "of": 2}, "top5": {"hits": 2, "of": 2}}
    run = {"name": "a", "parameters": {"start": "random values"}, "seconds": 60.0, "views_seen": 5, "labelled": counts}
    table = story.runs_table({"labelled": counts, "runs": [run]})
    assert table.loc["a", "first answer right"] == "1 of 2"
