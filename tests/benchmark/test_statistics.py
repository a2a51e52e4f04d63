import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from resnet18_lab.benchmark import statistics
from resnet18_lab.benchmark.results import formatting

REPEATS = 1000
TRUTH = 0.010  # seconds


def synthetic(random, *, starts, samples, noise=0.03, drift=0.0, outliers=0.0, slow_starts=0.0, slowed=1.3):
    """Samples of process starts around a known typical value: each start is a little off, each sample more.

    ``drift`` rises or falls from start to start, and passes the truth at a random moment; ``outliers``
    hit single samples, ``slow_starts`` all samples of a start.
    """
    found = []
    sign, phase = random.choice((-1, 1)), random.random()
    for number in range(starts):
        shift = sign * drift * (number / max(starts - 1, 1) - phase)
        centre = TRUTH * np.exp(random.normal(0, noise) + shift)
        centre *= slowed if random.random() < slow_starts else 1
        values = centre * np.exp(random.normal(0, 0.05, samples))
        values[random.random(samples) < outliers] *= 3
        found.append(values.tolist())
    return found


def coverage(**kinds):
    random = np.random.default_rng(0)
    hits = 0
    for _ in range(REPEATS):
        found = statistics.interval(synthetic(random, starts=5, samples=100, **kinds))
        hits += found.low <= TRUTH <= found.high
    return hits / REPEATS


def pooled_coverage(noises, **kinds):
    """Of rows with two starts each, over all of them: the noisier ones lend to the quieter, and the other way round."""
    random = np.random.default_rng(1)
    hits = 0
    for number in range(REPEATS):
        rows = [synthetic(random, starts=2, samples=20, noise=noise, **kinds) for noise in noises]
        found = statistics.interval(rows[number % len(rows)], statistics.pooled_spread(rows))
        hits += found.low <= TRUTH <= found.high
    return hits / REPEATS


def test_the_interval_holds_the_truth_as_often_as_it_says():
    assert 0.93 <= coverage() <= 0.97


@pytest.mark.parametrize("drift", [0.03, 0.05, 0.08])
def test_the_interval_stands_drift_and_outliers(drift):
    assert coverage(drift=drift, outliers=0.05) >= 0.90


@pytest.mark.parametrize("slowed", [1.1, 1.3, 3])
def test_the_interval_stands_starts_that_are_slow_as_a_whole(slowed):
    assert coverage(drift=0.03, outliers=0.05, slow_starts=0.05, slowed=slowed) >= 0.90


def test_two_starts_use_the_spread_of_all_configurations():
    assert 0.93 <= pooled_coverage([0.03] * 8) <= 0.97


@pytest.mark.parametrize("drift", [0.0, 0.03, 0.05])
def test_the_pooled_spread_stands_rows_of_unequal_noise_and_drift(drift):
    noises = [0.01, 0.015, 0.02, 0.03, 0.03, 0.04, 0.055, 0.075]
    assert pooled_coverage(noises, drift=drift) >= 0.90
    assert pooled_coverage(noises, drift=drift, slow_starts=0.05) >= 0.90


def test_a_single_start_tells_no_upper_bound():
    assert statistics.interval([[0.01, 0.011]]).high == float("inf")


@given(st.lists(st.lists(st.floats(1e-6, 10), min_size=1, max_size=20), min_size=4, max_size=8))
def test_the_value_lies_in_its_interval(starts):
    found = statistics.interval(starts)
    assert found.low <= found.value <= found.high


def test_quantiles_are_given_only_where_samples_can_tell_them():
    assert set(statistics.quantiles([1.0] * 10)) == {"p25", "p50", "p75", "p90"}
    assert "p95" in statistics.quantiles([1.0] * 20)
    assert "p99" in statistics.quantiles([1.0] * 1000)


@pytest.mark.parametrize(
    ("half", "places"),
    [(3.2, 0), (0.4, 1), (0.03, 2), (0.096, 1), (0.0, 1), (float("inf"), 1), (208, -2), (13, -1), (99.6, -2)],
)
def test_figures_are_rounded_to_what_the_interval_supports(half, places):
    assert statistics.decimals(half) == places


@pytest.mark.parametrize(
    ("value", "half", "cell", "alone"),
    [(1.368, 0.208, "1400 ± 200", "1400"), (0.350, 0.013, "350 ± 10", "350"), (0.0103, 0.0009, "10.3 ± 0.9", "10.3"),
     (0.0398, 0.012, "40 ± 10", "40"), (0.0101, float("inf"), "10.1 ± ?", "10")],
)  # fmt: skip
def test_a_cell_shows_no_digit_that_the_spread_does_not_support(value, half, cell, alone):
    interval = statistics.Interval(value, value - half, value + half)
    assert formatting.shown(interval) == cell
    assert formatting.supported(interval, 1e3) == alone


def test_the_interval_of_a_ratio_holds_the_true_ratio():
    random = np.random.default_rng(2)
    hits = 0
    for _ in range(REPEATS):
        one, other = (statistics.interval(synthetic(random, starts=5, samples=30)) for _ in range(2))
        ratio = one.over(other)
        hits += ratio.low <= 1 <= ratio.high
    assert hits / REPEATS >= 0.95


def test_a_ratio_to_something_unknown_is_unknown():
    known, unknown = statistics.Interval(2, 1.9, 2.1), statistics.Interval(1, 0.0, float("inf"))
    assert known.over(unknown) == statistics.Interval(2, 0.0, float("inf"))
    assert known.over(known).value == 1


def test_overlap_is_symmetric():
    one, other = statistics.Interval(1, 0.9, 1.1), statistics.Interval(1.3, 1.2, 1.4)
    assert not one.overlaps(other)
    assert not other.overlaps(one)
    assert one.overlaps(statistics.Interval(1.15, 1.05, 1.2))


def test_student_points_are_the_tables():
    assert statistics.t_95(1) == pytest.approx(12.706)
    assert statistics.t_95(60) == pytest.approx(2.000, abs=2e-3)
