"""What times and answers of ways to prepare a picture allow to say."""

import pandas as pd

from resnet18_lab.base.conclusion import Conclusion
from resnet18_lab.benchmark.record import Record
from resnet18_lab.benchmark.results.formatting import intervals_of
from resnet18_lab.inference.metrics import TOLD_APART, mcnemar


def largest_stage(record: Record, noise: str) -> Conclusion:
    """Which stage takes longest, and its share of the whole; of the default picture."""
    row = next(row for row in record.of("stages") if row.results)
    names = list(row.results[0]["parts"])
    spans = {
        name: intervals_of([row], lambda result, name=name: result["parts"][name])[row.configuration.key()]  # type: ignore[misc]
        for name in names
    }
    first, second = sorted(names, key=lambda name: -spans[name].value)[:2]
    share = spans[first].value / sum(span.value for span in spans.values())
    said = f"The largest stage is {first}: {share:.0%} of the time of one picture."
    if spans[first].overlaps(spans[second]):
        said = f"{first} and {second} are the largest stages, too near to say which."
    return Conclusion("largest stage", said).unless(noise)


def compared(times: pd.DataFrame, way: str, other: str, noise: str) -> Conclusion:
    """What one way takes of another's time; a difference where the quartiles of the rounds lie apart."""
    one, two = times.loc[way], times.loc[other]
    said = f"{way} takes {one['ms'] / two['ms']:.2f} × the time of {other}"
    apart = one["to"] < two["from"] or two["to"] < one["from"]
    end = "" if apart else ": no difference shown, the quartiles of the rounds overlap"
    return Conclusion(f"{way}, {other}", f"{said}{end}.").unless(noise)


def growth(by_size: pd.DataFrame, noise: str) -> list[Conclusion]:
    """How each way's time grows from the smallest picture to the largest; medians, of pictures this far apart."""
    small, large = by_size.index[0], by_size.index[-1]
    return [
        Conclusion(
            f"growth, {way}",
            f"{way}: {times.iloc[-1] / times.iloc[0]:.0f} × the time for {large / small:.0f} × the pixels.",
        ).unless(noise)
        for way, times in by_size.items()
    ]


def worth(table: pd.DataFrame, least: float, noise: str) -> Conclusion:
    """Whether the second row of times is worth having in place of the first.

    It must save the share ``least``, and its upper quartile lie under the lower one of the first.
    """
    before, after = table.iloc[0], table.iloc[1]
    saving = 1 - after["ms"] / before["ms"]
    clear = after["to"] < before["from"]
    verdict = "worth having" if saving >= least and clear else "not worth a second graph to build, check and keep"
    said = f"{table.index[1]}: {saving:+.1%} of the time saved{'' if clear else ' (within the noise)'}; {verdict}."
    return Conclusion("table of codes", said).unless(noise)


def answers(counted: pd.DataFrame, name: str = "answers") -> Conclusion:
    """Which ways' right answers are told apart from the reference's (the first row), on so many pictures."""
    reference, *ways = counted.index
    chances = {way: mcnemar(int(counted.loc[way, "lost"]), int(counted.loc[way, "won"])) for way in ways}
    apart = [f"{way} (p = {chance:.3f})" for way, chance in chances.items() if chance <= TOLD_APART]
    number = str(counted.loc[reference, "right"]).rsplit(" ", 1)[-1]
    told = ", ".join(apart) if apart else "no way"
    return Conclusion(name, f"On {number} pictures, right answers tell {told} apart from {reference}.")
