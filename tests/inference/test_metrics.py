import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from resnet18_lab.inference import metrics


@pytest.mark.parametrize(
    ("hits", "of", "low", "high"),
    [(0, 10, 0.0, 0.2775), (5, 10, 0.2366, 0.7634), (10, 10, 0.7225, 1.0), (192, 250, 0.7119, 0.8162)],
)
def test_wilson_intervals_are_the_published_ones(hits, of, low, high):
    share = metrics.wilson(hits, of)
    assert (share.low, share.high) == pytest.approx((low, high), abs=1e-3)


@given(st.integers(0, 500), st.integers(1, 500))
def test_an_interval_holds_its_share_and_stays_within_0_and_1(hits, of):
    share = metrics.wilson(min(hits, of), of)
    assert 0 <= share.low <= share.share + 1e-12
    assert share.share - 1e-12 <= share.high <= 1


def test_no_pictures_give_an_interval_that_says_nothing():
    assert (metrics.wilson(0, 0).low, metrics.wilson(0, 0).high) == (0.0, 1.0)


@pytest.mark.parametrize(
    ("lost", "won", "p"), [(0, 0, 1.0), (5, 5, 1.0), (10, 0, 2 / 1024), (0, 6, 2 / 64), (12, 10, 0.8318)]
)
def test_mcnemar_is_the_exact_binomial_test(lost, won, p):
    assert metrics.mcnemar(lost, won) == pytest.approx(p, abs=1e-3)


def test_equal_logits_rank_by_index():
    assert metrics.ranked(np.zeros((1, 1000), np.float32), 3).tolist() == [[0, 1, 2]]


def test_flips_agreement_and_cosine_of_two_engines():
    right = np.eye(4, 1000, dtype=bool)  # picture i is of class i
    before = np.eye(4, 1000, dtype=np.float32)
    now = before.copy()
    now[0] = np.eye(1, 1000, 7)[0]  # lost
    before[1] = np.eye(1, 1000, 9)[0]  # won
    pair = metrics.paired(before, now, right)
    assert (pair.lost, pair.won, pair.agreement, pair.cosine) == (1, 1, 0.5, 0.5)


def test_the_same_logits_agree_wholly():
    logits = np.random.default_rng(0).normal(size=(20, 1000)).astype(np.float32)
    pair = metrics.paired(logits, logits, np.ones((20, 1000), bool))
    assert (pair.lost, pair.won, pair.p, pair.agreement) == (0, 0, 1.0, 1.0)
    assert pair.cosine == pytest.approx(1.0)


def test_calibration_error_is_the_gap_between_confidence_and_accuracy():
    confidence = np.array([0.9] * 10)
    assert metrics.calibration_error(confidence, np.array([True] * 9 + [False])) == pytest.approx(0.0)
    assert metrics.calibration_error(confidence, np.zeros(10, bool)) == pytest.approx(0.9)
    assert metrics.calibration_error(np.ones(4), np.ones(4, bool)) == pytest.approx(0.0)
