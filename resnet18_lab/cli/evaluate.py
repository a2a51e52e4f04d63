"""``resnet18-lab evaluate``."""

import json
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from resnet18_lab.base.networks import RESNET18
from resnet18_lab.cli import options
from resnet18_lab.cli.console import note
from resnet18_lab.inference.labelled import LabelsAre, labelled
from resnet18_lab.weights.names import with_network

if TYPE_CHECKING:
    from resnet18_lab.inference.evaluate import Evaluation
    from resnet18_lab.inference.labelled import Picture
    from resnet18_lab.inference.labels import Label

EXAMPLES = (
    "Examples:  resnet18-lab evaluate photos  ·  resnet18-lab evaluate photos --backend eager --backend "
    "onnxruntime-fp32  ·  resnet18-lab evaluate data/samples --json  ·  "
    "resnet18-lab evaluate by-number --labels-are index"
)
_MOST_LOST = 0.02
"""Share of the pictures that an engine may lose on balance without a remark."""


def evaluate(
    folder: Annotated[Path, typer.Argument(help="Sub-folders named by class, or pictures and a labels.csv.")],
    backend: Annotated[
        list[str] | None, typer.Option(help="An engine; may be given again: the others are compared with the first.")
    ] = None,
    weights: options.Weights = "auto",
    network: options.NetworkName = RESNET18.name,
    threads: Annotated[int | None, typer.Option(help="Threads of one run; all usable cores if not given.")] = None,
    labels_are: Annotated[
        LabelsAre | None, typer.Option(help="What sub-folders are named by; wnids and English names if not given.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Write one JSON object to stdout.")] = False,
) -> None:
    """Measure accuracy on a labelled folder, and compare engines picture by picture.

    A picture that cannot be read is counted and left out.
    """
    from resnet18_lab.inference.class_names import class_names
    from resnet18_lab.inference.evaluate import calibrated_on

    weights = with_network(network, weights)
    classes = class_names(weights)
    labelled_ones = labelled(folder, labels_are, classes)
    pictures = labelled_ones.pictures
    if words := labelled_ones.unknown_words():
        note(words)
    found, unreadable = _measured(pictures, backend or ["auto"], weights, threads)
    if as_json:
        content = {"folder": str(folder), "pictures": len(pictures), "unreadable": unreadable}
        content["unknown_folders"] = labelled_ones.unknown
        sys.stdout.write(json.dumps({**content, "engines": [row.as_json() for row in found]}, indent=1) + "\n")
    else:
        _print(found, classes)
        _warn_of_loss(found)
    if any(row.engine.precision == "int8" for row in found):
        _warn_of_calibration(calibrated_on(pictures, weights))
    if unreadable:
        note(f"{unreadable} of {len(pictures)} pictures could not be read and are left out")


def _measured(
    pictures: "list[Picture]", backends: list[str], weights: str, threads: int | None
) -> "tuple[list[Evaluation], int]":
    """An evaluation of each engine, and how many pictures could not be read; with progress at a terminal."""
    from tqdm import tqdm

    from resnet18_lab.inference.evaluate import on_pictures
    from resnet18_lab.inference.registry import open_engine

    with ExitStack() as stack:
        engines = [stack.enter_context(open_engine(name, weights=weights, threads=threads)) for name in backends]
        bar = stack.enter_context(tqdm(unit="batch", disable=None))

        def progress(name: str, done: int) -> None:
            bar.set_description(f"{name} {done}/{len(pictures)}", refresh=False)
            bar.update(1)

        return on_pictures(engines, pictures, progress=progress)


def _warn_of_loss(rows: "list[Evaluation]") -> None:
    """Say so where an engine is right less often than the first by more than a few pictures in a hundred."""
    for row in rows[1:]:
        lost = row.paired.lost - row.paired.won if row.paired else 0
        if lost > _MOST_LOST * row.top1.of:
            note(f"{row.engine.backend} loses {100 * lost / row.top1.of:.1f} points beside {rows[0].engine.backend}")


def _warn_of_calibration(seen: list[Path]) -> None:
    if seen:
        note(f"{len(seen)} of the pictures were used to calibrate INT8 ({seen[0].name}, ...): its row flatters")


def _print(rows: "list[Evaluation]", classes: "tuple[Label, ...]") -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("engine", "top-1 (95 %)", "top-5 (95 %)", "ECE", "same class", "cosine", "lost/won", "p"):
        table.add_column(heading, overflow="fold")
    for row in rows:
        cells = [
            f"{share.hits}/{share.of} = {share.share:.1%} ({share.low:.1%}–{share.high:.1%})"
            for share in (row.top1, row.top5)
        ]
        pair = row.paired
        compared = (
            [f"{pair.agreement:.1%}", f"{pair.cosine:.4f}", f"{pair.lost}/{pair.won}", f"{pair.p:.2f}"]
            if pair
            else ["first", "", "", ""]
        )
        table.add_row(row.engine.backend, *cells, f"{row.calibration_error:.3f}", *compared)
    console = Console()
    console.print(table)
    for true, answered, count in rows[0].confused[:5]:
        console.print(f"{classes[true].en} taken for {classes[answered].en}: {count}", style="dim")
    note(f"weights {rows[0].engine.weights}; compared with {rows[0].engine.backend}, picture by picture")


COMMANDS = {"evaluate": (evaluate, EXAMPLES)}
