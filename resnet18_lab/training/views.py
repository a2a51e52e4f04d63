"""Batches of views: cut on the processor by threads while the network learns, or from pictures in a GPU's memory."""

import queue
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from torch.nn import functional

from resnet18_lab.base.networks import RESNET18
from resnet18_lab.training.pictures import PackedPictures
from resnet18_lab.training.targets import Targets

_AHEAD = 4
_THREADS = 2


@dataclass(frozen=True)
class Choice:
    """Which views a batch shows: positions of pictures, numbers of views, and which are mirrored."""

    pictures: np.ndarray
    views: np.ndarray
    mirrored: np.ndarray


@dataclass(frozen=True)
class Batch:
    """Float32 N×3×side×side, and what the teacher says of each view."""

    pixels: torch.Tensor
    classes: torch.Tensor
    probabilities: torch.Tensor
    weights: torch.Tensor


class Choices:
    """Pictures in a new order each round, a view of each at random: decided by the seed and the step alone."""

    def __init__(self, pictures: np.ndarray, views: int, batch: int, seed: int) -> None:
        self._pictures, self._views, self._batch, self._seed = pictures, views, batch, seed

    def of(self, step: int) -> Choice:
        """The choice of a step, the same whenever it is asked for: a resumed run goes on where it was."""
        each = max(1, len(self._pictures) // self._batch)
        round_, place = divmod(step, each)
        order = np.random.default_rng((self._seed, round_)).permutation(self._pictures)
        chosen = order[place * self._batch : (place + 1) * self._batch]
        random = np.random.default_rng((self._seed, round_, place))
        return Choice(chosen, random.integers(0, self._views, len(chosen)), random.random(len(chosen)) < 0.5)


class Source(Protocol):
    """Where batches come from."""

    def batch(self, choice: Choice, side: int) -> Batch:
        """The batch of a choice with pictures of that side."""


def _constants(device: torch.device) -> tuple[torch.Tensor, torch.Tensor]:
    mean, std = (
        torch.tensor(values, device=device).view(1, 3, 1, 1)
        for values in (RESNET18.preprocessing.mean, RESNET18.preprocessing.std)
    )
    return mean, std


class FromDisk:
    """Views cut by threads of the processor from the packed pictures."""

    def __init__(self, pictures: PackedPictures, targets: Targets) -> None:
        self._pictures, self._targets = pictures, targets
        self._weights = targets.weights
        self._pool = ThreadPoolExecutor(_THREADS, thread_name_prefix="views")
        self._mean, self._std = _constants(torch.device("cpu"))

    def batch(self, choice: Choice, side: int) -> Batch:
        """The batch of a choice with pictures of that side."""

        def cut(position: int, view: int, mirrored: bool) -> np.ndarray:
            box = tuple(float(end) for end in self._targets.boxes[position, view])
            return self._pictures.view(position, box, side, mirrored)  # type: ignore[arg-type]

        crops = np.stack(list(self._pool.map(cut, choice.pictures, choice.views, choice.mirrored)))
        pixels = torch.from_numpy(crops).permute(0, 3, 1, 2).float().div_(255)
        pixels = pixels.sub_(self._mean).div_(self._std).contiguous(memory_format=torch.channels_last)
        return Batch(pixels, *_told(self._targets, self._weights, choice, torch.device("cpu")))


class InMemory:
    """All pictures in the device's memory, views cut there: for a GPU, which would wait for the processor."""

    def __init__(self, pictures: PackedPictures, targets: Targets, device: torch.device) -> None:
        high = max(entry.height for entry in pictures.entries)
        wide = max(entry.width for entry in pictures.entries)
        self._canvas = torch.zeros((len(pictures), 3, high, wide), dtype=torch.uint8, device=device)
        for position in range(len(pictures)):
            pixels = torch.from_numpy(np.array(pictures.picture(position))).permute(2, 0, 1)
            self._canvas[position, :, : pixels.shape[1], : pixels.shape[2]] = pixels.to(device)
        self._targets, self._weights, self._device = targets, targets.weights, device
        self._boxes = torch.from_numpy(targets.boxes).to(device)
        self._mean, self._std = _constants(device)

    def batch(self, choice: Choice, side: int) -> Batch:
        """The batch of a choice with pictures of that side."""
        positions, views = (torch.from_numpy(values).to(self._device) for values in (choice.pictures, choice.views))
        canvas = self._canvas[positions].float().div_(255)
        left, top, right, bottom = self._boxes[positions, views].unbind(1)
        steps = (torch.arange(side, device=self._device) + 0.5) / side
        across = left[:, None] + (right - left)[:, None] * steps
        down = top[:, None] + (bottom - top)[:, None] * steps
        flip = torch.from_numpy(choice.mirrored).to(self._device)
        across = torch.where(flip[:, None], across.flip(1), across)
        grid_x = (2 * across / canvas.shape[3] - 1)[:, None, :].expand(-1, side, -1)
        grid_y = (2 * down / canvas.shape[2] - 1)[:, :, None].expand(-1, -1, side)
        pixels = functional.grid_sample(canvas, torch.stack([grid_x, grid_y], dim=3), align_corners=False)
        pixels = pixels.sub_(self._mean).div_(self._std).contiguous(memory_format=torch.channels_last)
        return Batch(pixels, *_told(self._targets, self._weights, choice, self._device))


def _told(
    targets: Targets, weights: np.ndarray, choice: Choice, device: torch.device
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    classes = torch.from_numpy(targets.classes[choice.pictures, choice.views]).to(device)
    probabilities = torch.from_numpy(targets.probabilities[choice.pictures, choice.views]).to(device)
    return classes, probabilities, torch.from_numpy(weights[choice.pictures]).to(device)


class Ahead:
    """Batches made a few steps before they are needed, in a thread of their own; ``close`` ends it."""

    def __init__(self, source: Source, choices: Choices, step: int, side: int) -> None:
        self._queue: queue.Queue[Batch | BaseException] = queue.Queue(_AHEAD)
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._make, args=(source, choices, step, side), daemon=True)
        self._thread.start()

    def _make(self, source: Source, choices: Choices, step: int, side: int) -> None:
        while not self._ended.is_set():
            try:
                made: Batch | BaseException = source.batch(choices.of(step), side)
            except Exception as error:  # handed over: a thread's own end would be seen by nobody
                made = error
            while not self._ended.is_set():
                try:
                    self._queue.put(made, timeout=0.2)
                    break
                except queue.Full:
                    continue
            step += 1

    def __iter__(self) -> Iterator[Batch]:
        while True:
            batch = self._queue.get()
            if isinstance(batch, BaseException):
                raise batch
            yield batch

    def close(self) -> None:
        """End the thread; what was made ahead is dropped."""
        self._ended.set()
        self._thread.join()
