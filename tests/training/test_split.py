"""The split: the same whatever files are called, and nothing alike on both sides."""

import hashlib

import numpy as np
import pytest

from resnet18_lab.base.errors import ParameterError
from resnet18_lab.training.split import NEAR, Example, groups_of, split


def examples(count=60, classes=3, name="{}.jpg"):
    return [
        Example(name.format(number), hashlib.sha256(str(number).encode()).hexdigest(), number % classes)
        for number in range(count)
    ]


def features(count, seed=0, width=64):
    return np.random.default_rng(seed).normal(size=(count, width)).astype(np.float32)


def test_a_share_of_each_class_is_judged():
    some = examples()
    parts = split(some, groups_of(some, features(60)), 0.2, 0)
    assert sorted(parts.learned + parts.judged) == list(range(60))
    assert [sum(some[position].label == label for position in parts.judged) for label in range(3)] == [4, 4, 4]


def test_names_and_order_change_nothing_and_the_seed_does():
    some, others = examples(), examples(name="renamed-{}.png")[::-1]
    first = split(some, groups_of(some, features(60)), 0.2, 0)
    turned = split(others, groups_of(others, features(60)[::-1]), 0.2, 0)
    assert {some[position].sha256 for position in first.judged} == {
        others[position].sha256 for position in turned.judged
    }
    assert split(some, groups_of(some, features(60)), 0.2, 1).judged != first.judged


@pytest.mark.parametrize("seed", range(5))
def test_copies_near_copies_and_series_stay_on_one_side(seed):
    some, vectors = examples(), features(60)
    some[10] = Example("copy.jpg", some[0].sha256, some[0].label)
    vectors[20] = vectors[1] + 0.05 * vectors[2]
    assert vectors[20] @ vectors[1] / np.linalg.norm(vectors[20]) / np.linalg.norm(vectors[1]) > NEAR
    for number in (30, 31, 32, 33):
        some[number] = Example(f"tree_{number}.jpg", some[number].sha256, 0)
    groups = groups_of(some, vectors, r"^(\w+)_\d+")
    parts = split(some, groups, 0.3, seed)
    judged = set(parts.judged)
    for alike in ({0, 10}, {1, 20}, {30, 31, 32, 33}):
        assert len({groups[position] for position in alike}) == 1
        assert alike <= judged or not alike & judged


def test_of_a_given_split_what_is_alike_to_a_judged_picture_is_not_learned_from():
    some = examples()
    some[59] = Example("val/x.jpg", some[0].sha256, 0, held=True)
    parts = split(some, groups_of(some, features(60)), 0.2, 0)
    assert parts.judged == [59]
    assert parts.left_out == {0: "alike to val/x.jpg, which is judged"}
    assert 0 not in parts.learned


def test_a_wrong_pattern_is_one_line():
    with pytest.raises(ParameterError, match="is no regular expression"):
        groups_of(examples(), features(60), "(")
