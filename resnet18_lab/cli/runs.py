"""A plan of many pictures, run into a file, to stdout or on a cluster, with progress and remarks on stderr."""

import shlex
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from resnet18_lab.base.errors import LabError
from resnet18_lab.cli.console import note, warn_untrained

if TYPE_CHECKING:
    from resnet18_lab.bulk.batch import Answer, Job
    from resnet18_lab.bulk.inputs import Input
    from resnet18_lab.bulk.plan import Plan, Summary
    from resnet18_lab.inference.predictions import Result


def plan_of(
    paths: list[str],
    output: Path | None,
    job: "Job",
    *,
    shard: str | None = None,
    read: "Callable[[], Iterator[Input]] | None" = None,
    **how: Any,  # noqa: ANN401 - fields of Plan, each checked there
) -> "Plan":
    """The options of a command as a plan; ``how`` are Plan's own fields. ParameterError for one that cannot be."""
    from resnet18_lab.bulk.inputs import Shard
    from resnet18_lab.bulk.plan import Plan

    return Plan(tuple(paths), output or Path(), job, shard=Shard.parse(shard), listed=read, **how)


def note_no_pictures(paths: Iterable[str]) -> None:
    """Say that nothing was found, and what was looked for."""
    from resnet18_lab.bulk.inputs import PICTURE_SUFFIXES

    note(f"no pictures in {', '.join(paths)} (looked for {' '.join(sorted(PICTURE_SUFFIXES))})")


def write(plan: "Plan") -> int:
    """Run a plan into its file with a progress bar; says how to resume when something stops it."""
    from resnet18_lab.bulk.run import run_to_file

    with _Bar() as bar:
        try:
            summary = run_to_file(plan, progress=bar.show, notify=note)
        except (KeyboardInterrupt, OSError, LabError):
            if bar.begun:
                note(f"what is done is kept; go on with: {_resume_command()}")
            raise
    return _ended(plan, summary)


class _Bar:
    """Rate, time left and errors so far on a terminal; silent anywhere else."""

    def __init__(self) -> None:
        from tqdm import tqdm

        self._bar = tqdm(disable=not sys.stderr.isatty(), unit="picture", smoothing=0.05)
        self.begun = False

    def show(self, done: int, total: int, errors: int) -> None:
        """Bring the bar up to date; the first call says where the run begins."""
        if not self.begun:
            self._bar.total, self._bar.initial, self._bar.n = total, done, done  # an earlier run's rows have no rate
            self.begun = True
        self._bar.set_postfix(errors=errors, refresh=False)
        self._bar.update(done - self._bar.n)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.close()


def _ended(plan: "Plan", summary: "Summary") -> int:
    """Exit status of a run into an output, after a word about it."""
    run = summary.run
    note(f"engine: {run['backend']}, weights {run['weights']}, artifact {run['artifact_sha256'][:12]}")
    warn_untrained(run["weights"])
    kept = f", {summary.resumed} of them from before" if summary.resumed else ""
    note(f"{summary.rows} rows{kept}, {summary.errors} errors, in {plan.output}")
    if run["inputs_total"] == 0:
        note_no_pictures(plan.paths)
        return 1
    return 1 if summary.errors else 0


def _resume_command() -> str:
    """The command that resumes this one."""
    arguments = [argument for argument in sys.argv[1:] if argument != "--resume"]
    return "resnet18-lab " + shlex.join([*arguments, "--resume"])


def to_stdout(plan: "Plan", writer: "Callable[[Iterable[Result]], int]") -> int:
    """Stream the answers of a plan to stdout, in order."""
    from resnet18_lab.bulk.inputs import walk
    from resnet18_lab.bulk.pipeline import stream

    source = iter(plan.listed() if plan.listed else walk(plan.paths))
    first = next(source, None)
    if first is None:
        note_no_pictures(plan.paths)
        return 1
    inputs, job = chain([first], source), plan.job
    with closing(
        stream(inputs, job=job, workers=plan.workers, batch=plan.batch, dedupe=plan.dedupe, cache=plan.cache)
    ) as answers:
        failed = writer(_results(announced(answers)))
    return 1 if failed else 0


def announced(answers: "Iterable[Answer]") -> "Iterator[Answer]":
    """The answers, after a word about the engine as soon as one names it."""
    named = False
    for answer in answers:
        if not named and answer.engine is not None:
            note(f"engine: {answer.engine}")
            warn_untrained(answer.engine.weights)
            named = True
        yield answer


def _results(answers: "Iterable[Answer]") -> "Iterator[Result]":
    from resnet18_lab.inference.predictions import Result

    for answer in answers:
        assert isinstance(answer, Result)  # noqa: S101 - the job is to classify
        yield answer


def on_cluster(plan: "Plan", address: str | None) -> int:
    """Run a plan on a Ray cluster."""
    from resnet18_lab.bulk import cluster

    with _Bar() as bar:
        summary = cluster.run(plan, address=address, progress=bar.show)
    return _ended(plan, summary)
