"""A bulk run into a file: inputs are listed, rows journaled, and the output is replaced at the end.

Whatever interrupts the run, the listing and the journal remain, and ``--resume`` continues from them.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing
from itertools import islice
from pathlib import Path

from resnet18_lab.base import hashing
from resnet18_lab.base.errors import LabError
from resnet18_lab.base.files import replacing, written_file
from resnet18_lab.base.notify import Notify
from resnet18_lab.bulk import journal
from resnet18_lab.bulk.batch import Answer
from resnet18_lab.bulk.inputs import Input, Listing, fingerprint, walk, write_listing
from resnet18_lab.bulk.journal import Journal, journal_of, listing_of
from resnet18_lab.bulk.pipeline import stream
from resnet18_lab.bulk.plan import (
    ONLY_WHERE_SET,
    WORKING_DIRECTORY,
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

    Rows go to the journal ``OUT.part`` at once, so that an interrupted run can be resumed. Raises LabError when
    there is a journal and ``plan.resume`` is False, or when the journal belongs to another run.
    """
    write = writer_for(plan.output, plan.job.kind)
    with journal.locked(plan.output):
        _refuse_folders(plan.output)
        summary = _run_locked(plan, progress, notify)
        if not summary.was_whole:
            _finish(plan.output, summary, write)
    return summary


def _refuse_folders(output: Path) -> None:
    written_file(output)  # told before the run rather than after it
    for path in (output, journal_of(output)):
        if path.is_dir():
            raise LabError(f"{path} is a folder, as a cluster run writes it; delete it, or choose another --output.")


def _finish(output: Path, summary: Summary, write: Writer) -> None:
    """Write the output from the journal; the journal is deleted last, so that a failure here can be resumed."""
    with replacing(output) as temporary:
        write(temporary, journal.rows(journal_of(output)), summary.run)
    provenance = {**summary.run, "rows": summary.rows, "errors": summary.errors}
    provenance["output_sha256"] = hashing.sha256(output, remember=False)
    write_provenance(provenance_of(output), provenance)
    for path in (journal_of(output), listing_of(output)):
        path.unlink(missing_ok=True)


def _earlier_summary(plan: Plan, run: Row) -> Summary | None:
    """The summary of an output that the same run has already written; None when there is none."""
    try:
        provenance = json.loads(provenance_of(plan.output).read_text(encoding="utf-8"))
        is_same = all(provenance[name] == value for name, value in run.items())
        is_same = is_same and all(provenance.get(name) == run.get(name) for name in ONLY_WHERE_SET)
        is_same = is_same and provenance["output_sha256"] == hashing.sha256(plan.output, remember=False)
        if not is_same:
            return None
        return Summary(provenance["rows"], provenance["errors"], provenance["rows"], run, was_whole=True)
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _run_locked(plan: Plan, progress: Progress, notify: Notify) -> Summary:
    part, inputs = journal_of(plan.output), listing_of(plan.output)
    previous_run = journal.header(part)
    if previous_run is not None and not plan.resume:
        raise LabError(f"{part} holds the rows of a run that was interrupted; add --resume, or delete it.")
    engine = engine_of(plan.job)
    if previous_run is None:
        part.unlink(missing_ok=True)
        # Listed once and kept on disk: a resumed run must see the same inputs in the same order, or its rows would
        # not continue the journal's, even when files have been added to the folders since.
        listing = write_listing(inputs, plan.listed() if plan.listed else walk(plan.paths), plan.shard)
        run, count, errors = describe(plan, engine, listing), 0, 0
        if plan.resume and (summary := _earlier_summary(plan, run)):
            inputs.unlink()
            return summary
    else:
        run, listing = previous_run, _stored_listing(plan, previous_run, engine, notify)
        count, errors = journal.repair(part, listing)
    return _write_rows(plan, run, listing, count, errors, progress)


def _stored_listing(plan: Plan, previous_run: Row, engine: dict[str, str], notify: Notify) -> Listing:
    """The inputs of the run to resume; LabError when that run and the plan differ."""
    part, inputs = journal_of(plan.output), listing_of(plan.output)
    numbers = previous_run["inputs"], previous_run["inputs_total"], previous_run["inputs_sha256"]
    listing = Listing(inputs, *numbers, relative=WORKING_DIRECTORY in previous_run)
    refuse_another(part, previous_run, describe(plan, engine, listing))
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


def _write_rows(plan: Plan, run: Row, listing: Listing, count: int, errors: int, progress: Progress) -> Summary:
    part = journal_of(plan.output)
    resumed = count
    with Journal(part, run) as rows:
        progress(count, listing.count, errors)
        for answer in _answers(plan, islice(listing, count, None)):
            if answer.engine is not None and answer.engine.sha256 != run["artifact_sha256"]:
                raise LabError(f"The artifact changed during the run; {part} is kept. Start anew, or bring it back.")
            rows.write(answer.as_json(plan.languages))
            count += 1
            errors += answer.error is not None
            progress(count, listing.count, errors)
    if count != listing.count:
        raise LabError(f"{listing.count} inputs gave {count} rows; {part} is kept. Please report this.")
    return Summary(count, errors, resumed, run)


def _answers(plan: Plan, remaining: Iterator[Input]) -> Iterator[Answer]:
    first = next(remaining, None)
    if first is None:
        return  # all rows are in the journal: no engine needs to start
    inputs = _chain(first, remaining)
    with closing(
        stream(inputs, job=plan.job, workers=plan.workers, batch=plan.batch, dedupe=plan.dedupe, cache=plan.cache)
    ) as answers:
        yield from answers


def _chain(first: Input, rest: Iterator[Input]) -> Iterator[Input]:
    yield first
    yield from rest
