"""What the comparisons of quantized networks allow to say."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from resnet18_lab.base.conclusion import Conclusion
from resnet18_lab.benchmark.statistics import Interval, paired_ratio
from resnet18_lab.inference.metrics import TOLD_APART, wilson


def methods(record: Mapping[str, Any]) -> Conclusion:
    """How much nearer to float the kept method is than plain rounding, and whether right answers show it."""
    rows = {row["method"]: row for row in record["rows"]}
    plain, kept = record["rows"][0], rows[record["kept"]]
    tests = {name: row["evaluation"]["p"] for name, row in rows.items()}
    clear = ", ".join(name for name, p in tests.items() if p <= TOLD_APART)
    shown = f"right answers tell {clear} from float" if clear else "no method's right answers tell it from float"
    nearer = f"{plain['kl'] / kept['kl']:.1f} times nearer to float's than those of plain rounding"
    told = f"On {kept['evaluation']['of']} photographs {shown} (smallest p {min(tests.values()):.2f})."
    return Conclusion("methods", f"By divergence the kept method's answers are {nearer}. {told}")


def answer_of_layers(nearest: NDArray[np.float64], kept: NDArray[np.float64]) -> Conclusion:
    """Whether the kept method gives the better answer, by divergence from float, photograph by photograph.

    Both are mean divergences by photograph, of crops that neither was fitted to; the 95 % interval is over photographs.
    """
    ratio = paired_ratio(kept, nearest)
    said = (
        f"On {len(kept)} photographs that neither was fitted to, the kept method's answers are {ratio.value:.2f} times "
        f"as far from float's as those of the nearest code ({ratio.low:.2f} to {ratio.high:.2f})"
    )
    return Conclusion("rounding", f"{said}: no difference shown." if ratio.holds(1) else f"{said}.")


def speed(times: Mapping[str, Interval], ours: str, exact: str, noise: str) -> Conclusion:
    """What INT8 takes of float's time here."""
    ratio = times[ours].over(times[exact])
    said = f"INT8 takes {ratio.value:.2f} of float32's time here ({ratio.low:.2f} to {ratio.high:.2f}), one thread"
    if ratio.holds(1):
        return Conclusion("INT8 against float32", f"{said}: no difference shown.").unless(noise)
    verdict = "quicker" if ratio.high < 1 else "slower"
    return Conclusion("INT8 against float32", f"{said}: it is {verdict}.").unless(noise)


def stored(files: Mapping[str, Mapping[str, Any]]) -> Conclusion:
    """Right answers of weights stored in other ways, with their 95 % intervals."""
    shares = {name: wilson(row["top1"], row["of"]) for name, row in files.items()}
    parts = [f"{name} {one.hits} of {one.of} ({one.low:.0%} to {one.high:.0%})" for name, one in shares.items()]
    best = max(shares.values(), key=lambda one: one.share)
    told = [name for name, one in shares.items() if one.high < best.low]
    end = f"only {', '.join(told)} is told apart" if told else "the intervals overlap, so none is shown to be better"
    return Conclusion("stored weights", f"Right: {'; '.join(parts)}: {end}.")
