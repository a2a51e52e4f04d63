"""``resnet18-lab evaluate``."""

import json
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from resnet18_lab.cli.console import note

if TYPE_CHECKING:
    from resnet18_lab.inference.evaluate import Evaluation

EXAMPLES = (
    "Examples:  resnet18-lab evaluate photos  ·  resnet18-lab evaluate photos --backend eager --backend "
    "onnxruntime-fp32  ·  resnet18-lab evaluate data/samples --json"
)


def evaluate(
    folder: Annotated[Path, typer.Argument(help="Sub-folders named by wnid, or pictures and a labels.csv.")],
    backend: Annotated[
        list[str] | None, typer.Option(help="An engine; may be given again: the others are compared with the first.")
    ] = None,
    weights: Annotated[
        str, typer.Option(help="official, compact, compact-large, distilled, untrained, auto, or a path.")
    ] = "auto",
    threads: Annotated[int | None, typer.Option(help="Threads of one run; all usable cores if not given.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Write one JSON object to stdout.")] = False,
) -> None:
    """Measure accuracy on a labelled folder, and compare engines picture by picture.

    A picture that cannot be read is counted and left out.
    """
    from tqdm import tqdm

    from resnet18_lab.inference import evaluate as evaluation
    from resnet18_lab.inference.registry import open_engine

    pictures = evaluation.labelled_pictures(folder)
    with ExitStack() as stack:
        engines = [
            stack.enter_context(open_engine(name, weights=weights, threads=threads)) for name in backend or ["auto"]
        ]
        bar = stack.enter_context(tqdm(unit="batch", disable=None))

        def progress(name: str, done: int) -> None:
            bar.set_description(f"{name} {done}/{len(pictures)}", refresh=False)
            bar.update(1)

        found, unreadable = evaluation.on_pictures(engines, pictures, progress=progress)
    if as_json:
        content = {"folder": str(folder), "pictures": len(pictures), "unreadable": unreadable}
        sys.stdout.write(json.dumps({**content, "engines": [row.as_json() for row in found]}, indent=1) + "\n")
    else:
        _print(found)
    if any(row.engine.precision == "int8" for row in found):
        _warn_of_calibration(evaluation.calibrated_on(pictures, weights))
    if unreadable:
        note(f"{unreadable} of {len(pictures)} pictures could not be read and are left out")


def _warn_of_calibration(seen: list[Path]) -> None:
    if seen:
        note(f"{len(seen)} of the pictures were used to calibrate INT8 ({seen[0].name}, ...): its row flatters")


def _print(rows: "list[Evaluation]") -> None:
    from rich.console import Console
    from rich.table import Table

    from resnet18_lab.inference import labels

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
        console.print(f"{labels.by_index(true).en} taken for {labels.by_index(answered).en}: {count}", style="dim")
    note(f"weights {rows[0].engine.weights}; compared with {rows[0].engine.backend}, picture by picture")


COMMANDS = {"evaluate": (evaluate, EXAMPLES)}
