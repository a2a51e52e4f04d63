"""``resnet18-lab inspect``."""

import json
import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from resnet18_lab.cli.console import note
from resnet18_lab.errors import LabError

if TYPE_CHECKING:
    import pandas as pd

    from resnet18_lab.architecture import Inspection

EXAMPLES = (
    "Examples:  resnet18-lab inspect  ·  resnet18-lab inspect --weights untrained  ·  "
    "resnet18-lab inspect --json > network.json"
)


def _inspection(weights: str, repeats: int) -> "Inspection":
    try:
        from resnet18_lab.architecture import inspect_network
    except ModuleNotFoundError as error:
        how = "pip install 'resnet18-lab[torch,notebooks]'"
        raise LabError(f"`inspect` needs {error.name}, which is not installed; install it with `{how}`.") from error
    return inspect_network(weights, repeats)


def _print_table(table: "pd.DataFrame") -> None:
    from rich.console import Console
    from rich.table import Table

    printed = Table(box=None, pad_edge=False, header_style="bold")
    printed.add_column("stage", overflow="fold")
    for heading in table.columns:
        printed.add_column(str(heading), justify="right", overflow="fold")
    for stage, *cells in table.itertuples():
        last = stage == table.index[-1]
        printed.add_row(str(stage), *map(str, cells), style="bold" if last else "")
    Console().print(printed)


def inspect(
    weights: Annotated[
        str, typer.Option(help="official, compact, compact-large, untrained, auto, or a path.")
    ] = "auto",
    repeats: Annotated[int, typer.Option(help="Rounds the time is measured in.")] = 5,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object with exact numbers on stdout.")] = False,
) -> None:
    """Show what the network is made of: shapes, parameters, MACs, memory and time of each stage (needs torch)."""
    found = _inspection(weights, repeats)
    if found.weights.path is None:
        note("UNTRAINED weights: shapes, sizes and times are real, answers would mean nothing")
    note(f"eager PyTorch, weights {found.weights.name}, {found.times}")
    if as_json:
        content: dict[str, Any] = found.as_json()
        sys.stdout.write(json.dumps(content, indent=1) + "\n")
        return
    _print_table(found.table)
    typer.echo(f"\n{found.conclusion}")
