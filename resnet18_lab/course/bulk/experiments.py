"""What the bulk pipeline teaches: rates beside the bound, a crash and what it cost, and pictures that look alike."""

import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from statistics import median

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from PIL import ImageOps

from resnet18_lab.base.conclusion import Conclusion
from resnet18_lab.base.errors import LabError
from resnet18_lab.base.machine import usable_cores
from resnet18_lab.base.notify import Notify
from resnet18_lab.benchmark import folder as measured
from resnet18_lab.benchmark.statistics import OWN_SPREAD_FROM, interval
from resnet18_lab.bulk.batch import Job
from resnet18_lab.bulk.defaults import DEFAULT_BATCH
from resnet18_lab.bulk.journal import journal_of
from resnet18_lab.bulk.pipeline import stream, window, workers_for
from resnet18_lab.bulk.similar import unit_vectors
from resnet18_lab.preprocessing.decode import decode

_PATIENCE = 120
_LOOK_EVERY = 0.005
_COPY_QUALITY = 60
_SHAVED = 0.06


def rates(
    files: Sequence[Path],
    job: Job,
    counts: Sequence[int],
    runs: int = OWN_SPREAD_FROM,
    notify: Notify = lambda _: None,
) -> pd.DataFrame:
    """Pictures a second by number of workers, over several runs in turn, beside what so many workers could do at most.

    ``from`` and ``to`` are the 95 % interval between runs. Only as many workers as there are cores can work at once, so
    the bound grows no further.
    """
    stages = measured.stage_means(files, job)
    found: list[dict[int, measured.Throughput]] = []
    for number in range(1, runs + 1):
        notify(f"run {number} of {runs} with {', '.join(map(str, counts))} workers")
        found.append({count: measured.throughput(files, job, workers=count) for count in counts})
    rows = {}
    for count in counts:
        span = interval([[run[count].rate] for run in found])
        bound = measured.bound(stages, min(count, usable_cores()))
        rows[count] = {
            "img/s": span.value,
            "from": span.low,
            "to": span.high,
            "bound": bound,
            "of bound": span.value / bound,
            "first answer s": median(run[count].first_answer for run in found),
        }
    return pd.DataFrame(rows).T.rename_axis("workers")


def quickest(table: pd.DataFrame, noise: str) -> Conclusion:
    """The number of workers with the best rate, those that the intervals do not tell apart from it, and the bound."""
    best = int(table["img/s"].to_numpy().argmax())
    top = table.iloc[best]
    ties = [str(table.index[n]) for n, high in enumerate(table["to"]) if n != best and high >= top["from"]]
    tied = f", not told apart from {', '.join(ties)}" if ties else ""
    rate = f"{top['img/s']:.0f} pictures a second"
    said = f"Quickest on {usable_cores()} cores: {table.index[best]} workers, {rate}{tied}"
    if top["from"] > top["bound"]:
        noise = noise or "the rate is above its bound, so the machine's pace has changed in between"
    return Conclusion("workers", f"{said}; {top['of bound']:.0%} of the bound.").unless(noise)


@dataclass(frozen=True)
class Crash:
    """A run that was killed and resumed: rows kept, rows in all, and whether it wrote the undisturbed run's file.

    ``said`` is what the resumed run reported; at most ``redone_at_most`` rows were in progress when the first
    was killed. The other fields are seconds: of the undisturbed run, of the killed one, and of the resumed one.
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
    """Kill -9 a run over the folder when the share ``after`` of its rows is written, resume it, and compare.

    Raises LabError when a run ends before that.
    """
    whole_file, killed_file = place / "undisturbed.csv", place / "killed.csv"
    marks = [time.monotonic()]
    _finish(_classify(folder, whole_file, weights))
    marks.append(time.monotonic())
    rows = len(list(folder.iterdir()))
    process = _classify(folder, killed_file, weights)
    deadline = time.monotonic() + _PATIENCE
    while _rows_in(journal_of(killed_file)) < after * rows:
        if process.poll() is not None or time.monotonic() > deadline:
            raise LabError("The run ended before it could be killed; give more pictures.")
        time.sleep(_LOOK_EVERY)
    process.kill()
    process.communicate()
    marks.append(time.monotonic())
    rows_kept = _rows_in(journal_of(killed_file))
    last_line = _finish(_classify(folder, killed_file, weights, "--resume")).strip().splitlines()[-1].split(", in ")[0]
    marks.append(time.monotonic())
    seconds = [after - before for before, after in pairwise(marks)]
    same = killed_file.read_bytes() == whole_file.read_bytes()
    return Crash(
        rows_kept,
        rows,
        same,
        last_line,
        min(window(workers_for(Job(weights=weights)), DEFAULT_BATCH), rows - rows_kept),
        *seconds,
    )


def _classify(folder: Path, output: Path, weights: str, *more: str) -> "subprocess.Popen[str]":
    command = [sys.executable, "-m", "resnet18_lab", "classify", str(folder), "--output", str(output)]
    return subprocess.Popen(
        [*command, "--weights", weights, *more], stderr=subprocess.PIPE, text=True, encoding="utf-8"
    )


def _finish(process: "subprocess.Popen[str]") -> str:
    _, messages = process.communicate(timeout=_PATIENCE)
    if process.returncode != 0:
        raise LabError(f"The run ended with status {process.returncode}: {messages.strip()}")
    return messages


def _rows_in(journal: Path) -> int:
    try:
        return max(0, journal.read_bytes().count(b"\n") - 1)  # the first line says what run it is
    except FileNotFoundError:
        return 0


def near_duplicates(path: Path, folder: Path) -> list[Path]:
    """Copies of a photograph as the web makes them: encoded again, mirrored, shaved at the edges, and grey."""
    picture = decode(path)
    across, down = (round(side * _SHAVED) for side in picture.size)
    copies = {
        "encoded again": picture,
        "mirrored": ImageOps.mirror(picture),
        "shaved": picture.crop((across, down, picture.width - across, picture.height - down)),
        "grey": ImageOps.grayscale(picture).convert("RGB"),
    }
    targets = []
    for name, copy in copies.items():
        targets.append(folder / f"{path.stem}, {name}.jpg")
        copy.save(targets[-1], "JPEG", quality=_COPY_QUALITY)
    return targets


@dataclass(frozen=True)
class Likeness:
    """Names of pictures and the cosine between the features of each two, float32 N×N."""

    files: list[str]
    cosines: NDArray[np.float32]
    weights: str

    def pairs(self, most: int) -> pd.DataFrame:
        """The most alike pairs, best first."""
        rows, columns = np.triu_indices(len(self.files), k=1)
        order = np.argsort(-self.cosines[rows, columns], kind="stable")[:most]
        names = [Path(file).stem for file in self.files]
        lines = [
            {"one": names[rows[i]], "other": names[columns[i]], "cosine": float(self.cosines[rows[i], columns[i]])}
            for i in order
        ]
        return pd.DataFrame(lines)


def likeness(files: Sequence[Path], weights: str) -> Likeness:
    """The features of all pictures compared with each other."""
    names, vectors = unit_vectors(stream(files, job=Job("embed", weights=weights)))
    return Likeness(names, vectors @ vectors.T, weights)
