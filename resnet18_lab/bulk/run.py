"""A bulk run into a file: listed, journaled, resumable, and replaced as a whole at the end."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing
from itertools import islice
from pathlib import Path

from resnet18_lab.base import hashing
from resnet18_lab.base.errors import LabError
from resnet18_lab.base.files import replacing
from resnet18_lab.bulk import journal
from resnet18_lab.bulk.batch import Answer
from resnet18_lab.bulk.inputs import Input, Listing, fingerprint, walk, write_listing
from resnet18_lab.bulk.journal import Journal, journal_of, listing_of
from resnet18_lab.bulk.pipeline import stream
from resnet18_lab.bulk.plan import (
    WORKING_DIRECTORY,
    Notify,
    Plan,
    Progress,
    Summary,
    describe,
    engine_of,
    provenance_of,
    refuse_another,
    write_provenance,
)
from resnet18_lab.bulk.writers import Row, Writer, writer_for


def run_to_file(plan: Plan, *, progress: Progress = lambda *_: None, notify: Notify = lambda _: None) -> Summary:
    """Classify into ``plan.output``; every input gives exactly one row there.

    Rows go to ``OUT.part`` as they are made, so that whatever ends the run early it can be resumed. Raises
    LabError when there is something to resume and it was not asked for, or when it is another run's.
    """
    write = writer_for(plan.output, plan.job.kind)
    with journal.locked(plan.output):
        _refuse_folders(plan.output)
        summary = _run_alone(plan, progress, notify)
        if not summary.was_whole:
            _finish(plan.output, summary, write)
    return summary


def _refuse_folders(output: Path) -> None:
    for path in (output, journal_of(output)):
        if path.is_dir():
            raise LabError(f"{path} is a folder, as a cluster run writes it; delete it, or choose another --output.")


def _finish(output: Path, summary: Summary, write: Writer) -> None:
    """The output from the journal, as a whole; the journal goes last, so that this can be done again."""
    with replacing(output) as temporary:
        write(temporary, journal.rows(journal_of(output)), summary.run)
    written = {**summary.run, "rows": summary.rows, "errors": summary.errors}
    written["output_sha256"] = hashing.sha256(output, remember=False)
    write_provenance(provenance_of(output), written)
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


def _run_alone(plan: Plan, progress: Progress, notify: Notify) -> Summary:
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
        run, listing = before, _kept_listing(plan, before, engine, notify)
        done, errors = journal.repair(part, listing)
    return _write_rows(plan, run, listing, done, errors, progress)


def _kept_listing(plan: Plan, before: Row, engine: dict[str, str], notify: Notify) -> Listing:
    """The inputs of the run that is resumed; LabError when it is not the one that is asked for."""
    part, inputs = journal_of(plan.output), listing_of(plan.output)
    numbers = before["inputs"], before["inputs_total"], before["inputs_sha256"]
    listing = Listing(inputs, *numbers, relative=WORKING_DIRECTORY in before)
    refuse_another(part, before, describe(plan, engine, listing))
    if not inputs.is_file():
        raise LabError(f"{inputs} is missing, so {part} cannot be resumed; delete it and start anew.")
    if plan.listed:
        total, digest = fingerprint(plan.listed())
        if total == 0:
            notify(f"no paths on stdin: going on with the {listing.total} that were listed when the run began")
        elif digest != listing.sha256:
            raise LabError(
                f"{part} was begun with another list of paths than stdin gives now; give the same list, or none to go "
                "on with the one kept, or delete it and start anew."
            )
    return listing


def _write_rows(plan: Plan, run: Row, listing: Listing, done: int, errors: int, progress: Progress) -> Summary:
    part = journal_of(plan.output)
    resumed = done
    with Journal(part, run) as rows:
        progress(done, listing.count, errors)
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
    inputs = _chain(first, left)
    with closing(
        stream(inputs, job=plan.job, workers=plan.workers, batch=plan.batch, dedupe=plan.dedupe, cache=plan.cache)
    ) as answers:
        yield from answers


def _chain(first: Input, rest: Iterator[Input]) -> Iterator[Input]:
    yield first
    yield from rest
