"""What the comparisons of quantized networks say, and what they leave open."""

import numpy as np

from resnet18_lab.benchmark.statistics import Interval
from resnet18_lab.course.quantization import conclusions, variants
from resnet18_lab.quantization import calibration


def method(name, kl, p):
    return {"method": name, "kl": kl, "evaluation": {"p": p, "of": 250}}


def test_the_methods_are_told_by_divergence_and_by_right_answers_only_where_these_tell():
    record = {"rows": [method("plain", 8e-3, 0.5), method("kept", 4e-3, 0.25)], "kept": "kept"}
    said = conclusions.methods(record).said
    assert "2.0 times nearer" in said
    assert "no method's right answers tell it from float (smallest p 0.25)" in said
    record["rows"][0]["evaluation"]["p"] = 0.01
    assert "right answers tell plain from float" in conclusions.methods(record).said


def test_the_answer_is_judged_photograph_by_photograph():
    nearest = np.array([0.010, 0.012, 0.009, 0.011])
    assert "0.50 times as far" in conclusions.answer_of_layers(nearest, nearest / 2 * [1, 1.01, 0.99, 1]).said
    assert "no difference shown" in conclusions.answer_of_layers(nearest, nearest * [2, 0.5, 1.5, 0.6]).said


def test_a_busy_machine_says_nothing_of_speed():
    times = {"ours": Interval(5.0, 4.9, 5.1), "float": Interval(15.0, 14.0, 16.0)}
    assert "0.33 of float32's time" in conclusions.speed(times, "ours", "float", "").said
    assert conclusions.speed(times, "ours", "float", "").said.endswith("it is quicker.")
    assert conclusions.speed(times, "ours", "float", "busy").withheld == "busy"
    wide = {"ours": Interval(5.0, 1.0, 25.0), "float": Interval(15.0, 14.0, 16.0)}
    assert "no difference shown" in conclusions.speed(wide, "ours", "float", "").said


def test_weights_whose_intervals_overlap_are_not_called_better():
    files = {"compact": {"top1": 192, "of": 250}, "compact-large": {"top1": 180, "of": 250}}
    assert "none is shown to be better" in conclusions.stored(files).said
    assert "only worse is told apart" in conclusions.stored({**files, "worse": {"top1": 90, "of": 250}}).said


def test_no_photograph_is_both_calibrated_on_and_compared_by():
    pictures = calibration.default_crops()
    fit, unseen, names = variants.apart(pictures)
    fitted = {source.name for source, crop in zip(pictures.sources, pictures.crops, strict=True)
              if any(np.array_equal(crop, one) for one in fit)}  # fmt: skip
    assert len(unseen) == len(names)
    assert not fitted & set(names)
    assert len(fit) == 3 * len(fitted)
    assert variants.by_photograph(np.arange(4.0), ["b", "b", "a", "a"]).tolist() == [0.5, 2.5]
