"""A small set made for one lesson: crops of the project's photographs, a teacher's answers, and its students."""

import time
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import nn
from torch.nn import functional

from resnet18_lab.base.conclusion import Conclusion
from resnet18_lab.base.networks import RESNET18
from resnet18_lab.base.samples import load_samples
from resnet18_lab.benchmark.statistics import mean_half_width
from resnet18_lab.inference.engine import Engine
from resnet18_lab.inference.predictions import softmax
from resnet18_lab.preprocessing import transform
from resnet18_lab.preprocessing.decode import decode
from resnet18_lab.training.targets import tempered

_SIDE = 64
"""Pixels of the largest crops a student sees."""
STEPS, BATCH, RATE = 150, 64, 3e-3
HELD_OUT = 4
"""One crop of so many is held out."""
_TEACHERS_BATCH = 16
_SMALLEST, _LARGEST = 0.15, 0.6  # share of the picture's area that a crop shows


@dataclass(frozen=True)
class SmallSet:
    """Crops uint8 N×64×64×3, the teacher's probabilities float32 N×C over the classes kept, and which to learn."""

    crops: NDArray[np.uint8]
    probabilities: NDArray[np.float32]
    classes: list[int]
    learned: NDArray[np.bool_]

    @property
    def answers(self) -> NDArray[np.int64]:
        """The teacher's best class of each crop, by its place in ``classes``."""
        best: NDArray[np.int64] = self.probabilities.argmax(axis=1)
        return best


def small_set(teacher: Engine, crops_each: int = 48, kept: int = 24, seed: int = 0) -> SmallSet:
    """Random crops of each of the project's photographs with the teacher's answers to them.

    The ``kept`` classes that get the most probability in all make up the student's world; the rest is left out.
    """
    random = np.random.default_rng(seed)
    small, large = [], []
    for sample in load_samples():
        picture = decode(sample.path)
        for _ in range(crops_each):
            share = random.uniform(_SMALLEST, _LARGEST)
            side = min(*picture.size, int((share * picture.width * picture.height) ** 0.5))
            left, top = (random.integers(0, extent - side + 1) for extent in picture.size)
            box = (float(left), float(top), float(left + side), float(top + side))
            small.append(np.asarray(picture.resize((_SIDE, _SIDE), Image.Resampling.BILINEAR, box=box)))
            large.append(np.asarray(picture.resize((RESNET18.crop,) * 2, Image.Resampling.BILINEAR, box=box)))
    batches = [np.stack(large[start : start + _TEACHERS_BATCH]) for start in range(0, len(large), _TEACHERS_BATCH)]
    shares = np.concatenate([softmax(teacher.run(transform.normalise(batch))) for batch in batches])
    classes = np.sort(np.argsort(-shares.sum(axis=0), kind="stable")[:kept])
    inside = shares[:, classes]
    probabilities = (inside / np.maximum(inside.sum(axis=1, keepdims=True), 1e-9)).astype(np.float32)
    learned = np.arange(len(small)) % HELD_OUT != 0
    return SmallSet(np.stack(small), probabilities, [int(index) for index in classes], learned)


@dataclass(frozen=True)
class Student:
    """How one student came out: shares of crops answered as the teacher does, and cross-entropy on held-out ones."""

    name: str
    seed: int
    learned: float
    held_out: float
    loss: float
    seconds: float
    agreement: NDArray[np.bool_]
    """For each held-out crop, whether it answers as the teacher does."""


def learn(
    data: SmallSet, name: str, *, hard: bool = False, temperature: float = 1.0, side: int = _SIDE, seed: int = 0
) -> Student:
    """A small convolutional network taught for STEPS steps of BATCH crops; seeded, the same student for all.

    ``hard``: it is told the teacher's best class alone. ``temperature``: the teacher's probabilities to the power of
    1/temperature. ``side``: pixels of the crops it sees.
    """
    began = time.perf_counter()
    torch.manual_seed(seed)
    pixels = _pixels(data.crops, side)
    student = _network(len(data.classes))
    optimizer = torch.optim.AdamW(student.parameters(), lr=RATE)
    targets = torch.from_numpy(targets_of(data, hard, temperature))
    positions = np.flatnonzero(data.learned)
    random = np.random.default_rng(seed)
    for _ in range(STEPS):
        chosen = torch.from_numpy(random.choice(positions, BATCH))
        loss = functional.cross_entropy(student(pixels[chosen]), targets[chosen])
        optimizer.zero_grad()
        torch.autograd.backward(loss)
        optimizer.step()
    with torch.inference_mode():
        logits = student.eval()(pixels)
    same = logits.argmax(dim=1).numpy() == data.answers
    apart = functional.cross_entropy(logits, torch.from_numpy(data.probabilities), reduction="none").numpy()
    held = ~data.learned
    return Student(
        name, seed, float(same[data.learned].mean()), float(same[held].mean()), float(apart[held].mean()),
        time.perf_counter() - began, same[held],
    )  # fmt: skip


def _pixels(crops: NDArray[np.uint8], side: int) -> torch.Tensor:
    pixels = torch.from_numpy(crops).permute(0, 3, 1, 2).float() / 255 - 0.5
    return pixels if side == _SIDE else functional.interpolate(pixels, (side, side), mode="area")


def targets_of(data: SmallSet, hard: bool, temperature: float) -> NDArray[np.float32]:
    """(pictures, classes), float32: the teacher's probabilities at the temperature, or 1 for its first answer."""
    if hard:
        return np.eye(len(data.classes), dtype=np.float32)[data.answers]
    return tempered(data.probabilities, temperature)


def _network(classes: int) -> nn.Module:
    """Three convolutions and a linear layer: small enough to be taught in a lesson."""
    layers: list[nn.Module] = []
    for before, after in ((3, 16), (16, 32), (32, 64)):
        layers += [nn.Conv2d(before, after, 3, stride=2, padding=1), nn.BatchNorm2d(after), nn.ReLU()]
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, classes))


def compared(students: Iterable[Student]) -> pd.DataFrame:
    """A row a kind of student: mean over its seeds, with 95 % intervals (Student's t) where there are several seeds."""
    groups: dict[str, list[Student]] = {}
    for student in students:
        groups.setdefault(student.name, []).append(student)
    rows = {}
    for name, group in groups.items():
        held, losses = [one.held_out for one in group], [one.loss for one in group]
        rows[name] = {
            "as the teacher, learned": f"{np.mean([one.learned for one in group]):.1%}",
            "as the teacher, held out": _around(held, "{:.1%}"),
            "cross-entropy, held out": _around(losses, "{:.2f}"),
            "seeds": len(group),
            "seconds each": f"{np.mean([one.seconds for one in group]):.1f}",
        }
    return pd.DataFrame(rows).T


def _around(values: list[float], shape: str) -> str:
    if len(values) == 1:
        return shape.format(values[0])
    return f"{shape.format(np.mean(values))} ± {shape.format(mean_half_width(values))}"


def worth(students: Iterable[Student], one: str, other: str) -> Conclusion:
    """Which of two kinds is nearer to the teacher on held-out crops, by cross-entropy, seed by seed; or neither."""
    group, name = list(students), f"{one} or {other}"
    losses = [{student.seed: student.loss for student in group if student.name == kind} for kind in (one, other)]
    seeds = sorted(set(losses[0]) & set(losses[1]))
    apart = np.asarray([losses[1][seed] - losses[0][seed] for seed in seeds])
    if len(apart) < 2:
        return Conclusion(name, "", "one seed decides nothing")
    half = mean_half_width(apart)
    said = f"{other} less {one}: {apart.mean():+.2f} ± {half:.2f} in cross-entropy over {len(apart)} seeds"
    if abs(apart.mean()) <= half:
        return Conclusion(name, said, f"{said}; more seeds or more crops would be needed")
    return Conclusion(name, f"{said}: {one if apart.mean() > 0 else other} is nearer to the teacher.")


def by_confidence(data: SmallSet, students: Iterable[Student]) -> pd.DataFrame:
    """How often the students answer as the teacher does, by how sure the teacher is: held-out crops in three parts."""
    sure = data.probabilities[~data.learned].max(axis=1)
    edges = np.quantile(sure, [0, 1 / 3, 2 / 3, 1])
    part = np.clip(np.searchsorted(edges, sure, side="right") - 1, 0, 2)
    same = np.mean([student.agreement for student in students], axis=0)
    rows = {
        f"{edges[place]:.0%} to {edges[place + 1]:.0%}": {
            "crops": int((part == place).sum()),
            "as the teacher": f"{same[part == place].mean():.1%}",
        }
        for place in range(3)
        if (part == place).any()
    }
    return pd.DataFrame(rows).T.rename_axis("teacher's largest probability")
