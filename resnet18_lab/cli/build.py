"""``resnet18-lab build``."""

import os
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from resnet18_lab.base.errors import LabError
from resnet18_lab.base.networks import RESNET18
from resnet18_lab.cli import options
from resnet18_lab.cli.console import note
from resnet18_lab.weights.names import with_network

if TYPE_CHECKING:
    from resnet18_lab.export.build import Built

EXAMPLES = (
    "Examples:  resnet18-lab build  ·  resnet18-lab build --weights compact --only onnx-fp32  ·  "
    "resnet18-lab build --only onnx-int8-static --calibrate photos"
)
MB = 1e6
_NEEDED = ("torch", "torchvision", "onnx", "onnxscript")


def build_artifacts(
    weights: str, only: list[str] | None = None, *, force: bool = False, calibrate: Path | None = None
) -> "list[Built]":
    """Rows of what was made or found, after fetching weights that are nowhere yet; remarks go to stderr."""
    from resnet18_lab.inference.artifacts import kind_of
    from resnet18_lab.weights.ensure import ensure_weights

    for name in only or ():
        kind_of(name)  # a wrong name is told before anything is fetched
    # Before torch is loaded: two builds whose threads wait by spinning keep each other from ever getting on, while
    # waiting asleep costs a lone build a tenth (measured on two cores).
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    _check_packages()
    file = ensure_weights(weights, notify=note)
    from resnet18_lab.export.build import build as build_all

    return build_all(file, only=only, force=force, calibrate=calibrate, notify=note)


def _check_packages() -> None:
    """LabError that names the extra, before anything is downloaded."""
    if missing := [name for name in _NEEDED if find_spec(name) is None]:
        raise LabError(f"`build` needs {', '.join(missing)}; install with `pip install 'resnet18-lab[torch]'`.")


def build(
    weights: options.Weights = "auto",
    network: options.NetworkName = RESNET18.name,
    only: Annotated[
        list[str] | None, typer.Option(help="A format to make; may be given again. All if not given.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Make them even if good ones are there.")] = False,
    calibrate: Annotated[
        Path | None, typer.Option(help="Folder of photographs for INT8; the project's own if not given.")
    ] = None,
) -> None:
    """Make the files the engines run, each checked against the eager model (needs torch)."""
    from rich.console import Console
    from rich.table import Table

    rows = build_artifacts(with_network(network, weights), only or None, force=force, calibrate=calibrate)
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("format", "file", "MB", "seconds", "max |Δlogit|", "of max |logit|"):
        table.add_column(heading, justify="left" if heading in ("format", "file") else "right", overflow="fold")
    for row in rows:
        agreement = row.details["parity"]
        seconds = f"{row.seconds:.1f}" if row.seconds else "kept"
        table.add_row(
            row.kind.name,
            row.path.name,
            f"{row.bytes / MB:.2f}",
            seconds,
            f"{agreement['max_abs_difference']:.1e}",
            f"{agreement['relative']:.1e}",
        )
    Console(width=None if sys.stdout.isatty() else 160).print(table)  # a pipe has no width of its own
    note(f"in {rows[0].path.parent}")


COMMANDS = {"build": (build, EXAMPLES)}
