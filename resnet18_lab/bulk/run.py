"""A bulk run into a file: listed, journaled, resumable, and replaced as a whole at the end."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from resnet18_lab import __version__, atomicfile, hashing
from resnet18_lab.bulk import DEFAULT_BATCH, journal
from resnet18_lab.bulk.batch import Answer, Job
from resnet18_lab.bulk.inputs import Input, Listing, Shard, walk, write_listing
from resnet18_lab.bulk.journal import Journal, journal_of, listing_of
from resnet18_lab.bulk.pipeline import stream
from resnet18_lab.bulk.writers import Row, Writer, writer_for
from resnet18_lab.errors import LabError

REFUSED = (
    "kind",
    "backend",
    "weights",
    "artifact_sha256",
    "preprocess_id",
    "top_k",
    "languages",
    "bom",
    "shard",
    "paths",
)
"""What a resumed run must have in common with the one it resumes."""


@dataclass(frozen=True)
class Plan:
    """What is to be classified, how, and where to."""

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
    """Gives the inputs where they are not walked from ``paths`` (a list on stdin)."""


@dataclass(frozen=True)
class Summary:
    """How a run ended: rows written, errors among them, rows found done already."""

    rows: int
    errors: int
    resumed: int
    run: Row
    was_whole: bool = False


def provenance_of(output: Path) -> Path:
    """Where an output's provenance stands."""
    return output.with_name(output.name + ".run.json")


Progress = Callable[[int, int, int], None]
"""Told rows done, rows in all, and errors so far."""


def run_to_file(plan: Plan, *, progress: Progress = lambda *_: None) -> Summary:
    """Classify into ``plan.output``; every input gives exactly one row there.

    Rows go to ``OUT.part`` as they are made, so that whatever ends the run early it can be resumed. Raises
    LabError when there is something to resume and it was not asked for, or when it is another run's.
    """
    write = writer_for(plan.output, plan.job.kind)
    plan.output.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(plan.output.with_name(plan.output.name + ".lock.part"), timeout=0)
    try:
        with lock:
            summary = _run_locked(plan, progress)
            if not summary.was_whole:
                _finish(plan.output, summary, write)
    except Timeout as error:
        raise LabError(f"Another run is writing {plan.output}; wait for it, or choose another file.") from error
    with contextlib.suppress(OSError):
        Path(lock.lock_file).unlink()
    return summary


def _finish(output: Path, summary: Summary, write: Writer) -> None:
    """The output from the journal, as a whole; the journal goes last, so that this can be done again."""
    with atomicfile.replacing(output) as temporary:
        write(temporary, journal.rows(journal_of(output)), summary.run)
    written = {**summary.run, "rows": summary.rows, "errors": summary.errors}
    written["output_sha256"] = hashing.sha256(output, remember=False)
    atomicfile.write_text(provenance_of(output), json.dumps(written, indent=1, sort_keys=True) + "\n")
    for path in (journal_of(output), listing_of(output)):
        path.unlink(missing_ok=True)


def _whole_already(plan: Plan, run: Row) -> Summary | None:
    """What to say of an output that this very run wrote before; None when there is none."""
    try:
        before = json.loads(provenance_of(plan.output).read_text(encoding="utf-8"))
        same = all(before[name] == value for name, value in run.items())
        same = same and before["output_sha256"] == hashing.sha256(plan.output, remember=False)
        return Summary(before["rows"], before["errors"], before["rows"], run, was_whole=True) if same else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _run_locked(plan: Plan, progress: Progress) -> Summary:
    part, inputs = journal_of(plan.output), listing_of(plan.output)
    before = journal.header(part)
    if before is not None and not plan.resume:
        raise LabError(f"{part} holds the rows of a run that was interrupted; add --resume, or delete it.")
    engine = engine_of(plan.job)
    if before is None:
        part.unlink(missing_ok=True)
        listing = write_listing(inputs, plan.listed() if plan.listed else walk(plan.paths), plan.shard)
        run, done, errors = describe(plan, engine, listing), 0, 0
        if plan.resume and (whole := _whole_already(plan, run)):
            inputs.unlink()
            return whole
    else:
        run = before
        listing = Listing(inputs, run["inputs"], run["inputs_total"], run["inputs_sha256"])
        _refuse_another(part, before, describe(plan, engine, listing))
        if not inputs.is_file():
            raise LabError(f"{inputs} is missing, so {part} cannot be resumed; delete it and start anew.")
        done, errors = journal.repair(part, listing)
    resumed = done
    with Journal(part, run) as rows:
        for answer in _answers(plan, islice(listing, done, None)):
            if answer.engine is not None and answer.engine.sha256 != run["artifact_sha256"]:
                raise LabError(f"The artifact changed during the run; {part} is kept. Start anew, or bring it back.")
            rows.write(answer.as_json(plan.languages))
            done += 1
            errors += answer.error is not None
            progress(done, listing.count, errors)
    if done != listing.count:
        raise LabError(f"{listing.count} inputs gave {done} rows; {part} is kept. Please report this.")
    return Summary(done, errors, resumed, run)


def _answers(plan: Plan, left: Iterator[Input]) -> Iterator[Answer]:
    first = next(left, None)
    if first is None:
        return  # all rows stand already: no engine needs to start
    found = stream(
        _chain(first, left), job=plan.job, workers=plan.workers, batch=plan.batch, dedupe=plan.dedupe, cache=plan.cache
    )
    with contextlib.closing(found) as answers:  # type: ignore[type-var]
        yield from answers


def _chain(first: Input, rest: Iterator[Input]) -> Iterator[Input]:
    yield first
    yield from rest


def engine_of(job: Job) -> dict[str, str]:
    """Name, weights and file's hash of the engine a job will run; no session is opened."""
    from resnet18_lab import artifacts
    from resnet18_lab.backends import registry

    if job.kind == "embed":
        spec = registry.EMBEDDING
    else:
        name = registry.default_name(job.weights) if job.backend == "auto" else job.backend
        spec = registry.spec_of(name)
    if spec.artifact is None:
        from resnet18_lab import weights

        file = weights.find(job.weights)
        return {"backend": spec.name, "weights": file.name, "artifact_sha256": file.sha256}
    artifact = artifacts.load(artifacts.KINDS[spec.artifact], job.weights)
    return {"backend": spec.name, "weights": artifact.weights_name, "artifact_sha256": artifact.sha256}


def describe(plan: Plan, engine: dict[str, str], listing: Listing) -> Row:
    """The run's provenance: equal for a run and the one that resumes it."""
    return {
        "resnet18_lab": __version__,
        "kind": plan.job.kind,
        **engine,
        "preprocess_id": plan.job.preprocess_id,
        "top_k": plan.job.top_k,
        "languages": list(plan.languages),
        "bom": plan.bom,
        "shard": str(plan.shard),
        "paths": [os.fsencode(path).decode("utf-8", "backslashreplace") for path in plan.paths],
        "inputs": listing.count,
        "inputs_total": listing.total,
        "inputs_sha256": listing.sha256,
    }


def _refuse_another(part: Path, before: dict[str, Any], now: dict[str, Any]) -> None:
    for name in REFUSED:
        if before.get(name) != now[name]:
            raise LabError(
                f"{part} was begun with {name} {before.get(name)}, not {now[name]}; give the same again, or delete it "
                "and start anew."
            )
