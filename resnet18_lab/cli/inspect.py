"""``resnet18-lab inspect``."""

import json
import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from resnet18_lab.base.conclusion import lines
from resnet18_lab.base.errors import LabError
from resnet18_lab.base.networks import RESNET18
from resnet18_lab.cli import options
from resnet18_lab.cli.console import note
from resnet18_lab.weights.names import with_network

if TYPE_CHECKING:
    import pandas as pd

    from resnet18_lab.model.inspection import Inspection

EXAMPLES = (
    "Examples:  resnet18-lab inspect  ·  resnet18-lab inspect --weights untrained  ·  "
    "resnet18-lab inspect --json > network.json"
)

_DISPENSABLE = ("activations", "output", "of MACs", "parameters", "MACs")
"""Columns a narrow terminal does without, the first first."""


def _inspection(weights: str, repeats: int) -> "Inspection":
    try:
        from resnet18_lab.model.inspection import inspect_network
    except ModuleNotFoundError as error:
        how = "pip install 'resnet18-lab[torch,notebooks]'"
        raise LabError(f"`inspect` needs {error.name}, which is not installed; install it with `{how}`.") from error
    return inspect_network(weights, repeats)


def _fitting(table: "pd.DataFrame", width: int) -> "pd.DataFrame":
    """The table without the columns that matter least, as many of them as the terminal is too narrow for."""
    for column in _DISPENSABLE:
        cells = table.reset_index().astype(str)
        needed = sum(max(len(str(name)), *cells[name].map(len)) + 2 for name in cells)
        if needed - 2 <= width:
            break
        table = table.drop(columns=column)
    return table


def _print_table(whole: "pd.DataFrame") -> None:
    from rich.console import Console
    from rich.table import Table

    console = Console()
    table = _fitting(whole, console.width)
    if len(table.columns) < len(whole.columns):
        left_out = [column for column in whole.columns if column not in table.columns]
        note(f"narrow terminal, left out: {', '.join(left_out)} (--json has everything)")
    printed = Table(box=None, pad_edge=False, header_style="bold")
    printed.add_column("stage", overflow="fold")
    for heading in table.columns:
        printed.add_column(str(heading), justify="right", overflow="fold")
    for stage, *cells in table.itertuples():
        last = stage == table.index[-1]
        printed.add_row(str(stage), *map(str, cells), style="bold" if last else "")
    console.print(printed)


def inspect(
    weights: options.Weights = "auto",
    network: options.NetworkName = RESNET18.name,
    repeats: Annotated[int, typer.Option(help="Timed rounds of 8 passes each.")] = 5,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object with exact numbers on stdout.")] = False,
) -> None:
    """Show what the network is made of: shapes, parameters, MACs, memory and time of each stage (needs torch)."""
    found = _inspection(with_network(network, weights), repeats)
    if found.weights.path is None:
        note("UNTRAINED weights: shapes, sizes and times are real, answers would mean nothing")
    note(f"eager PyTorch, weights {found.weights.name}, {found.times}")
    if as_json:
        content: dict[str, Any] = found.as_json()
        sys.stdout.write(json.dumps(content, indent=1) + "\n")
        return
    _print_table(found.table)
    typer.echo("\n" + lines(found.conclusions))


COMMANDS = {"inspect": (inspect, EXAMPLES)}
