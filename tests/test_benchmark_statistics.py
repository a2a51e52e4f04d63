import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from resnet18_lab.benchmark import statistics

REPEATS = 1000
TRUTH = 0.010  # seconds


def synthetic(random, *, starts, samples, drift=0.0, outliers=0.0):
    """Samples of process starts around a known typical value: each start is a little off, each sample more."""
    found = []
    for number in range(starts):
        shift = drift * (number / max(starts - 1, 1) - 0.5)
        centre = TRUTH * np.exp(random.normal(0, 0.03) + shift)
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


def test_the_interval_holds_the_truth_as_often_as_it_says():
    assert 0.93 <= coverage() <= 0.97


def test_the_interval_stands_drift_and_outliers():
    assert coverage(drift=0.03, outliers=0.05) >= 0.90


def test_two_starts_use_the_spread_of_all_configurations():
    random = np.random.default_rng(1)
    hits = 0
    for _ in range(REPEATS):
        configurations = [synthetic(random, starts=2, samples=20) for _ in range(8)]
        found = statistics.interval(configurations[0], statistics.pooled_spread(configurations))
        hits += found.low <= TRUTH <= found.high
    assert 0.93 <= hits / REPEATS <= 0.97


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


@pytest.mark.parametrize(("half", "places"), [(3.2, 0), (0.4, 1), (0.03, 2), (0.0, 1), (float("inf"), 1)])
def test_figures_are_rounded_to_what_the_interval_supports(half, places):
    assert statistics.decimals(half) == places


def test_overlap_is_symmetric():
    one, other = statistics.Interval(1, 0.9, 1.1), statistics.Interval(1.3, 1.2, 1.4)
    assert not one.overlaps(other)
    assert not other.overlaps(one)
    assert one.overlaps(statistics.Interval(1.15, 1.05, 1.2))


def test_student_points_are_the_tables():
    assert statistics.t_95(1) == pytest.approx(12.706)
    assert statistics.t_95(60) == pytest.approx(2.000, abs=2e-3)
