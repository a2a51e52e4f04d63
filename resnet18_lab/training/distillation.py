"""Distillation: a network learns what a teacher says of each view, for so many minutes, and can go on after any end."""

import copy
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from resnet18_lab.base.errors import ParameterError
from resnet18_lab.model.codes import write_codes
from resnet18_lab.model.network import load_model
from resnet18_lab.training.average import follow
from resnet18_lab.training.checkpoint import read_checkpoint, write_checkpoint
from resnet18_lab.training.device import device_named, quicker_in_bf16
from resnet18_lab.training.pictures import PackedPictures
from resnet18_lab.training.recipe import Recipe, learned_parameters, set_training, soft_loss
from resnet18_lab.training.targets import Targets, tempered
from resnet18_lab.training.views import Ahead, Batch, Choice, Choices, FromDisk, InMemory, Source

HELD_OUT = 50
"""One picture of so many is held out, to see how well the teacher is followed on pictures that were not learned."""
_MOST_HELD_OUT = 1000
_CHECKPOINT_SECONDS = 60.0
_LOOKS = 20
"""Times in a run that the held-out pictures are looked at."""
_SHARE_OF_LOOKS = 0.1
"""Of the time, at most."""
_EVALUATED = 100


@dataclass(frozen=True)
class Look:
    """What was seen of a run at one moment."""

    seconds: float
    step: int
    pictures: int
    side: int
    rate: float
    loss: float
    """Mean over the steps since the look before; NaN before the first step."""
    agreement: float
    """Share of held-out pictures on which the averaged network answers what the teacher does."""


@dataclass
class Progress:
    """Where a run stands; what a checkpoint holds beside the tensors."""

    step: int = 0
    seconds: float = 0.0
    pictures: int = 0
    curve: list[Look] = field(default_factory=list)
    best: float = -1.0


@dataclass(frozen=True)
class Outcome:
    """How a run ended: its progress, the file of the best weights, and whether its time had passed."""

    progress: Progress
    weights: Path
    finished: bool


def _held_out_positions(count: int) -> np.ndarray:
    """Positions of the pictures that are held out, evenly spread."""
    step = max(HELD_OUT, count // _MOST_HELD_OUT)
    return np.arange(0, count, step) if count > step else np.arange(0)


class Distillation:
    """One run: made once, ``run`` until its time has passed or it is interrupted."""

    def __init__(
        self, pictures: PackedPictures, targets: Targets, folder: Path, recipe: Recipe, *,
        start: str = "untrained", device: str = "auto", name: str = "weights",
    ) -> None:  # fmt: skip
        torch.manual_seed(recipe.seed)
        self.recipe, self.folder, self.device = recipe, folder, device_named(device)
        loaded = load_model(start)
        if loaded.weights.labels_path is not None:
            raise ParameterError(f"{start} has classes of its own; begin with weights of ImageNet's classes.")
        self.weights = folder / f"{name}.npz"
        self.progress = Progress()
        self.network = loaded.module.to(self.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.average = copy.deepcopy(self.network)
        self._parameters = list(learned_parameters(self.network, recipe))
        self._optimizer = torch.optim.AdamW(
            [parameter for _, parameter in self._parameters], lr=recipe.rate, weight_decay=recipe.weight_decay
        )
        targets = _as_asked(targets, recipe)
        self._source: Source = (
            FromDisk(pictures, targets) if self.device.type == "cpu" else InMemory(pictures, targets, self.device)
        )
        self._held = _held_out_positions(len(pictures))
        learned = np.setdiff1d(np.arange(len(pictures)), self._held)
        batch = min(recipe.batch, len(learned))
        self._choices = Choices(learned, targets.boxes.shape[1], batch, recipe.seed)
        self._teacher = targets.best
        self._next_look = 0.0
        self.bf16 = quicker_in_bf16(self.network, self.device, (batch, 3, *[recipe.sides[0][1]] * 2))
        self.identity: dict[str, Any] = {
            "pictures": pictures.sha256, "start": loaded.weights.sha256, "recipe": repr(recipe),
            "targets": float(targets.probabilities.sum(dtype=np.float64)),
        }  # fmt: skip

    def resume(self) -> bool:
        """Take up the checkpoint of the folder; False where there is none. ParameterError for another run's."""
        content = read_checkpoint(self.folder, self.identity)
        if content is None:
            return False
        self.network.load_state_dict(content["network"])
        self.average.load_state_dict(content["average"])
        self._optimizer.load_state_dict(content["optimizer"])
        curve = [Look(**look) for look in content["curve"]]
        self.progress = Progress(content["step"], content["seconds"], content["pictures"], curve, content["best"])
        return True

    def run(self, notify: Callable[[Progress, float], None] = lambda _progress, _loss: None) -> Outcome:
        """Learn until the time has passed; Ctrl-C ends it early with a checkpoint, the best weights are kept.

        ``notify`` is told the progress and the loss of each step.
        """
        if not self.progress.curve:
            self._look(float("nan"))
        try:
            while self.progress.seconds < self.recipe.minutes * 60:
                self._one_side(notify)
        except KeyboardInterrupt:
            self._save()
            return Outcome(self.progress, self.weights, finished=False)
        self._save()
        return Outcome(self.progress, self.weights, finished=True)

    def _share(self) -> float:
        return min(1.0, self.progress.seconds / (self.recipe.minutes * 60))

    def _one_side(self, notify: Callable[[Progress, float], None]) -> None:
        """Steps with pictures of one size, until the size changes or the time has passed."""
        side, losses = self.recipe.side_at(self._share()), []
        ahead = Ahead(self._source, self._choices, self.progress.step, side)
        mark = saved = time.perf_counter()
        try:
            for batch in ahead:
                losses.append(self._step(batch))
                now = time.perf_counter()
                self.progress.seconds += now - mark
                mark = now
                notify(self.progress, losses[-1])
                over = self._share() >= 1 or self.recipe.side_at(self._share()) != side
                if over or self.progress.seconds >= self._next_look:
                    self._look(float(np.mean(losses)))
                    losses = []
                if not losses or now - saved > _CHECKPOINT_SECONDS:
                    self._save()
                    saved = time.perf_counter()
                if over:
                    self.progress.seconds += time.perf_counter() - mark
                    return
        finally:
            ahead.close()

    def _step(self, batch: Batch) -> float:
        set_training(self.network, self.recipe)
        for group in self._optimizer.param_groups:
            group["lr"] = self.recipe.rate_at(self._share())
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.bf16):
            logits = self.network(batch.pixels)
        loss = soft_loss(logits, batch.classes, batch.probabilities, batch.weights)
        self._optimizer.zero_grad(set_to_none=True)
        torch.autograd.backward(loss)
        nn.utils.clip_grad_norm_([parameter for _, parameter in self._parameters], self.recipe.clip)
        self._optimizer.step()
        self.progress.step += 1
        self.progress.pictures += len(batch.pixels)
        follow(self.average, self.network, self.progress.step, self.recipe.average)
        return float(loss.detach())

    def _look(self, loss: float) -> None:
        began = time.perf_counter()
        agreement = self._agreement()
        cost = time.perf_counter() - began
        self._next_look = self.progress.seconds + max(self.recipe.minutes * 60 / _LOOKS, cost / _SHARE_OF_LOOKS)
        side, rate = self.recipe.side_at(self._share()), self.recipe.rate_at(self._share())
        told = self.progress
        told.curve.append(Look(round(told.seconds, 1), told.step, told.pictures, side, rate, loss, agreement))
        if agreement >= told.best:  # of two as good the later one has seen more
            told.best = agreement
            write_codes(self.average.state_dict(), self.weights)

    @torch.inference_mode()
    def _agreement(self) -> float:
        """Share of held-out pictures answered as the teacher does, at the largest size of the recipe."""
        self.average.eval()
        side, same = self.recipe.sides[-1][1], 0
        for start in range(0, len(self._held), _EVALUATED):
            positions = self._held[start : start + _EVALUATED]
            zeros = np.zeros(len(positions), np.int64)
            batch = self._source.batch(Choice(positions, zeros, zeros.astype(bool)), side)
            with torch.autocast(self.device.type, torch.bfloat16, enabled=self.bf16):
                answers = self.average(batch.pixels).argmax(dim=1).cpu().numpy()
            same += int((answers == self._teacher[positions]).sum())
        return same / max(1, len(self._held))

    def _save(self) -> None:
        told = self.progress
        content = {
            "identity": self.identity, "network": self.network.state_dict(), "average": self.average.state_dict(),
            "optimizer": self._optimizer.state_dict(), "step": told.step, "seconds": told.seconds,
            "pictures": told.pictures, "curve": [vars(look) for look in told.curve], "best": told.best,
        }  # fmt: skip
        write_checkpoint(self.folder, content)


def _as_asked(targets: Targets, recipe: Recipe) -> Targets:
    """The targets softer or sharper, or the best class alone, as the recipe says."""
    if recipe.hard:
        hard = (targets.probabilities == targets.probabilities.max(axis=2, keepdims=True)).astype(np.float32)
        return Targets(targets.boxes, targets.classes, hard / hard.sum(axis=2, keepdims=True))
    if recipe.temperature == 1.0:
        return targets
    return Targets(targets.boxes, targets.classes, tempered(targets.probabilities, recipe.temperature))
