"""``merge``, ``embed`` and ``similar``: many pictures at once."""

import json
import sys
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from resnet18_lab.base.errors import LabError, ParameterError
from resnet18_lab.base.networks import RESNET18
from resnet18_lab.bulk.defaults import DEFAULT_BATCH
from resnet18_lab.cli import options
from resnet18_lab.cli.console import note
from resnet18_lab.cli.runs import announced, note_no_pictures, plan_of, write
from resnet18_lab.preprocessing.defaults import DECODE_SECONDS
from resnet18_lab.weights.names import with_network

if TYPE_CHECKING:
    from resnet18_lab.bulk.similar import Neighbour

_MERGE_EXAMPLES = "Examples:  resnet18-lab merge part1.csv part2.csv --output all.csv"
_EMBED_EXAMPLES = "Examples:  resnet18-lab embed photos --output vectors.parquet"
_SIMILAR_EXAMPLES = "Examples:  resnet18-lab similar cat.jpg photos  ·  resnet18-lab similar cat.jpg photos --top-k 3"


def merge(
    parts: Annotated[list[Path], typer.Argument(metavar="PART...", help="Outputs of all shards, in any order.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="The joined file, of the same kind.")],
) -> None:
    """Join the outputs of `classify --shard`; refuses gaps, and parts of different runs."""
    from resnet18_lab.bulk.merge import merge as join

    run = join(parts, output)
    note(f"{run['rows']} rows, {run['errors']} errors, in {output}")


def embed(
    paths: options.Paths,
    output: Annotated[Path, typer.Option("--output", "-o", help="OUT.parquet or OUT.jsonl.")],
    weights: options.Weights = "auto",
    network: options.NetworkName = RESNET18.name,
    build: options.Build = False,
    resume: options.Resume = False,
    workers: options.Workers = None,
    batch: options.Batch = DEFAULT_BATCH,
    decode_seconds: options.DecodeSeconds = DECODE_SECONDS,
    dedupe: options.Dedupe = False,
    cache: options.Cache = None,
    shard: options.ShardOption = None,
    nul: options.Nul = False,
) -> int:
    """Write the features of each picture (512 of ResNet-18), the network's output before its last layer."""
    weights = with_network(network, weights)
    options.refuse_urls(paths)
    _build(weights, build)
    read = options.listed(paths, nul=nul, resume=resume)
    from resnet18_lab.bulk.batch import Job

    how: dict[str, Any] = {"resume": resume, "workers": workers, "batch": batch, "dedupe": dedupe, "cache": cache}
    job = Job("embed", weights=weights, decode_seconds=decode_seconds)
    return write(plan_of(paths, output, job, shard=shard, read=read, languages=(), **how))


def similar(
    query: Annotated[str, typer.Argument(help="The picture to look for.")],
    paths: Annotated[list[str], typer.Argument(metavar="DIR...", help="Folders or pictures to look in.")],
    top_k: Annotated[int, typer.Option("--top-k", "-k", help="How many to show.")] = 10,
    weights: options.Weights = "auto",
    network: options.NetworkName = RESNET18.name,
    build: options.Build = False,
    workers: options.Workers = None,
    as_json: Annotated[bool, typer.Option("--json", help="A JSON array instead of lines.")] = False,
) -> int:
    """Show the pictures that look most like one: exact cosine of the features before the last layer."""
    from resnet18_lab.bulk.batch import Job
    from resnet18_lab.bulk.inputs import Input, walk
    from resnet18_lab.bulk.pipeline import stream
    from resnet18_lab.bulk.similar import nearest, unit_vectors

    if top_k < 1:
        raise ParameterError(f"--top-k {top_k} is not allowed; give 1 or more.")
    weights = with_network(network, weights)
    options.refuse_urls([query, *paths])
    _build(weights, build)
    inputs = chain([Input(query)], walk(paths))
    answers = list(announced(stream(inputs, job=Job("embed", weights=weights), workers=workers, dedupe=True)))
    if answers[0].error is not None:
        raise LabError(f"{query}: {answers[0].error.message} [{answers[0].error.code}]")
    if len(answers) == 1:
        note_no_pictures(paths)
        return 1
    files, vectors = unit_vectors(answers)
    _show(nearest(vectors[0], files[1:], vectors[1:], top_k), as_json)
    failed = sum(answer.error is not None for answer in answers)
    if failed:
        note(f"{failed} of {len(answers) - 1} pictures could not be read")
    return 1 if failed else 0


def _show(found: "list[Neighbour]", as_json: bool) -> None:
    from resnet18_lab.base.text import printable

    if as_json:
        sys.stdout.write(json.dumps([vars(one) for one in found], indent=1) + "\n")
    else:
        sys.stdout.writelines(f"{one.cosine:6.3f}  {printable(one.file)}\n" for one in found)


def _build(weights: str, asked: bool) -> None:
    if asked:
        from resnet18_lab.cli.build import build_artifacts

        build_artifacts(weights, ["onnx-embedding"])


COMMANDS = {
    "merge": (merge, _MERGE_EXAMPLES),
    "embed": (embed, _EMBED_EXAMPLES),
    "similar": (similar, _SIMILAR_EXAMPLES),
}
