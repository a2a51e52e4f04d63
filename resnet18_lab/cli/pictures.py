"""``resnet18-lab classify``."""

from collections.abc import Callable, Iterable
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from resnet18_lab.bulk import DEFAULT_BATCH
from resnet18_lab.cli import bulk_files, bulk_options
from resnet18_lab.cli.console import note, warn_untrained
from resnet18_lab.cli.names import Language
from resnet18_lab.errors import ParameterError

if TYPE_CHECKING:
    from resnet18_lab.classify import Result

EXAMPLES = (
    "Examples:  resnet18-lab classify cat.jpg  ·  resnet18-lab classify data/samples --top-k 5  ·  "
    "resnet18-lab classify photos --output answers.parquet  ·  find . -name '*.jpg' | resnet18-lab classify - -f jsonl"
)


class OutputFormat(StrEnum):
    """How results are written to stdout."""

    table = "table"
    json = "json"
    csv = "csv"
    jsonl = "jsonl"


def classify(
    paths: Annotated[list[Path], typer.Argument(metavar="PATH...", help="Pictures, folders, or - for paths on stdin.")],
    top_k: Annotated[int, typer.Option("--top-k", "-k", help="Answers per picture, 1 to 1000.")] = 3,
    output_format: Annotated[
        OutputFormat, typer.Option("--format", "-f", help="What stdout gets.")
    ] = OutputFormat.table,
    lang: Annotated[
        Language | None, typer.Option(help="Names and messages; if not given, en in the table and both elsewhere.")
    ] = None,
    backend: Annotated[str, typer.Option(help="Engine; auto takes the fastest whose artifact exists.")] = "auto",
    threads: Annotated[int | None, typer.Option(help="Threads of one run; all usable cores if not given.")] = None,
    weights: Annotated[
        str, typer.Option(help="official, compact, compact-large, untrained, auto, or a path.")
    ] = "auto",
    build: Annotated[bool, typer.Option("--build", help="Make missing artifacts first (needs torch).")] = False,
    output: bulk_options.Output = None,
    resume: bulk_options.Resume = False,
    workers: bulk_options.Workers = None,
    batch: bulk_options.Batch = DEFAULT_BATCH,
    dedupe: bulk_options.Dedupe = False,
    cache: bulk_options.Cache = None,
    shard: bulk_options.ShardOption = None,
    nul: bulk_options.Nul = False,
    bom: bulk_options.Bom = False,
    engine: bulk_options.EngineOption = "local",
    address: bulk_options.Address = None,
) -> int:
    """Name what is in pictures: the best classes with their scores.

    With --output, many worker processes and a file that a killed run can be resumed into. Exit status 1
    when a picture could not be read: it is reported, and the rest go on.
    """
    from resnet18_lab.backends.registry import formats_for
    from resnet18_lab.cli import rendering

    if build:
        from resnet18_lab.cli.artifacts import build_artifacts

        build_artifacts(weights, formats_for(backend))
    languages = _languages(lang, output_format if output is None else OutputFormat.json)
    writer = rendering.WRITERS[output_format.value]
    listed = bulk_options.listed(paths, nul=nul)
    on_cluster = engine != "local" or address is not None
    with_workers = workers is not None or dedupe or cache is not None or output_format is OutputFormat.jsonl
    if output is None and not on_cluster and (resume or shard or bom):
        raise ParameterError("--resume, --shard and --bom are about an output file; add --output FILE.")
    if output is not None or on_cluster or with_workers:
        from resnet18_lab.bulk.batch import Job
        from resnet18_lab.bulk.inputs import Shard
        from resnet18_lab.bulk.run import Plan

        plan = Plan(
            tuple(map(str, paths)), output or Path(), Job("classify", backend, weights, threads or 1, top_k), languages,
            Shard.parse(shard) if shard else Shard(), bom, resume, workers, batch, dedupe, cache, listed,
        )  # fmt: skip
        if on_cluster:
            return bulk_files.on_cluster(plan, engine, address)
        return bulk_files.write(plan) if output else bulk_files.to_stdout(plan, writer)
    from resnet18_lab.bulk.inputs import walk

    files = [Path(entry.file) for entry in (listed() if listed else walk(paths))]
    return _one_by_one(
        files, paths, lambda results: writer(results, languages), backend, weights, threads, top_k, batch
    )


def _one_by_one(
    files: list[Path],
    paths: list[Path],
    write: "Callable[[Iterable[Result]], int]",
    backend: str,
    weights: str,
    threads: int | None,
    top_k: int,
    batch: int,
) -> int:
    """In this process, without workers: what is quickest for a few pictures."""
    from resnet18_lab.backends.registry import open_backend
    from resnet18_lab.bulk.inputs import PICTURE_SUFFIXES
    from resnet18_lab.classify import classify_files

    _hint_at_backslashes(files)
    if not files:
        note(f"no pictures in {', '.join(map(str, paths))} (looked for {' '.join(sorted(PICTURE_SUFFIXES))})")
        return 1
    with open_backend(backend, weights=weights, threads=threads) as opened:
        note(f"engine: {opened.engine}")
        warn_untrained(opened.engine.weights)
        failed = write(classify_files(files, opened, k=top_k, batch_size=batch if len(files) > 1 else 1))
    if failed:
        note(f"{failed} of {len(files)} pictures could not be read")
    return 1 if failed else 0


def _languages(chosen: Language | None, output_format: OutputFormat) -> tuple[str, ...]:
    default = Language.en if output_format is OutputFormat.table else Language.both
    return (chosen or default).keys


def _hint_at_backslashes(files: list[Path]) -> None:
    """A path copied from Windows is one long name elsewhere: say which file it may mean."""
    for file in files:
        turned = Path(str(file).replace("\\", "/"))
        if "\\" in str(file) and not file.exists() and turned.exists():
            note(f"{file} does not exist; did you mean {turned}?")
