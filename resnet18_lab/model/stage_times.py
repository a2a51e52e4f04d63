"""How long each stage of the network takes in eager PyTorch, measured inside whole passes."""

import time
from dataclasses import dataclass

import pandas as pd
import torch
from torch import nn

from resnet18_lab.base.errors import ParameterError
from resnet18_lab.base.machine import usable_cores
from resnet18_lab.base.proc import starved_seconds
from resnet18_lab.preprocessing.transform import Batch

STAGES = {
    "stem": ("conv1", "bn1", "relu", "maxpool"),
    "layer1": ("layer1",),
    "layer2": ("layer2",),
    "layer3": ("layer3",),
    "layer4": ("layer4",),
    "head": ("avgpool", "fc"),
}
"""The six parts that the tables show, in the order they run, and the network's own names of the layers in each."""

PASSES = 8
"""Whole passes of the network in one repeat."""
_WARM_UP = 5
_NOISY = 0.10
"""Interquartile range as a share of the median from which a measurement is called noisy."""
_STARVED = 0.9
"""Share of the CPU time that its threads asked for below which a process was starved: others kept the cores busy."""


@dataclass(frozen=True)
class StageTimes:
    """``passes``: milliseconds, one row for each pass, one column for each stage; ``threads`` as torch reports them.

    ``cpu_share`` is the CPU time this process had, as a share of what its threads asked for.
    """

    passes: pd.DataFrame
    threads: int
    cpu_share: float

    @property
    def milliseconds(self) -> dict[str, float]:
        """Median over the passes by stage."""
        return {str(stage): float(value) for stage, value in self.passes.median().items()}

    @property
    def spread(self) -> float:
        """Interquartile range of whole passes as a share of their median."""
        first, median, third = self.passes.sum(axis=1).quantile([0.25, 0.5, 0.75])
        return float((third - first) / median)

    @property
    def noise(self) -> str:
        """Why the times are not to be trusted, or empty: something else kept the machine busy."""
        if self.cpu_share < _STARVED:
            return f"its threads got {self.cpu_share:.0%} of the CPU time they asked for"
        return f"the interquartile range of whole passes is {self.spread:.0%}" if self.spread > _NOISY else ""

    @property
    def noisy(self) -> bool:
        """True when the times are not to be trusted."""
        return self.noise != ""

    def __str__(self) -> str:
        threads = f"{self.threads} thread" + ("s" if self.threads != 1 else "")
        got = f"{threads} that got {self.cpu_share:.0%} of the CPU time they asked for"
        text = (
            f"{sum(self.milliseconds.values()):.1f} ms a picture (median of {len(self.passes)} passes, "
            f"interquartile range {self.spread:.0%}), {got}"
        )
        return text + (": NOISY, measure again when nothing else runs" if self.noisy else "")


def _one_pass(module: nn.Module, picture: torch.Tensor, marks: list[int]) -> list[float]:
    marks.clear()
    module(picture)
    return [(end - start) / 1e6 for start, end in zip(marks[::2], marks[1::2], strict=True)]


def _share(had: float, before: float | None, after: float | None) -> float:
    """CPU seconds as a share of those and the ones waited for; 1 where the system does not tell."""
    waited = 0.0 if before is None or after is None else max(0.0, after - before)
    return had / (had + waited) if had > 0 else 0.0


def stage_times(module: nn.Module, batch: Batch, repeats: int = 5, threads: int | None = None) -> StageTimes:
    """Time of each stage for the first picture of the batch: ``repeats`` times PASSES passes.

    ``threads`` sets torch's intra-op threads (all usable cores if not given). A stage runs from its
    first layer's start to its last layer's end; the flattening before ``fc`` falls into the head.
    """
    if repeats < 1:
        raise ParameterError(f"repeats is {repeats}; give 1 or more.")
    torch.set_num_threads(threads or usable_cores())
    picture = torch.from_numpy(batch[:1])
    marks: list[int] = []

    def mark(*_: object) -> None:
        marks.append(time.perf_counter_ns())

    handles = [module.get_submodule(parts[0]).register_forward_pre_hook(mark) for parts in STAGES.values()]
    handles += [module.get_submodule(parts[-1]).register_forward_hook(mark) for parts in STAGES.values()]
    try:
        with torch.inference_mode():
            for _ in range(_WARM_UP):
                module(picture)
            cpu, starved = time.process_time(), starved_seconds()
            passes = [_one_pass(module, picture, marks) for _ in range(repeats * PASSES)]
            share = _share(time.process_time() - cpu, starved, starved_seconds())
    finally:
        for handle in handles:
            handle.remove()
    return StageTimes(pd.DataFrame(passes, columns=list(STAGES)), torch.get_num_threads(), share)
