"""``resnet18-lab report``."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from resnet18_lab.base.networks import RESNET18
from resnet18_lab.cli import options
from resnet18_lab.cli.console import note
from resnet18_lab.weights.names import with_network

EXAMPLES = (
    "Examples:  resnet18-lab report  ·  resnet18-lab report --notebook classification -p top_k=5  ·  "
    "resnet18-lab report --profile full --output /tmp/full-report  ·  resnet18-lab report -f params.yml --fail-fast  "
    "·  resnet18-lab report --network efficientnet-lite0  "
    "·  resnet18-lab report --notebook thread_benchmark --sweep threads=1,2,4 --junit report.xml"
)

Notebooks = Annotated[list[str] | None, typer.Option(help="A notebook; may be given again. All if not given.")]
Assignments = Annotated[
    list[str] | None, typer.Option("--parameter", "-p", metavar="NAME=VALUE", help="Set a notebook's parameter.")
]
ParameterFile = Annotated[
    Path | None,
    typer.Option("--file", "-f", help="YAML of parameters: name: value, or below a notebook's name. -p wins."),
]
Sweeps = Annotated[
    list[str] | None,
    typer.Option(metavar="NAME=VALUE,...", help="Run once for each value; given again: for all combinations."),
]
CellTimeout = Annotated[
    int | None,
    typer.Option(min=1, max=604_800, metavar="SECONDS", help="What a cell may take; 300, or 3600 with full."),
]


def report(
    profile: Annotated[str, typer.Option(help="fast (the notebooks' own defaults) or full.")] = "fast",
    output: Annotated[Path | None, typer.Option(help="Folder of the report; reports/ if not given.")] = None,
    notebook: Notebooks = None,
    parameter: Assignments = None,
    file: ParameterFile = None,
    sweep: Sweeps = None,
    cell_timeout: CellTimeout = None,
    fail_fast: Annotated[bool, typer.Option("--fail-fast", help="Stop after the first notebook that fails.")] = False,
    junit: Annotated[Path | None, typer.Option(help="Also write the outcome as JUnit XML, for CI servers.")] = None,
    weights: options.Weights = "auto",
    network: options.NetworkName = RESNET18.name,
) -> int:
    """Run the notebooks and render them to pages that open from disk.

    Weights that are nowhere yet are fetched. Of another network there are the notebooks classification and
    preprocessing, of a model with classes of your own conversion, thread_benchmark, bulk and serving. Exit status 1
    when a notebook failed.
    """
    from resnet18_lab.base.paths import reports_dir
    from resnet18_lab.course.report.make import make_report
    from resnet18_lab.course.report.parameters import parse_assignment

    given = dict(parse_assignment(text) for text in parameter or [])
    made = make_report(
        output or reports_dir(), names=notebook, profile=profile, given=given, file=file, sweeps=sweep or [],
        weights=with_network(network, weights), cell_timeout=cell_timeout, fail_fast=fail_fast, junit=junit,
        progress=sys.stderr.isatty(), notify=note,
    )  # fmt: skip
    typer.echo(made.index)
    for run in made.failed:
        assert run.failure is not None  # noqa: S101 - that is what failed means
        note(f"{run.name}: {run.failure.kind} in cell {run.failure.cell}: {run.failure.message}")
    if made.not_run:
        note(f"not run: {', '.join(made.not_run)}")
    return 1 if made.failed else 0


COMMANDS = {"report": (report, EXAMPLES)}
