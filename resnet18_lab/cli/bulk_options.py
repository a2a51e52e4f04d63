"""The options that the commands for many pictures share."""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from resnet18_lab.errors import ParameterError

if TYPE_CHECKING:
    from resnet18_lab.bulk.inputs import Input

Weights = Annotated[str, typer.Option(help="official, compact, compact-large, untrained, auto, or a path.")]
Output = Annotated[
    Path | None,
    typer.Option("--output", "-o", help="Write OUT.parquet, .csv or .jsonl, with workers, instead of stdout."),
]
Resume = Annotated[bool, typer.Option("--resume", help="Go on with an interrupted run, if there is one.")]
Workers = Annotated[int | None, typer.Option(help="Worker processes; one a usable core if not given.")]
Batch = Annotated[int, typer.Option(help="Pictures of one run of the engine.")]
Dedupe = Annotated[bool, typer.Option("--dedupe", help="Run identical bytes once.")]
Cache = Annotated[Path | None, typer.Option(help="SQLite file that remembers answers by content across runs.")]
ShardOption = Annotated[str | None, typer.Option("--shard", metavar="K/N", help="Every N-th input, from the K-th.")]
Nul = Annotated[bool, typer.Option("-0", "--null", help="Paths on stdin end with NUL, as find -print0 writes them.")]
Bom = Annotated[bool, typer.Option("--bom", help="Begin CSV with a byte order mark, which Excel wants.")]
EngineOption = Annotated[str, typer.Option("--engine", help="local, or ray for a cluster.")]
Address = Annotated[str | None, typer.Option(help="Address of the Ray cluster; a local one if not given.")]


def listed(paths: list[Path], *, nul: bool) -> "Callable[[], Iterator[Input]] | None":
    """What reads the list on stdin when the only path is ``-``; None otherwise."""
    names = [str(path) for path in paths]
    if "-" not in names:
        if nul:
            raise ParameterError("-0 is about paths on stdin; give - as the only path.")
        return None
    if len(names) > 1:
        raise ParameterError("- stands for the paths on stdin; give it alone.")
    from resnet18_lab.bulk.inputs import Input, read_list

    return lambda: (Input(name) for name in read_list(sys.stdin.buffer, nul=nul))
