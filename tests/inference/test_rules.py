"""Rules rename, merge and reject answers, and a wrong one is named."""

import re

import numpy as np
import pytest
from support.project import ROOT

from resnet18_lab.base.errors import ParameterError
from resnet18_lab.inference.labels import Label, all_labels
from resnet18_lab.inference.rules import compiled

LABELS = tuple(Label(index, None, name, name) for index, name in enumerate(("cat", "dog", "tiger", "ship")))
SCORES = np.array([0.3, 0.35, 0.25, 0.1])


def applied(text, scores=SCORES, size=(300, 200), unknown=None):
    left, rejected = compiled(text, LABELS).apply(scores, LABELS, size, unknown)
    return [(label.en, round(score, 6)) for label, score in left], rejected


def test_no_rule_leaves_the_order_of_scores():
    left, rejected = applied('[[rule]]\nclasses = ["ship"]\nreject = "no ships"\n')
    assert left == [("dog", 0.35), ("cat", 0.3), ("tiger", 0.25), ("ship", 0.1)]
    assert rejected is None


def test_merged_classes_have_the_sum_and_one_name():
    left, _ = applied('[[rule]]\nclasses = ["cat", "tiger"]\nmerge = "felid"\n')
    assert left == [("felid", 0.55), ("dog", 0.35), ("ship", 0.1)]


def test_each_rule_sees_what_those_before_made():
    text = (
        '[[rule]]\nclasses = ["cat", "tiger"]\nmerge = "felid"\n[[rule]]\nclasses = ["felid"]\n{}\nreject = "unsure"\n'
    )
    assert applied(text.format("score_below = 0.6"))[1] == "unsure"
    assert applied(text.format("score_below = 0.5"))[1] is None
    renamed = text.format("").replace('reject = "unsure"', 'rename = "beast"')
    assert applied(renamed)[0][0] == ("beast", 0.55)


def test_a_merged_answer_keeps_the_index_of_its_likeliest_class_and_no_wnid():
    (best, score), *_ = compiled('[[rule]]\nclasses = ["tabby", "tiger cat"]\nmerge = "cat"\n', all_labels()).apply(
        np.eye(1000)[282] * 0.6 + np.eye(1000)[281] * 0.4, all_labels(), None, None
    )[0]
    assert (best.index, best.wnid, best.en, best.zh) == (282, None, "cat", "cat")
    assert score == pytest.approx(1)


@pytest.mark.parametrize(
    ("condition", "fits"),
    [
        ("score_below = 0.35", False), ("score_below = 0.36", True),
        ("score_above = 0.35", False), ("score_above = 0.34", True),
        ("shorter_than = 200", False), ("shorter_than = 201", True),
        ("unknown = true", True), ("unknown = false", False),
        ('classes = ["dog"]', True), ('classes = ["DOG"]', True), ('classes = ["cat"]', False),
        ('classes = ["dog"]\nscore_above = 0.9', False),
    ],
)  # fmt: skip
def test_conditions(condition, fits):
    _, rejected = applied(f'[[rule]]\n{condition}\nreject = "no"\n', unknown=True)
    assert rejected == ("no" if fits else None)


def test_what_is_not_known_fits_no_condition_on_it():
    text = '[[rule]]\n{}\nreject = "no"\n'
    assert applied(text.format("shorter_than = 1000"), size=None)[1] is None
    assert applied(text.format("unknown = false"), unknown=None)[1] is None


def test_a_merged_class_is_no_longer_called_by_its_members():
    text = '[[rule]]\nclasses = ["cat", "tiger"]\nmerge = "felid"\n[[rule]]\nclasses = ["cat"]\nreject = "cat"\n'
    assert applied(text, np.array([0.6, 0.1, 0.2, 0.1]))[1] is None


def test_each_class_of_a_rename_gets_the_name_whatever_its_rank():
    left, _ = applied('[[rule]]\nclasses = ["cat", "ship"]\nscore_below = 0.2\nrename = "thing"\n')
    assert left == [("dog", 0.35), ("cat", 0.3), ("tiger", 0.25), ("thing", 0.1)]


def test_rules_on_unknown_need_what_tells_it():
    rules = compiled('[[rule]]\nunknown = true\nreject = "no"\n', LABELS)
    rules.refuse_unknown(True)
    with pytest.raises(ParameterError, match="cannot be told here"):
        rules.refuse_unknown(False)


def test_the_example_of_readme_is_good_for_imagenet():
    example = re.search(r"```toml\n(\[\[rule\]\].*?)```", (ROOT / "README.md").read_text(encoding="utf-8"), re.DOTALL)
    assert len(compiled(example.group(1), all_labels()).rules) == 4


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[[rule]", "no TOML"),
        ("rule = 3", r"\[\[rule\]\] tables"),
        ("x = 1", r"\[\[rule\]\] tables"),
        ("", r"\[\[rule\]\] tables"),
        ('[[rule]]\nclasses = ["cat"]', "rule 1: give one of rename or merge or reject, not none"),
        ('[[rule]]\nreject = "a"\nrename = "b"', "not rename and reject"),
        ('[[rule]]\nreject = "a"\n[[rule]]\nrejects = "a"', "rule 2: There is no key 'rejects'. Did you mean reject"),
        ('[[rule]]\nclasses = ["dogg"]\nreject = "a"', "no class is called 'dogg'; did you mean 'dog'"),
        ('[[rule]]\nclasses = ["felid"]\nreject = "a"', "no class is called 'felid'"),
        ('[[rule]]\nclasses = "cat"\nreject = "a"', "classes is a list of names"),
        ('[[rule]]\nclasses = [1]\nreject = "a"', "classes is a list of names"),
        ('[[rule]]\nclasses = []\nreject = "a"', "classes is a list of names"),
        ("[[rule]]\nshorter_than = " + "1" * 5000, "no TOML"),
        ("[[rule]]\nclasses = " + "[" * 5000, "no TOML"),
        ('[[rule]]\nscore_below = 50\nreject = "a"', "score_below is a share from 0 to 1"),
        ('[[rule]]\nscore_below = nan\nreject = "a"', "score_below is a share from 0 to 1"),
        ('[[rule]]\nscore_below = true\nreject = "a"', "score_below is a share"),
        ('[[rule]]\nshorter_than = 0\nreject = "a"', "shorter_than is a number of pixels"),
        ('[[rule]]\nshorter_than = true\nreject = "a"', "shorter_than is a number of pixels"),
        ('[[rule]]\nunknown = 1\nreject = "a"', "unknown is true or false"),
        ('[[rule]]\nreject = ""', "reject is a text"),
        ('[[rule]]\nreject = "a\\nb"', "reject is a text"),
        ('[[rule]]\nmerge = "x"', "merge takes classes"),
        ('[[rule]]\nclasses = ["cat"]\nscore_below = 0.5\nmerge = "x"', "merge takes classes, and no scores"),
        ('[[rule]]\nrename = "x"', "rename takes classes"),
    ],
)  # fmt: skip
def test_a_wrong_file_is_one_line_that_names_the_rule(text, words):
    with pytest.raises(ParameterError, match=words) as caught:
        compiled(text, LABELS)
    assert "\n" not in str(caught.value)


def test_classes_that_share_a_name_want_the_wnid():
    with pytest.raises(ParameterError, match=r"two classes are called 'cardigan'; write n\d+ or n\d+"):
        compiled('[[rule]]\nclasses = ["cardigan"]\nreject = "a"', all_labels())
