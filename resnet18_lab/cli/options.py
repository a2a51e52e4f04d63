"""The options that the commands for pictures share."""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from resnet18_lab.base.errors import ParameterError
from resnet18_lab.base.networks import check_top_k
from resnet18_lab.bulk.defaults import check_batch
from resnet18_lab.preprocessing.defaults import check_seconds

if TYPE_CHECKING:
    from resnet18_lab.bulk.inputs import Input

# Wrong values are told before anything is opened, by the same checks that the functions below have.


def _top_k(value: int | None) -> int | None:
    if value is not None:
        check_top_k(value)
    return value


def top_k_of(value: int | None, weights: str) -> int:
    """The number asked for, else the usual one, or all classes where there are fewer."""
    from resnet18_lab.weights.names import split_name

    return min(USUAL_TOP_K, split_name(weights)[0].classes) if value is None else value


def _batch(value: int) -> int:
    check_batch(value)
    return value


def _seconds(value: float) -> float:
    check_seconds(value)
    return value


def _named(output: Path | None) -> Path | None:
    if output == Path():  # as `-o "$UNSET"` gives it
        raise ParameterError("--output names no file; give OUT.parquet, .csv or .jsonl, or leave it out for stdout.")
    return output


Paths = Annotated[
    list[str], typer.Argument(metavar="PATH...", help="Pictures, folders, or - for paths on stdin; URLs for ray.")
]
USUAL_TOP_K = 3
TopK = Annotated[
    int | None,
    typer.Option(
        "--top-k", "-k", callback=_top_k, show_default=False,
        help=f"Answers per picture, 1 to 1000 (or your classes); {USUAL_TOP_K} if not given.",
    ),
]  # fmt: skip
BackendOption = Annotated[str, typer.Option(help="Engine; auto takes the fastest whose artifact exists.")]
Threads = Annotated[int | None, typer.Option(help="Threads of one run; all usable cores, or one in each worker.")]
Weights = Annotated[str, typer.Option(help="official, compact, compact-large, distilled, untrained, auto, or a path.")]
NetworkName = Annotated[
    str, typer.Option("--network", metavar="NAME", help="Of which network; `resnet18-lab networks` lists them.")
]
Rules = Annotated[
    Path | None,
    typer.Option(metavar="FILE.toml", help="Rename, merge or reject answers as the rules of this file say."),
]
NoUnknown = Annotated[bool, typer.Option("--no-unknown", help="Call no picture unknown, with a model that can tell.")]
Build = Annotated[bool, typer.Option("--build", help="Make missing artifacts first (needs torch).")]
Output = Annotated[
    Path | None,
    typer.Option(
        "--output", "-o", help="Write OUT.parquet, .csv or .jsonl, with workers, instead of stdout.", callback=_named
    ),
]
Resume = Annotated[bool, typer.Option("--resume", help="Go on with an interrupted run, if there is one.")]
Workers = Annotated[
    int | None, typer.Option(help="Worker processes; if not given, as tuned here or one a usable core.")
]
Batch = Annotated[int, typer.Option(help="Pictures of one run of the engine.", callback=_batch)]
DecodeSeconds = Annotated[
    float,
    typer.Option(
        help="CPU time that one picture may take to decode; more is the error image_too_costly.", callback=_seconds
    ),
]
Dedupe = Annotated[bool, typer.Option("--dedupe", help="Run identical bytes once.")]
Cache = Annotated[Path | None, typer.Option(help="SQLite file that remembers answers by content across runs.")]
ShardOption = Annotated[str | None, typer.Option("--shard", metavar="K/N", help="Every N-th input, from the K-th.")]
Nul = Annotated[bool, typer.Option("-0", "--null", help="Paths on stdin end with NUL, as find -print0 writes them.")]
Bom = Annotated[bool, typer.Option("--bom", help="Begin CSV with a byte order mark, which Excel wants.")]
Runner = Annotated[str, typer.Option(help="Where the work is done: local, or ray for a cluster.")]
OldRunner = Annotated[str | None, typer.Option("--engine", hidden=True, help="The former name of --runner.")]
Address = Annotated[str | None, typer.Option(help="Address of the Ray cluster; a local one if not given.")]


def rules_text(path: Path | None, weights: str, *, no_unknown: bool) -> str | None:
    """The text of a file of rules, which was found to fit the weights; None where no file is named."""
    if path is None:
        return None
    from resnet18_lab.inference.artifacts import open_folder
    from resnet18_lab.inference.class_names import class_names
    from resnet18_lab.inference.rules import compiled, read_text

    text = read_text(path)
    rules = compiled(text, class_names(weights))
    rules.refuse_unknown(not no_unknown and open_folder(weights).familiar_path is not None)
    return text


def listed(paths: list[str], *, nul: bool, resume: bool = False) -> "Callable[[], Iterator[Input]] | None":
    """What reads the list on stdin when the only path is ``-``; None otherwise.

    A run that is resumed at a terminal, or with no stdin at all, gives none: nobody types a list again.
    """
    if "-" not in paths:
        if nul:
            raise ParameterError("-0 is about paths on stdin; give - as the only path.")
        return None
    if len(paths) > 1:
        raise ParameterError("- stands for the paths on stdin; give it alone.")
    from resnet18_lab.bulk.inputs import Input, read_list

    if sys.stdin is None or sys.stdin.closed or (resume and sys.stdin.isatty()):
        return lambda: iter(())
    return lambda: (Input(name) for name in read_list(sys.stdin.buffer, nul=nul))


def refuse_urls(paths: list[str]) -> None:
    """Raise ParameterError, which says what reads a URL, unless all paths are of this machine."""
    for path in paths:
        if "://" in path and not Path(path).exists():
            raise ParameterError(
                f"{path} is a URL, which only a cluster reads; add --runner ray, or copy it here first."
            )
