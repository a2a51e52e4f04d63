"""Supervised learning with early stopping: so many rounds or minutes, taken up again after any end."""

import copy
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn import functional

from resnet18_lab.training.average import follow
from resnet18_lab.training.checkpoint import read_checkpoint, write_checkpoint
from resnet18_lab.training.device import quicker_in_bf16
from resnet18_lab.training.inputs import Inputs
from resnet18_lab.training.recipe import risen_and_fallen
from resnet18_lab.training.views import Choices

_CHECKPOINT_SECONDS = 60.0
_JUDGED_AT_ONCE = 50
_PATIENCE = 3
"""Rounds that are worse than an earlier one after which a run ends."""
_MOMENTUM = 0.9
_AVERAGE = 0.99
"""Share of the moving average of the weights that a step keeps."""


@dataclass(frozen=True)
class Schedule:
    """How long and how fast is learned; ``minutes`` overrules ``epochs``."""

    epochs: int = 8
    minutes: float | None = None
    batch: int = 32
    rate: float = 0.005
    """Largest learning rate of SGD; ten times as much was seen to diverge."""
    weight_decay: float = 1e-4
    clip: float = 2.0
    """Largest norm of the gradient."""
    warm_up: float = 0.05
    """Share of the run in which the rate rises."""
    seed: int = 0

    def rate_at(self, share: float) -> float:
        """Learning rate when that share of the run has passed."""
        return self.rate * risen_and_fallen(share, self.warm_up)


@dataclass(frozen=True)
class Round:
    """What was seen after a round through the pictures; round 0 is what the run began with.

    ``hits`` and ``chosen_loss`` are of the part that is only chosen by, ``loss`` of the views learned from (None before
    any).
    """

    epoch: int
    seconds: float
    loss: float | None
    hits: int
    chosen_loss: float


class Tuning:
    """One run on a network ``module`` from inputs to logits; ``average`` is the moving average of its weights.

    It ends with the average after the best round. ``labels`` int64 N; ``fit`` are the positions learned from,
    ``chosen`` those that decide which round was best.
    """

    def __init__(
        self, module: nn.Module, inputs: Inputs, labels: NDArray[np.int64], fit: Sequence[int], chosen: Sequence[int],
        *, schedule: Schedule, weights: NDArray[np.float32], folder: Path, identity: dict[str, Any],
    ) -> None:  # fmt: skip
        self.module, self._inputs, self.schedule, self._folder = module, inputs, schedule, folder
        self.average = copy.deepcopy(module)
        self._labels, self._class_weights = torch.from_numpy(labels), torch.from_numpy(weights)
        self._chosen = list(chosen)
        self._batch = min(schedule.batch, len(fit))
        self._steps = max(1, len(fit) // self._batch)
        self._choices = Choices(np.asarray(fit), 1, self._batch, schedule.seed)
        learned = [parameter for parameter in module.parameters() if parameter.requires_grad]
        self._optimizer = torch.optim.SGD(
            learned, schedule.rate, _MOMENTUM, weight_decay=schedule.weight_decay, nesterov=True
        )
        self._identity = identity
        self._step, self._seconds, self._losses = 0, 0.0, [0.0, 0.0]
        self.curve: list[Round] = []
        self.best: dict[str, torch.Tensor] = {}
        self._bf16 = False

    def resume(self) -> bool:
        """Take up the checkpoint of the folder; False where there is none. ParameterError for another run's."""
        content = read_checkpoint(self._folder, self._identity)
        if content is None:
            return False
        self.module.load_state_dict(content["module"])
        self.average.load_state_dict(content["average"])
        self._optimizer.load_state_dict(content["optimizer"])
        self._step, self._seconds, self._losses = content["step"], content["seconds"], content["losses"]
        self.curve, self.best = [Round(**one) for one in content["curve"]], content["best"]
        self._bf16 = content["bf16"]
        return True

    @property
    def epoch(self) -> int:
        """Rounds that are complete."""
        return self._step // self._steps

    @property
    def share(self) -> float:
        """Of the run, 0 to 1."""
        if self.schedule.minutes is not None:
            return min(1.0, self._seconds / (60 * self.schedule.minutes))
        return min(1.0, self._step / (self._steps * self.schedule.epochs))

    @property
    def ended(self) -> bool:
        """True when rounds or time are over, or the last ``_PATIENCE`` rounds were worse than an earlier one."""
        return self.share >= 1 or len(self.curve) - 1 - self.best_round >= _PATIENCE

    @property
    def best_round(self) -> int:
        """Place in the curve of the last round that is not worse than an earlier one by more than a standard error.

        The one-standard-error rule (Breiman et al., 1984) in favour of later rounds, where the rate has fallen: of a
        few hundred pictures a few more right ones are chance.
        """
        most, best = 0, 0
        for place, one in enumerate(self.curve):
            share = max(most, one.hits) / len(self._chosen)
            allowed = math.sqrt(len(self._chosen) * share * (1 - share))
            most = max(most, one.hits)
            if one.hits >= most - allowed:
                best = place
        return best

    def run(
        self, notify: Callable[[Round], None] = lambda _: None, progress: Callable[[float], None] = lambda _: None
    ) -> bool:
        """Learn to the end, or to Ctrl-C: False then; the last checkpoint stays, for this step may be half done.

        ``notify`` is told each round, ``progress`` the share of the run after each step.
        """
        for known in self.curve:
            notify(known)
        try:
            self._learn(notify, progress)
        except KeyboardInterrupt:
            return False
        return True

    def _learn(self, notify: Callable[[Round], None], progress: Callable[[float], None]) -> None:
        if not self.curve:
            first = self._inputs.plain(self._chosen[: self._batch])
            self._bf16 = quicker_in_bf16(self.module, torch.device("cpu"), (self._batch, *first.shape[1:]))
            notify(self._look())
            self._save()
        mark = saved = time.perf_counter()
        while not self.ended:
            self._learn_step()
            progress(self.share)
            now = time.perf_counter()
            self._seconds, mark = self._seconds + now - mark, now
            is_round = self._step % self._steps == 0 or self.share >= 1
            if is_round:
                notify(self._look())
            if is_round or now - saved > _CHECKPOINT_SECONDS:
                self._save()
                saved = time.perf_counter()

    def _learn_step(self) -> None:
        self.module.train()
        torch.manual_seed(self.schedule.seed * 1_000_003 + self._step)  # dropout of a step is the same after any end
        for group in self._optimizer.param_groups:
            group["lr"] = self.schedule.rate_at(self.share)
        choice = self._choices.of(self._step)
        random = np.random.default_rng((self.schedule.seed, self._step, 1))
        with torch.autocast("cpu", torch.bfloat16, enabled=self._bf16):
            logits = self.module(self._inputs.batch(choice, random))
        loss = functional.cross_entropy(logits.float(), self._labels[choice.pictures], self._class_weights)
        self._optimizer.zero_grad(set_to_none=True)
        torch.autograd.backward(loss)
        nn.utils.clip_grad_norm_([each for group in self._optimizer.param_groups for each in group["params"]],
                                 self.schedule.clip)  # fmt: skip
        self._optimizer.step()
        self._step += 1
        follow(self.average, self.module, self._step, _AVERAGE)
        self._losses = [self._losses[0] + float(loss.detach()), self._losses[1] + 1]

    def answers(self) -> NDArray[np.int64]:
        """Best class that the average has for each picture that is chosen by, int64."""
        return self._chosen_logits().argmax(dim=1).numpy()

    @torch.inference_mode()
    def _chosen_logits(self) -> torch.Tensor:
        self.average.eval()
        starts = range(0, len(self._chosen), _JUDGED_AT_ONCE)
        parts = [self.average(self._inputs.plain(self._chosen[start : start + _JUDGED_AT_ONCE])) for start in starts]
        return torch.cat(parts).float()

    def _look(self) -> Round:
        """Judge the network on the part that is chosen by, and keep it if it is the best so far."""
        logits, truth = self._chosen_logits(), self._labels[self._chosen]
        hits = int((logits.argmax(dim=1) == truth).sum())
        loss = self._losses[0] / self._losses[1] if self._losses[1] else None
        seen = Round(self.epoch, round(self._seconds, 1), loss, hits, float(functional.cross_entropy(logits, truth)))
        self.curve.append(seen)
        if self.best_round == len(self.curve) - 1:
            self.best = copy.deepcopy(self.average.state_dict())
        self._losses = [0.0, 0.0]
        return seen

    def _save(self) -> None:
        content = {
            "identity": self._identity, "module": self.module.state_dict(), "average": self.average.state_dict(),
            "optimizer": self._optimizer.state_dict(), "step": self._step, "seconds": self._seconds,
            "losses": self._losses, "best": self.best, "bf16": self._bf16, "curve": [asdict(one) for one in self.curve],
        }  # fmt: skip
        write_checkpoint(self._folder, content)
