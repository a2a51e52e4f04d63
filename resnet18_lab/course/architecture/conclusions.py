"""What the experiments on skip connections allow to say, and where few pictures or blocks are too few."""

from itertools import permutations

import numpy as np
import pandas as pd

from resnet18_lab.base.conclusion import Conclusion
from resnet18_lab.benchmark.statistics import paired_ratio
from resnet18_lab.model.stage_times import StageTimes

_SURE = 0.05
"""Share of all orders of the blocks that look as clear, above which nothing is said."""
_ALIKE = 0.1
_STRONG = 0.5
"""Change of the mean cosine, and share of the strength, that the sentence calls more alike and still strong."""


def signal(whole: pd.DataFrame, cut: pd.DataFrame, pictures: int) -> Conclusion:
    """What cutting every skip connection does to the signal behind the last block, on these pictures."""
    before, after = whole["likeness"].iloc[-1], cut["likeness"].iloc[-1]
    strength = cut["rms"].iloc[-1] / whole["rms"].iloc[-1]
    said = (
        f"Behind the last block the mean cosine between these {pictures} photographs is {before:.2f} in the whole "
        f"network, and {after:.2f} with all skip connections cut, with {strength:.2f} of the strength. "
    )
    if after - before < _ALIKE:
        return Conclusion("signal", said + "So here cutting does not make them more alike.")
    end = "not the signal but the difference between pictures" if strength >= _STRONG else "signal and difference"
    return Conclusion("signal", f"{said}So here it is {end} that is lost.")


def need(kept: pd.Series, ratio: pd.Series, pictures: int) -> Conclusion:
    """Whether blocks with a strong branch keep more answers when their skip connection is cut.

    Spearman's rank correlation; the chance is that of all orders of the blocks.
    """
    few = f"{len(kept)} blocks and {pictures} photographs"
    if kept.nunique() < 2:
        return Conclusion("need", f"Each block keeps the same number of answers with its connection cut ({few}).")
    correlation = float(kept.rank().corr(ratio.rank()))
    chance = _chance(kept.rank().to_numpy(), ratio.rank().to_numpy())
    said = f"Rank correlation {correlation:+.2f}, p = {chance:.2f} ({few})"
    if chance > _SURE:
        return Conclusion("need", f"{said}: too few to say whether a stronger branch makes the connection less needed.")
    kind = "more" if correlation > 0 else "fewer"
    return Conclusion("need", f"{said}: blocks whose branch is stronger keep {kind} answers without the connection.")


def _chance(one: np.ndarray, other: np.ndarray) -> float:
    """Share of all orders whose rank correlation is at least as strong, in either direction."""
    one, other = one - one.mean(), other - other.mean()
    orders = np.asarray(list(permutations(range(len(one)))))
    strengths = np.abs(one[orders] @ other)
    return float((strengths >= abs(one @ other) - 1e-9).mean())


def gradient(whole: pd.DataFrame, cut: pd.DataFrame, what: str) -> Conclusion:
    """How much of the gradient still reaches the first block when every skip connection is cut.

    ``whole`` and ``cut`` are norms by picture (row) and block; the mean ratio's 95 % interval is over the pictures.
    """
    ratio = paired_ratio(cut.iloc[:, 0].to_numpy(float), whole.iloc[:, 0].to_numpy(float))
    spread = f"{ratio.low:.2f} to {ratio.high:.2f} over {len(whole)} pictures"
    range_ = f"{ratio.value:.2f} times the whole network's ({spread})"
    name = f"gradient, {what}"
    if ratio.holds(1):
        return Conclusion(name, f"{what}: the gradient that reaches the first block is {range_}: no difference shown.")
    verb = "weakens" if ratio.high < 1 else "strengthens"
    return Conclusion(name, f"{what}: cutting {verb} the gradient that reaches the first block, {range_}.")


def folded(before: StageTimes, after: StageTimes, *noise: str) -> Conclusion:
    """Whether the network without batch norms is quicker: when the quartiles of single passes lie apart."""
    one, other = (times.passes.sum(axis=1).quantile([0.25, 0.5, 0.75]).tolist() for times in (before, after))
    said = f"Folded, a pass takes {other[1] / one[1]:.2f} times as long"
    apart = other[2] < one[0] or one[2] < other[0]
    said += "." if apart else ", which is no difference shown: the quartiles of single passes overlap."
    return Conclusion("folding", said).unless(*noise, before.noise, after.noise)
