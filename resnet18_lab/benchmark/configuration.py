"""What is measured: configurations, the profiles' numbers, and the suites that list them."""

import hashlib
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

SUITES = ("latency", "throughput", "memory", "cold-start", "stages", "sizes", "end-to-end")
NOT_IN_FAST = ("end-to-end",)
"""Suites that the fast profile measures only when they are named."""
SIZES = ("224×224", "400×300", "480×480", "800×600", "4000×3000")
"""Width × height of the JPEG files of the suite ``sizes``; the last has 12 megapixels."""
DRAFT_FROM = 512
"""Short side from which JPEG draft is used at all: twice the 256 pixels it must leave."""
PREPARATIONS = ("ours", "ours with draft", "torchvision")
FAST_TORCHVISION = ("400×300", "4000×3000")
"""The sizes at which the fast profile also times torchvision's transforms; each one has to import torch."""
BATCHES = {"smoke": [1, 4], "fast": [1, 4], "full": [1, 4, 8, 16]}
"""Batch sizes of ``throughput`` when none are named."""
SLOW_BATCHES = (1, 8)
"""Batch sizes of the slowest engine."""
EMPTY, IMPORT = "empty python -c", "import resnet18_lab"
"""Commands of `cold-start` that run no engine: what importing the package costs is their difference."""
COMMANDS = ("bare script", "classify", EMPTY, IMPORT)
"""The whole processes of ``cold-start``: a script that only imports ONNX Runtime and runs once, and ours."""
OURS = "ours"
"""Variant of ``end-to-end`` that is this project's pipeline."""
TUTORIALS = ("eager", "torchscript-traced", "onnxruntime-fp32")
"""Engines of the loop that tutorials print, in ``end-to-end``."""

TAKES_SPINNING = "onnxruntime"
"""Beginning of the names of the engines whose idle threads can be told not to busy-wait."""
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
    pictures: int = 200
    """Pictures in the folder of ``end-to-end``."""
    folder_starts: int = 3
    """Starts of ``end-to-end``, whose single starts are minutes long."""


EFFORTS = {
    "smoke": Effort(1, 2, 0.05, 0.05, 5, 20, 0.5, pictures=44, folder_starts=1),
    "fast": Effort(2, 10, 0.3, 0.3, 10, 100, 1.0),
    "full": Effort(5, 10, 0.3, 2.0, 30, 100, 10.0, pictures=2000),
}


def shortened(effort: Effort) -> str:
    """One sentence on how an effort is shorter than the full profile's; empty when it is not."""
    full = EFFORTS["full"]

    def text_of(one: Effort) -> str:
        limits = f"{one.min_seconds:g} s and {one.min_samples} samples, or {one.max_samples} samples"
        return f"{one.starts} starts, each until {limits}"

    if text_of(effort) == text_of(full):
        return ""
    return f"Shorter than the protocol: {text_of(effort)}; the full profile takes {text_of(full)}."


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

    @property
    def folder_and_name(self) -> str:
        """The engine, or the file with the folder it lies in."""
        return "/".join(Path(self.file).parts[-2:]) if self.file else self.backend

    @property
    def size(self) -> str:
        """Of ``sizes``: width×height of the picture, the first word of the variant."""
        return self.variant.partition(" ")[0]

    @property
    def preparation(self) -> str:
        """Of ``sizes``: how the picture is prepared, the rest of the variant."""
        return self.variant.partition(" ")[2]

    @property
    def plain(self) -> bool:
        """True for an engine with default settings: no control row, no foreign file, no setting that others lack."""
        return not (self.twin or self.file or self.variant or self.affinity or self.interop_threads != 1)

    @property
    def settings(self) -> str:
        """Settings besides threads and batch that have an effect on this engine; empty when there are none."""
        spins = self.spinning or not self.backend.startswith(TAKES_SPINNING)
        texts = [] if spins else ["no spinning"]
        texts += [f"interop {self.interop_threads}"] if self.interop_threads != 1 else []
        texts += [f"on core {','.join(map(str, self.affinity))}"] if self.affinity else []
        return ", ".join(texts)

    def key(self) -> str:
        """A name that no other configuration has: files of one name in two folders have different keys."""
        parts = [self.suite, self.engine, f"t{self.threads}", f"b{self.batch}", f"w{self.workers}"]
        parts += [hashlib.sha256(self.file.encode()).hexdigest()[:8]] if self.file else []
        return " ".join([*parts, *filter(None, (self.settings, self.variant)), *(["A/A"] if self.twin else [])])

    def as_json(self) -> dict[str, Any]:
        """The fields as a dictionary."""
        return asdict(self)
