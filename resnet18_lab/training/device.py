"""Where it is learned, and in which precision a step takes less time there."""

import copy
import time

import torch
from torch import nn

from resnet18_lab.base.machine import cpu_flags


def device_named(name: str) -> torch.device:
    """``auto`` is a GPU where torch sees one, else the processor."""
    return torch.device("cuda" if name == "auto" and torch.cuda.is_available() else "cpu" if name == "auto" else name)


def quicker_in_bf16(network: nn.Module, device: torch.device, shape: tuple[int, ...]) -> bool:
    """True where a step in bfloat16 takes less time than one in float32: tried, where the processor has bfloat16.

    Having the instructions is not enough: there are processors with them on which float32 is quicker.
    """
    if device.type == "cuda":
        return True
    flags = cpu_flags()
    if flags is None or not (flags["avx512_bf16"] or flags["amx_bf16"]):
        return False
    inputs = torch.zeros(shape).contiguous(memory_format=torch.channels_last)
    trial = copy.deepcopy(network).train()

    def seconds(bf16: bool) -> float:
        marks = []
        for _ in range(3):  # the first of each prepares its kernels
            marks.append(time.perf_counter())
            with torch.autocast(device.type, torch.bfloat16, enabled=bf16):
                logits = trial(inputs)
            torch.autograd.backward(logits.float().sum())
        return time.perf_counter() - marks[1]

    return seconds(True) < seconds(False)
