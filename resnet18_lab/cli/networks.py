"""``resnet18-lab networks``."""

import json
import sys
from dataclasses import asdict, dataclass
from typing import Annotated, Literal

import typer

from resnet18_lab.base.errors import LabError
from resnet18_lab.base.networks import NETWORKS, Network

EXAMPLES = (
    "Examples:  resnet18-lab networks  ·  resnet18-lab networks --json  ·  "
    "resnet18-lab build --network efficientnet-lite0 && resnet18-lab classify --network efficientnet-lite0 cat.jpg"
)
_NUMBERS = ("parameters", "GMACs", "float MB", "top-1 %")
_HEADINGS = (
    "network", "parameters", "GMACs", "float MB", "crop of short side", "licence", "top-1 %", "weights here", "built",
)  # fmt: skip
_FLOAT_BYTES = 4


@dataclass(frozen=True)
class NetworkRow:
    """A line of ``networks``: ``weights`` and ``artifacts`` are what is here, ``top1`` what the authors publish."""

    name: str
    parameters: int
    gmacs: float
    weights_mb: float
    input: str
    licence: str
    top1: float | None
    weights: str
    artifacts: tuple[str, ...]


def _row(network: Network) -> NetworkRow:
    from resnet18_lab.inference import artifacts
    from resnet18_lab.weights.catalogue import entries_of
    from resnet18_lab.weights.find import find_weights

    entry = next(iter(entries_of(network.name)), None)
    try:
        here = find_weights(network.name).name
    except LabError:
        here = "none"
    try:
        folder = artifacts.open_folder(network.name)
        built = tuple(kind.name for kind in artifacts.KINDS.values() if folder.problem(kind) is None)
    except LabError:
        built = ()
    steps = network.preprocessing
    published = (entry.licence, entry.top1) if entry else ("", None)
    return NetworkRow(
        network.name, network.parameters, network.gmacs, round(network.parameters * _FLOAT_BYTES / 1e6, 1),
        f"{steps.crop} of {steps.resize}, {steps.interpolation}", *published, here, built,
    )  # fmt: skip


def networks(
    as_json: Annotated[bool, typer.Option("--json", help="A JSON array on stdout.")] = False,
) -> None:
    """List the networks: size, work, input, licence, published accuracy, and what of each is here."""
    rows = [_row(network) for network in NETWORKS.values()]
    if as_json:
        sys.stdout.write(json.dumps([asdict(row) for row in rows], indent=1) + "\n")
        return
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in _HEADINGS:
        side: Literal["left", "right"] = "right" if heading in _NUMBERS else "left"
        table.add_column(heading, justify=side, overflow="fold", no_wrap=heading == "network")
    for row in rows:
        table.add_row(
            row.name, f"{row.parameters / 1e6:.1f} M", f"{row.gmacs:.2f}", f"{row.weights_mb:.1f}", row.input,
            row.licence, f"{row.top1:.1f}" if row.top1 else "", row.weights, ", ".join(row.artifacts) or "nothing",
        )  # fmt: skip
    Console().print(table)


COMMANDS = {"networks": (networks, EXAMPLES)}
