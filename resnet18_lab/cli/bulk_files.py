"""``classify --output``, ``merge``, ``embed`` and ``similar``: many pictures at once."""

import json
import shlex
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from resnet18_lab.bulk import DEFAULT_BATCH
from resnet18_lab.cli import bulk_options
from resnet18_lab.cli.console import note, warn_untrained
from resnet18_lab.errors import LabError, ParameterError

if TYPE_CHECKING:
    from resnet18_lab.bulk.run import Plan
    from resnet18_lab.classify import Result

MERGE_EXAMPLES = "Examples:  resnet18-lab merge part1.csv part2.csv --output all.csv"
EMBED_EXAMPLES = "Examples:  resnet18-lab embed photos --output vectors.parquet"
SIMILAR_EXAMPLES = "Examples:  resnet18-lab similar cat.jpg photos  ·  resnet18-lab similar cat.jpg photos --top-k 3"


def write(plan: "Plan") -> int:
    """Run a plan into its file with a progress bar; says how to resume when something stops it."""
    from tqdm import tqdm

    from resnet18_lab.bulk.run import run_to_file

    bar = tqdm(disable=not sys.stderr.isatty(), unit="picture", smoothing=0.05)

    def show(done: int, total: int, errors: int) -> None:
        if bar.total is None:
            bar.total = total
            bar.initial = bar.n = done - 1  # rows of an earlier run do not count for the rate
        bar.set_postfix(errors=errors, refresh=False)
        bar.update(done - bar.n)

    try:
        with bar:
            summary = run_to_file(plan, progress=show)
    except (KeyboardInterrupt, OSError):
        note(f"what is done is kept; go on with: {resume_command()}")
        raise
    warn_untrained(summary.run["weights"])
    kept = f", {summary.resumed} of them from before" if summary.resumed else ""
    note(f"{summary.rows} rows{kept}, {summary.errors} errors, in {plan.output}")
    return 1 if summary.errors else 0


def resume_command() -> str:
    """The command that goes on with this one."""
    arguments = [argument for argument in sys.argv[1:] if argument != "--resume"]
    return "resnet18-lab " + shlex.join([*arguments, "--resume"])


def to_stdout(plan: "Plan", writer: "Callable[[Iterable[Result], tuple[str, ...]], int]") -> int:
    """Stream the answers of a plan to stdout, in order."""
    from resnet18_lab.bulk.inputs import walk
    from resnet18_lab.bulk.pipeline import stream

    source = plan.listed() if plan.listed else walk(plan.paths)
    answers = stream(source, job=plan.job, workers=plan.workers, batch=plan.batch, dedupe=plan.dedupe, cache=plan.cache)
    with closing(answers):  # type: ignore[type-var]
        failed = writer(_results(answers), plan.languages)
    return 1 if failed else 0


def _results(answers: Iterable[object]) -> "Iterator[Result]":
    from resnet18_lab.classify import Result

    for answer in answers:
        assert isinstance(answer, Result)  # noqa: S101 - the job is to classify
        yield answer


def on_cluster(plan: "Plan", engine: str, address: str | None) -> int:
    """Run a plan on a Ray cluster."""
    if engine != "ray":
        raise ParameterError(f"There is no engine {engine!r} to spread work with; there are: local, ray.")
    from resnet18_lab.bulk import cluster

    summary = cluster.run(plan, address=address)
    note(f"{summary.rows} rows, {summary.errors} errors, in {plan.output}")
    return 1 if summary.errors else 0


def merge(
    parts: Annotated[list[Path], typer.Argument(metavar="PART...", help="Outputs of all shards, in any order.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="The joined file, of the same kind.")],
) -> None:
    """Join the outputs of `classify --shard`; refuses gaps, and parts of different runs."""
    from resnet18_lab.bulk.merge import merge as join

    run = join(parts, output)
    note(f"{run['rows']} rows, {run['errors']} errors, in {output}")


def embed(
    paths: Annotated[list[Path], typer.Argument(metavar="PATH...", help="Pictures, folders, or - for paths on stdin.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="OUT.parquet or OUT.jsonl.")],
    weights: Annotated[
        str, typer.Option(help="official, compact, compact-large, untrained, auto, or a path.")
    ] = "auto",
    build: Annotated[bool, typer.Option("--build", help="Make the artifact first (needs torch).")] = False,
    resume: bulk_options.Resume = False,
    workers: bulk_options.Workers = None,
    batch: bulk_options.Batch = DEFAULT_BATCH,
    dedupe: bulk_options.Dedupe = False,
    cache: bulk_options.Cache = None,
    shard: bulk_options.ShardOption = None,
    nul: bulk_options.Nul = False,
) -> int:
    """Write the 512 features of each picture, the network's output before its last layer."""
    from resnet18_lab.bulk.batch import Job
    from resnet18_lab.bulk.inputs import Shard
    from resnet18_lab.bulk.run import Plan

    _build(weights, build)
    part = Shard.parse(shard) if shard else Shard()
    listed = bulk_options.listed(paths, nul=nul)
    job = Job("embed", weights=weights)
    names = tuple(map(str, paths))
    return write(Plan(names, output, job, (), part, False, resume, workers, batch, dedupe, cache, listed))


def similar(
    query: Annotated[Path, typer.Argument(help="The picture to look for.")],
    paths: Annotated[list[Path], typer.Argument(metavar="DIR...", help="Folders or pictures to look in.")],
    top_k: Annotated[int, typer.Option("--top-k", "-k", help="How many to show.")] = 10,
    weights: Annotated[
        str, typer.Option(help="official, compact, compact-large, untrained, auto, or a path.")
    ] = "auto",
    build: Annotated[bool, typer.Option("--build", help="Make the artifact first (needs torch).")] = False,
    workers: bulk_options.Workers = None,
    as_json: Annotated[bool, typer.Option("--json", help="A JSON array instead of lines.")] = False,
) -> int:
    """Show the pictures that look most like one: exact cosine of the features before the last layer."""
    from resnet18_lab.bulk.batch import Job
    from resnet18_lab.bulk.inputs import walk
    from resnet18_lab.bulk.pipeline import stream
    from resnet18_lab.bulk.similar import nearest, unit_vectors
    from resnet18_lab.text_safety import printable

    if top_k < 1:
        raise ParameterError(f"--top-k {top_k} is not allowed; give 1 or more.")
    _build(weights, build)
    answers = list(stream([query, *walk(paths)], job=Job("embed", weights=weights), workers=workers, dedupe=True))
    if answers[0].error is not None:
        raise LabError(f"{query}: {answers[0].error.message} [{answers[0].error.code}]")
    files, vectors = unit_vectors(answers)
    found = nearest(vectors[0], files[1:], vectors[1:], top_k)
    if as_json:
        sys.stdout.write(json.dumps([vars(one) for one in found], indent=1) + "\n")
    else:
        sys.stdout.writelines(f"{one.cosine:6.3f}  {printable(one.file)}\n" for one in found)
    failed = sum(answer.error is not None for answer in answers)
    if failed:
        note(f"{failed} of {len(answers) - 1} pictures could not be read")
    return 1 if failed else 0


def _build(weights: str, asked: bool) -> None:
    if asked:
        from resnet18_lab.cli.artifacts import build_artifacts

        build_artifacts(weights, ["onnx-embedding"])
