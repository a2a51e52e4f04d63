"""``resnet18-lab classify``."""

from collections.abc import Callable, Iterable, Iterator
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from resnet18_lab.base.errors import ParameterError
from resnet18_lab.base.networks import RESNET18
from resnet18_lab.bulk.defaults import DEFAULT_BATCH
from resnet18_lab.cli import options, runs
from resnet18_lab.cli.console import note, warn_untrained
from resnet18_lab.inference.labels import Language
from resnet18_lab.preprocessing.defaults import DECODE_SECONDS
from resnet18_lab.weights.names import split_name, with_network

if TYPE_CHECKING:
    from resnet18_lab.bulk.batch import Job
    from resnet18_lab.bulk.inputs import Input
    from resnet18_lab.bulk.plan import Plan
    from resnet18_lab.inference.predictions import Result

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


Format = Annotated[OutputFormat, typer.Option("--format", "-f", help="What stdout gets.")]
Lang = Annotated[
    Language | None, typer.Option(help="Names and messages; if not given, en in the table and both elsewhere.")
]


def classify(
    paths: options.Paths,
    top_k: options.TopK = None,
    output_format: Format = OutputFormat.table,
    lang: Lang = None,
    backend: options.BackendOption = "auto",
    threads: options.Threads = None,
    weights: options.Weights = "auto",
    network: options.NetworkName = RESNET18.name,
    rules: options.Rules = None,
    no_unknown: options.NoUnknown = False,
    build: options.Build = False,
    output: options.Output = None,
    resume: options.Resume = False,
    workers: options.Workers = None,
    batch: options.Batch = DEFAULT_BATCH,
    decode_seconds: options.DecodeSeconds = DECODE_SECONDS,
    dedupe: options.Dedupe = False,
    cache: options.Cache = None,
    shard: options.ShardOption = None,
    nul: options.Nul = False,
    bom: options.Bom = False,
    runner: options.Runner = "local",
    engine: options.OldRunner = None,
    address: options.Address = None,
) -> int:
    """Name what is in pictures: the best classes with their scores.

    Exit status 1 when a picture could not be read (it is reported, and the rest go on), or when there is none.
    """
    on_cluster = _on_cluster(engine or runner, address, paths, resume or shard or bom, output)
    weights = _built(with_network(network, weights), backend, build)
    job = _job(backend, weights, threads, top_k, decode_seconds, rules, no_unknown)
    read = options.listed(paths, nul=nul, resume=resume)
    languages = _languages(lang, output_format if output is None else OutputFormat.json)
    with_workers = workers is not None or dedupe or cache is not None or output_format is OutputFormat.jsonl
    if output is None and not on_cluster and not with_workers:
        return _one_by_one(paths, read, _writer(output_format, languages, job.top_k), job, threads, batch)
    plan = runs.plan_of(
        paths, output, job, shard=shard, read=read, languages=languages, bom=bom, resume=resume, workers=workers,
        batch=batch, dedupe=dedupe, cache=cache)  # fmt: skip
    return runs.on_cluster(plan, address) if on_cluster else _with_workers(plan, output_format)


def _job(
    backend: str, weights: str, threads: int | None, top_k: int | None, decode_seconds: float, rules: Path | None,
    no_unknown: bool,
) -> "Job":  # fmt: skip
    from resnet18_lab.bulk.batch import Job

    return Job(
        "classify", backend, weights, threads or 1, options.top_k_of(top_k, weights), decode_seconds=decode_seconds,
        rules=options.rules_text(rules, weights, no_unknown=no_unknown), tells_unknown=not no_unknown,
    )  # fmt: skip


def _with_workers(plan: "Plan", output_format: OutputFormat) -> int:
    writes_a_file = plan.output != Path()
    return (
        runs.write(plan)
        if writes_a_file
        else runs.to_stdout(plan, _writer(output_format, plan.languages, plan.job.top_k))
    )


def _on_cluster(runner: str, address: str | None, paths: list[str], of_a_file: object, output: Path | None) -> bool:
    """True where a cluster does it; ParameterError for options that do not belong together."""
    if runner not in ("local", "ray"):
        raise ParameterError(f"There is no runner {runner!r} for the work; there are: local, ray.")
    if runner == "local":
        if address is not None:
            raise ParameterError("--address is about a cluster; add --runner ray.")
        options.refuse_urls(paths)
        if of_a_file and output is None:
            raise ParameterError("--resume, --shard and --bom are about an output file; add --output FILE.")
    return runner == "ray"


def _built(weights: str, backend: str, asked: bool) -> str:
    """The weights' name, once what the engine runs is made of them where that is asked for."""
    if not asked:
        return weights
    from resnet18_lab.cli.build import build_artifacts
    from resnet18_lab.inference.registry import formats_for

    build_artifacts(weights, formats_for(backend, split_name(weights)[0]))
    return weights


def _writer(output_format: OutputFormat, languages: tuple[str, ...], top_k: int) -> "Callable[[Iterable[Result]], int]":
    from resnet18_lab.cli import rendering

    return lambda results: rendering.WRITERS[output_format.value](results, languages, top_k)


def _languages(chosen: Language | None, output_format: OutputFormat) -> tuple[str, ...]:
    default = Language.en if output_format is OutputFormat.table else Language.both
    return (chosen or default).keys


def _one_by_one(
    paths: list[str],
    read: "Callable[[], Iterator[Input]] | None",
    write: "Callable[[Iterable[Result]], int]",
    job: "Job",
    threads: int | None,
    batch: int,
) -> int:
    """In this process, without workers: what is quickest for a few pictures."""
    from resnet18_lab.bulk.inputs import walk
    from resnet18_lab.inference.registry import judged_by, open_engine

    entries = list(read() if read else walk(paths))
    _hint_at_backslashes([entry.file for entry in entries])
    if not entries:
        runs.note_no_pictures(paths)
        return 1
    from resnet18_lab.inference.classify import classify_files
    from resnet18_lab.preprocessing.prepare import InProcess

    with open_engine(job.backend, weights=job.weights, threads=threads) as opened:
        judged_by(opened, job.rules, tells_unknown=job.tells_unknown)
        preparer = InProcess(decode_seconds=job.decode_seconds, preprocessing=opened.network.preprocessing)
        note(f"engine: {opened.engine}")
        warn_untrained(opened.engine.weights)
        files = (entry.file for entry in entries if entry.error is None)
        batch_size = batch if len(entries) > 1 else 1
        answers = classify_files(files, opened, k=job.top_k, batch_size=batch_size, preparer=preparer)
        failed = write(_in_order(entries, answers))
    if failed:
        note(f"{failed} of {len(entries)} pictures could not be read")
    return 1 if failed else 0


def _in_order(entries: "list[Input]", answers: "Iterator[Result]") -> "Iterator[Result]":
    """Answers in order; what could not even be listed is an error of its own."""
    from resnet18_lab.inference.predictions import Result

    for entry in entries:
        yield Result(entry.file, error=entry.error) if entry.error else next(answers)


def _hint_at_backslashes(files: list[str]) -> None:
    """A path copied from Windows is one long name elsewhere: say which file it may mean."""
    for file in files:
        turned = Path(file.replace("\\", "/"))
        if "\\" in file and not Path(file).exists() and turned.exists():
            note(f"{file} does not exist; did you mean {turned}?")


COMMANDS = {"classify": (classify, EXAMPLES)}
