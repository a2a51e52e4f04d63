"""The plan of a bulk run, and its provenance, by which two runs are compared."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from resnet18_lab import __version__
from resnet18_lab.base.errors import LabError
from resnet18_lab.base.files import write_text
from resnet18_lab.bulk.batch import Job
from resnet18_lab.bulk.defaults import DEFAULT_BATCH, check_batch
from resnet18_lab.bulk.inputs import Input, Listing, Shard
from resnet18_lab.bulk.pool import check_workers
from resnet18_lab.bulk.writers import Row
from resnet18_lab.inference.rules import sha256_of

WORKING_DIRECTORY = "working_directory"
"""Part of a run's provenance only where the name of an input depends on it."""
ONLY_WHERE_SET = ("rules_sha256", "tells_unknown")
"""Parts of a run's provenance that most runs lack; one that has them is another run than one that does not."""
_MUST_MATCH = (
    "kind",
    "backend",
    "weights",
    "artifact_sha256",
    "preprocess_id",
    "top_k",
    *ONLY_WHERE_SET,
    "languages",
    "bom",
    "shard",
    "paths",
    WORKING_DIRECTORY,
)

_VERSIONS = ("resnet18_lab", "runtime")
"""Compared where the earlier run says them; older ones do not say the runtime."""

Progress = Callable[[int, int, int], None]
"""Called with rows finished, rows in all, and errors so far; the first call comes before any row."""


@dataclass(frozen=True)
class Plan:
    """What to classify, how, and where to write the answers."""

    paths: tuple[str, ...]
    output: Path
    job: Job = field(default_factory=Job)
    languages: tuple[str, ...] = ("en", "zh")
    shard: Shard = field(default_factory=Shard)
    bom: bool = False
    resume: bool = False
    workers: int | None = None
    batch: int = DEFAULT_BATCH
    dedupe: bool = False
    cache: Path | None = None
    listed: Callable[[], Iterable[Input]] | None = None
    """Returns the inputs when they do not come from ``paths`` (a list on stdin)."""

    def __post_init__(self) -> None:
        check_workers(self.workers)
        check_batch(self.batch)


@dataclass(frozen=True)
class Summary:
    """How a run ended: rows written, errors among them, rows taken over from an earlier run."""

    rows: int
    errors: int
    resumed: int
    run: Row
    was_whole: bool = False


def engine_of(job: Job) -> dict[str, str]:
    """Name, weights, file hash and runtime of the engine that a job will run; the engine is not opened."""
    from importlib.metadata import version

    from resnet18_lab.inference import registry

    choice = registry.choose(job.engine, weights=job.weights, threads=job.threads)
    weights, sha256 = choice.source
    package = choice.spec.needs[0]
    runtime = f"{package} {version(package)}"
    return {"backend": choice.spec.name, "weights": weights, "artifact_sha256": sha256, "runtime": runtime}


def describe(plan: Plan, engine: dict[str, str], listing: Listing) -> Row:
    """The run's provenance: equal for a run and the one that resumes it."""
    place = {WORKING_DIRECTORY: _text(os.getcwd())} if listing.relative else {}  # noqa: PTH109 - text, bytes and all
    return {
        "resnet18_lab": __version__,
        "kind": plan.job.kind,
        **engine,
        "preprocess_id": plan.job.preprocess_id,
        **({"features": plan.job.network.features} if plan.job.kind == "embed" else {}),
        "top_k": plan.job.top_k,
        **({"rules_sha256": sha256_of(plan.job.rules)} if plan.job.rules is not None else {}),
        **({} if plan.job.tells_unknown else {"tells_unknown": False}),
        "languages": list(plan.languages),
        "bom": plan.bom,
        "shard": str(plan.shard),
        "paths": [_text(path) for path in plan.paths],
        **place,
        "inputs": listing.count,
        "inputs_total": listing.total,
        "inputs_sha256": listing.sha256,
    }


def _text(path: str) -> str:
    return os.fsencode(path).decode("utf-8", "backslashreplace")


def refuse_another(part: Path, before: dict[str, Any], now: dict[str, Any]) -> None:
    """Raise LabError, which names the difference, unless the run ``now`` may resume the run ``before``."""
    for name in (*_MUST_MATCH, *(name for name in _VERSIONS if name in before)):
        if before.get(name) != now.get(name):
            raise LabError(
                f"{part} was begun with {name} {before.get(name)}, not {now.get(name)}; give the same again, or delete "
                "it and start anew."
            )


def provenance_of(output: Path) -> Path:
    """The file that holds an output's provenance."""
    return output.with_name(output.name + ".run.json")


def write_provenance(target: Path, run: Row) -> None:
    """Write the provenance as a JSON file, atomically."""
    write_text(target, json.dumps(run, indent=1, sort_keys=True) + "\n")
