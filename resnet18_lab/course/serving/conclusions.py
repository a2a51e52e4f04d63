"""What a service under load allows to say, as far as so many answers tell."""

from collections.abc import Sequence
from math import exp, sqrt

from resnet18_lab.base.conclusion import Conclusion
from resnet18_lab.benchmark.load import Load
from resnet18_lab.benchmark.statistics import Interval

_NORMAL_95 = 1.96
"""Two-sided 95 % point of the normal distribution."""


def answered(load: Load) -> Interval:
    """Answers a second, with the interval of a count that comes at random moments (Poisson)."""
    factor = exp(_NORMAL_95 / sqrt(max(1, len(load.milliseconds))))
    return Interval(load.answered, load.answered / factor, load.answered * factor)


def median_wait(load: Load) -> Interval:
    """The median time in ms with its interval by order statistics."""
    half = 50 * _NORMAL_95 / sqrt(max(1, len(load.milliseconds)))
    low, high = max(1, round(50 - half)), min(99, round(50 + half))
    return Interval(*(load.percentile(share) for share in (50, low, high)))


def gains(loads: Sequence[Load], noise: str) -> list[Conclusion]:
    """What taking pictures together and remembering them is worth at the highest load of all.

    Each mode is compared with the first one, in answers a second and in the median time.
    """
    most = max(load.offered for load in loads)
    first, *others = [load for load in loads if load.offered == most]
    found = []
    for load in others:
        rate, wait = answered(load).over(answered(first)), median_wait(first).over(median_wait(load))
        said = f"{load.mode}, at {most:.0f} offered a second: {_ratio(rate, 'the answers of ' + first.mode)}"
        found.append(Conclusion(load.mode, f"{said}; {first.mode} waits {_ratio(wait, 'as long at the median')}."))
    return [each.unless(noise) for each in found]


def beyond_capacity(loads: Sequence[Load], noise: str) -> Conclusion:
    """What a load above capacity does to the time of an answer, in the first mode."""
    own = [load for load in loads if load.mode == loads[0].mode]
    least, most = (function(own, key=lambda load: load.offered) for function in (min, max))
    wait = median_wait(most).over(median_wait(least))
    longer = f"an answer takes {_ratio(wait, 'as long')} at the median as with {least.offered:.0f}"
    said = f"{own[0].mode}: with {most.offered:.0f} offered a second {longer}."
    return Conclusion("beyond capacity", said).unless(noise)


def _ratio(ratio: Interval, of: str) -> str:
    said = f"{ratio.value:.2f} × {of} ({ratio.low:.2f} to {ratio.high:.2f})"
    return f"{said}, no difference shown" if ratio.holds(1) else said
