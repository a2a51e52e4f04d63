"""What the bulk pipeline teaches: rates beside the bound, a crash and what it cost, and pictures that look alike."""

import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from numpy.typing import NDArray
from PIL import Image, ImageOps

from resnet18_lab import images
from resnet18_lab.benchmark import bulk as measured
from resnet18_lab.benchmark.figures import chart
from resnet18_lab.bulk import DEFAULT_BATCH, stream
from resnet18_lab.bulk.batch import Job
from resnet18_lab.bulk.journal import journal_of
from resnet18_lab.bulk.pipeline import window, workers_for
from resnet18_lab.bulk.similar import unit_vectors
from resnet18_lab.cores import usable_cores
from resnet18_lab.errors import LabError
from resnet18_lab.notebook_display import CHART, PHOTOGRAPH, use_in_notebook

use_in_notebook()

_PATIENCE = 120
_LOOK_EVERY = 0.005
_COPY_QUALITY = 60
_SHAVED = 0.06


def rates(files: Sequence[Path], job: Job, counts: Sequence[int]) -> pd.DataFrame:
    """Pictures a second by number of workers, beside what that many workers could do at most.

    No more workers work at once than there are cores, so the bound grows only up to those.
    """
    stages = measured.stage_means(files, job)
    rows = {}
    for count in counts:
        run = measured.throughput(files, job, workers=count)
        bound = measured.bound(stages, min(count, usable_cores()))
        rows[count] = {
            "img/s": run.rate,
            "bound": bound,
            "of bound": run.rate / bound,
            "first answer s": run.first_answer,
        }
    return pd.DataFrame(rows).T.rename_axis("workers")


def against_bound(table: pd.DataFrame) -> Figure:
    """Rates by workers, with the bound above them."""
    figure, axes = chart("A folder of pictures, by workers", "worker processes", "img/s", (8, 3.8))
    places = list(map(str, table.index))
    bars = axes.bar(places, table["img/s"], color="#0b6e99", width=0.5, label="measured")
    axes.bar_label(bars, [f"{rate:.0f}" for rate in table["img/s"]], padding=2)
    axes.plot(places, table["bound"], color="#c2571a", marker="_", markersize=40, linestyle="none", label="bound")
    axes.legend(frameon=False)
    return figure


@dataclass(frozen=True)
class Crash:
    """A run that was killed and resumed: rows kept and rows in all, whether the file is the undisturbed run's.

    ``redone_at_most`` rows were on their way when it was killed. Seconds of the undisturbed run, of the killed
    one until then, and of the resumed one.
    """

    kept: int
    rows: int
    same: bool
    said: str
    redone_at_most: int
    undisturbed: float
    killed: float
    resumed: float

    @property
    def seconds_lost(self) -> float:
        """How much longer the two runs took than the undisturbed one."""
        return self.killed + self.resumed - self.undisturbed

    def table(self) -> pd.DataFrame:
        """The costs, a line each."""
        names = ("kept", "redone_at_most", "undisturbed", "killed", "resumed", "seconds_lost")
        labels = ("rows that stood when it was killed", "rows run again, at most", "seconds undisturbed",
                  "seconds until it was killed", "seconds of the resumed run", "seconds lost")  # fmt: skip
        return pd.DataFrame({"cost": [getattr(self, name) for name in names]}, index=labels).round(2)


def crash(folder: Path, place: Path, weights: str, after: float = 0.4) -> Crash:
    """Kill -9 a run over the folder when the share ``after`` of its rows stands, resume it, and compare.

    Raises LabError when a run does not get so far.
    """
    whole, killed = place / "undisturbed.csv", place / "killed.csv"
    marks = [time.monotonic()]
    _finish(_classify(folder, whole, weights))
    marks.append(time.monotonic())
    rows = len(list(folder.iterdir()))
    process = _classify(folder, killed, weights)
    deadline = time.monotonic() + _PATIENCE
    while _rows_in(journal_of(killed)) < after * rows:
        if process.poll() is not None or time.monotonic() > deadline:
            raise LabError("The run ended before it could be killed; give more pictures.")
        time.sleep(_LOOK_EVERY)
    process.kill()
    process.communicate()
    marks.append(time.monotonic())
    kept = _rows_in(journal_of(killed))
    said = _finish(_classify(folder, killed, weights, "--resume")).strip().splitlines()[-1].split(", in ")[0]
    marks.append(time.monotonic())
    seconds = [after - before for before, after in pairwise(marks)]
    same = killed.read_bytes() == whole.read_bytes()
    return Crash(
        kept, rows, same, said, min(window(workers_for(Job(weights=weights)), DEFAULT_BATCH), rows - kept), *seconds
    )


def _classify(folder: Path, output: Path, weights: str, *more: str) -> "subprocess.Popen[str]":
    command = [sys.executable, "-m", "resnet18_lab", "classify", str(folder), "--output", str(output)]
    return subprocess.Popen(
        [*command, "--weights", weights, *more], stderr=subprocess.PIPE, text=True, encoding="utf-8"
    )


def _finish(process: "subprocess.Popen[str]") -> str:
    _, said = process.communicate(timeout=_PATIENCE)
    if process.returncode != 0:
        raise LabError(f"The run ended with status {process.returncode}: {said.strip()}")
    return said


def _rows_in(journal: Path) -> int:
    try:
        return max(0, journal.read_bytes().count(b"\n") - 1)  # the first line says what run it is
    except FileNotFoundError:
        return 0


def near_duplicates(path: Path, folder: Path) -> list[Path]:
    """Copies of a photograph as the web makes them: encoded again, mirrored, shaved at the edges, and grey."""
    picture = images.decode(path)
    across, down = (round(side * _SHAVED) for side in picture.size)
    copies = {
        "encoded again": picture,
        "mirrored": ImageOps.mirror(picture),
        "shaved": picture.crop((across, down, picture.width - across, picture.height - down)),
        "grey": ImageOps.grayscale(picture).convert("RGB"),
    }
    made = []
    for name, copy in copies.items():
        made.append(folder / f"{path.stem}, {name}.jpg")
        copy.save(made[-1], "JPEG", quality=_COPY_QUALITY)
    return made


@dataclass(frozen=True)
class Likeness:
    """Names of pictures and the cosine between the features of each two, float32 N×N."""

    files: list[str]
    cosines: NDArray[np.float32]

    def pairs(self, most: int) -> pd.DataFrame:
        """The most alike pairs, best first."""
        rows, columns = np.triu_indices(len(self.files), k=1)
        order = np.argsort(-self.cosines[rows, columns], kind="stable")[:most]
        names = [Path(file).stem for file in self.files]
        found = [
            {"one": names[rows[i]], "other": names[columns[i]], "cosine": float(self.cosines[rows[i], columns[i]])}
            for i in order
        ]
        return pd.DataFrame(found)


def likeness(files: Sequence[Path], weights: str) -> Likeness:
    """The features of all pictures compared with each other."""
    names, vectors = unit_vectors(stream(files, job=Job("embed", weights=weights)))
    return Likeness(names, vectors @ vectors.T)


def matrix(found: Likeness) -> Figure:
    """The cosines as a picture."""
    names = [Path(file).stem for file in found.files]
    figure = Figure(figsize=(8, 7), layout="constrained")
    figure.set_label(CHART)
    axes = figure.subplots()
    shown = axes.imshow(found.cosines, cmap="viridis", vmin=0, vmax=1)
    axes.set_xticks(range(len(names)), names, rotation=90, fontsize=7)
    axes.set_yticks(range(len(names)), names, fontsize=7)
    axes.set_title("How alike: cosine of the 512 features before the last layer")
    figure.colorbar(shown, ax=axes, shrink=0.7)
    return figure


def alike(query: Path, found: Likeness, most: int = 5) -> Figure:
    """A picture and those most like it."""
    place = found.files.index(str(query))
    order = np.argsort(-found.cosines[place], kind="stable")[: most + 1]
    figure = Figure(figsize=(2.4 * len(order), 3), layout="constrained")
    figure.set_label(PHOTOGRAPH)
    for axes, other in zip(figure.subplots(1, len(order)), order, strict=True):
        with Image.open(found.files[other]) as picture:
            axes.imshow(ImageOps.fit(picture.convert("RGB"), (224, 224)))
        words = Path(found.files[other]).stem.replace(", ", "\n")
        axes.set_title(words if other == place else f"{words}\n{found.cosines[place, other]:.2f}", fontsize=9)
        axes.set_axis_off()
    return figure
