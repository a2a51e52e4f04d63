"""What is measured: configurations, the profiles' numbers, and the suites that list them."""

from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from resnet18_lab import artifacts
from resnet18_lab.backends.registry import SPECS, is_installed
from resnet18_lab.cores import usable_cores
from resnet18_lab.errors import BackendError, ParameterError, unknown_name

SUITES = ("latency", "throughput", "memory", "cold-start", "stages", "sizes")
SIZES = ("224×224", "400×300", "480×480", "800×600", "4000×3000")
"""Width × height of the JPEG files of the suite ``sizes``; the last has 12 megapixels."""
DRAFT_FROM = 512
"""Short side from which JPEG draft is used at all: twice the 256 pixels it must leave."""
PREPARATIONS = ("ours", "ours with draft", "torchvision")
FAST_TORCHVISION = ("400×300", "4000×3000")
"""The sizes whose ratio to torchvision's transforms the fast profile tells; each costs imports of torch."""
BATCHES = {"fast": [1, 4], "full": [1, 4, 8, 16]}
"""Pictures at once in ``throughput`` when none are named."""
COMMANDS = ("bare script", "classify")
"""The whole processes of ``cold-start``: a script that only imports ONNX Runtime and runs once, and ours."""

WITH_ANSWERS = "with answers"
"""Variant of ``memory`` whose result holds the logits too, computed after memory was read."""


@dataclass(frozen=True)
class Effort:
    """How long one process measures: warm-up, then until both minima, or one of the maxima, is reached."""

    starts: int
    warmup_calls: int
    warmup_seconds: float
    min_seconds: float
    min_samples: int
    max_samples: int
    max_seconds: float


EFFORTS = {
    "fast": Effort(2, 10, 0.3, 0.3, 10, 100, 1.0),
    "full": Effort(5, 10, 0.3, 2.0, 30, 100, 10.0),
}


@dataclass(frozen=True)
class Configuration:
    """One row of a table: what runs, with how many threads, on how many pictures at once.

    ``workers`` threads of the process each run an engine of their own; ``twin`` marks the A/A row, which
    repeats another configuration to show the table's own noise. ``affinity`` pins the process to those
    cores (empty: not pinned). ``file`` is an ONNX file that ONNX Runtime runs in place of an artifact.
    """

    suite: str
    backend: str
    threads: int = 1
    batch: int = 1
    workers: int = 1
    variant: str = ""
    twin: bool = False
    spinning: bool = True
    affinity: tuple[int, ...] = ()
    interop_threads: int = 1
    file: str = ""

    @property
    def engine(self) -> str:
        """What stands in the column ``engine`` of a table."""
        return Path(self.file).name if self.file else self.backend

    def key(self) -> str:
        """A name that tells it from all others."""
        parts = [self.suite, self.engine, f"t{self.threads}", f"b{self.batch}", f"w{self.workers}"]
        parts += ["no spinning"] if not self.spinning else []
        parts += [f"cores {','.join(map(str, self.affinity))}"] if self.affinity else []
        return " ".join([*parts, *([self.variant] if self.variant else []), *(["A/A"] if self.twin else [])])

    def as_json(self) -> dict[str, Any]:
        """The fields as a dictionary."""
        return asdict(self)


def checked_backends(names: Iterable[str]) -> list[str]:
    """The names as a list; BackendError for one that does not exist.

    One that exists but is not installed, or lacks its artifact, is kept: it becomes a row with its reason.
    """
    known = [spec.name for spec in SPECS]
    for name in (chosen := list(names)):
        if name not in known:
            raise BackendError(unknown_name("back end", name, known))
    return chosen


def usable_backends(weights: str = "auto") -> list[str]:
    """Engines that are installed and have what they run, fastest first."""
    folder = artifacts.find_folder(weights)
    return [
        spec.name
        for spec in SPECS
        if is_installed(spec)
        and (spec.artifact is None or artifacts.problem(folder, artifacts.KINDS[spec.artifact]) is None)
    ]


def share_of(engines: list[str], suite: str, profile: str) -> list[str]:
    """The engines a suite measures when none are named, so that the profile keeps its time.

    The fast profile takes the fastest and the slowest (what tutorials run), and for throughput the
    fastest alone; the full profile takes all, and for throughput those two.
    """
    ends = list(dict.fromkeys([engines[0], engines[-1]])) if engines else []
    if suite == "throughput":
        return ends if profile == "full" else ends[:1]
    return engines if profile == "full" else ends


def kept_by(profile: str, configuration: Configuration) -> bool:
    """False for rows that only the full profile has time for."""
    size, _, how = configuration.variant.partition(" ")
    return profile == "full" or how != "torchvision" or size in FAST_TORCHVISION


def plan(suites: Iterable[str], backends: list[str], threads: list[int], batches: list[int]) -> list[Configuration]:
    """All configurations of the suites, in the order of the tables; ParameterError for an unknown suite."""
    found: list[Configuration] = []
    for suite in suites:
        if suite not in _LISTS:
            raise ParameterError(unknown_name("suite", suite, SUITES))
        found += _LISTS[suite](backends, sorted(set(threads)), sorted(set(batches)))
    return found


def files_plan(files: Iterable[Path], threads: list[int]) -> list[Configuration]:
    """Latency rows of ONNX files that are no artifacts of this project; ParameterError for one that is missing."""
    found = []
    for file in files:
        if not file.is_file():
            raise ParameterError(f"{file} is no file; --file takes an ONNX file.")
        found += [Configuration("latency", "onnxruntime", count, file=str(file.resolve())) for count in threads]
    return found


def _latency(backends: list[str], threads: list[int], _: list[int]) -> list[Configuration]:
    rows = [Configuration("latency", name, count) for name in backends for count in threads]
    return [*rows, replace(rows[0], twin=True)] if rows else []


def _throughput(backends: list[str], threads: list[int], batches: list[int]) -> list[Configuration]:
    """One session of N threads against N sessions of one, for the counts that have a core for each thread."""
    within = [count for count in threads if count <= usable_cores()] or threads[:1]
    found = []
    for name in backends:
        for batch in batches:
            found += [Configuration("throughput", name, count, batch) for count in within]
            found += [
                Configuration("throughput", name, 1, batch, workers=count, spinning=False)
                for count in within
                if count > 1
            ]
    return found


def _memory(backends: list[str], threads: list[int], _: list[int]) -> list[Configuration]:
    return [Configuration("memory", name, threads[0]) for name in backends]


def _cold_start(backends: list[str], threads: list[int], _: list[int]) -> list[Configuration]:
    rows = [Configuration("cold-start", name, threads[0]) for name in backends]
    artifact = next((name for name in backends if name.startswith("onnxruntime")), None)
    whole = (
        [Configuration("cold-start", artifact, threads[0], variant=command) for command in COMMANDS] if artifact else []
    )
    return [*rows, *whole]


def _stages(backends: list[str], threads: list[int], _: list[int]) -> list[Configuration]:
    return [Configuration("stages", backends[0], threads[0])] if backends else []


def _sizes(backends: list[str], threads: list[int], _: list[int]) -> list[Configuration]:
    return [
        Configuration("sizes", name, threads[0], variant=f"{size} {how}")
        for name in backends[:1]
        for size in SIZES
        for how in PREPARATIONS
        if how != "ours with draft" or min(map(int, size.split("×"))) >= DRAFT_FROM
    ]


_LISTS: dict[str, Callable[[list[str], list[int], list[int]], list[Configuration]]] = {
    "latency": _latency,
    "throughput": _throughput,
    "memory": _memory,
    "cold-start": _cold_start,
    "stages": _stages,
    "sizes": _sizes,
}
