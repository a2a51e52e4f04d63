"""``resnet18-lab results``."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from resnet18_lab.base.errors import LabError, ParameterError
from resnet18_lab.cli.console import note

if TYPE_CHECKING:
    from resnet18_lab.course.results.comparing import Pair
    from resnet18_lab.course.results.reading import Row

EXAMPLES = (
    "Examples:  resnet18-lab results reports -o all.parquet  ·  resnet18-lab results laptop=a/reports server=b/reports "
    "-o both.csv  ·  resnet18-lab results --compare before/reports after/reports"
)
_NUMBERS = ("value", "low", "high")
_COMPARED = ("a", "a_low", "a_high", "b", "b_low", "b_high", "ratio")


def results(
    places: Annotated[
        list[str] | None,
        typer.Argument(metavar="DIR...", help="Reports, folders above them, or files; NAME=DIR names the run."),
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="OUT.parquet, .csv or .jsonl; stdout if not given.")
    ] = None,
    compare: Annotated[
        tuple[str, str] | None,
        typer.Option(metavar="A B", help="Two runs: folders, or names among the runs of DIR..."),
    ] = None,
) -> int:
    """Put the results of notebooks into one table, one number a row, or compare two runs.

    Columns: run, notebook, key, value, low, high, unit, text, cpu, commit, started, profile. Exit status 1 when a file
    could not be read.
    """
    from resnet18_lab.course.results.table import check_output

    if not places and compare is None:
        raise ParameterError("Nothing is named: give folders with results, or --compare A B.")
    if output is not None:
        check_output(output)
    return _compare(places or [], *compare, output) if compare else _collect(places or [], output)


def _read(places: list[str], called: str | None = None) -> "tuple[list[Row], int]":
    """The rows, and 1 when something could not be read, else 0; LabError when there is nothing at all."""
    from resnet18_lab.course.results.reading import read_places

    rows, complaints = read_places(places, called=called)
    for line in complaints:
        note(line)
    if not rows:
        raise LabError(f"No results in {', '.join(places)}; make some with `resnet18-lab report`.")
    return rows, 1 if complaints else 0


def _collect(places: list[str], output: Path | None) -> int:
    from resnet18_lab.course.results import table

    rows, status = _read(places)
    if output is not None:
        table.write(output, [vars(row) for row in rows], _NUMBERS)
        note(f"{len(rows)} rows of {len({row.run for row in rows})} runs, in {output}")
        return status
    cells = [
        (row.run, row.notebook, row.key, table.text(row.text or "") + table.number(row.value),
         table.interval(row.low, row.high), row.unit or "")
        for row in rows
    ]  # fmt: skip
    _print(table.lines(("run", "notebook", "key", "value", "95 % interval", "unit"), cells))
    return status


def _compare(places: list[str], a: str, b: str, output: Path | None) -> int:
    from resnet18_lab.course.results import comparing, table

    if places:
        rows, status = _read(places)
        sides = [comparing.of_run(rows, name) for name in (a, b)]
    else:
        read = [_read([place], called="") for place in (a, b)]
        sides, status = [rows for rows, _ in read], max(status for _, status in read)
    found = comparing.pairs(*sides)
    if not found:
        raise LabError(f"{a} and {b} have no quantity with an interval in common.")
    _note_machines(sides)
    if output is not None:
        table.write(output, [pair.as_row() for pair in found], _COMPARED)
        note(f"{len(found)} quantities of both, in {output}")
        return status
    _print(table.lines(("notebook", "key", "A", "95 %", "B", "95 %", "unit", "B / A", ""), map(_cells, found)))
    shown = sum(not pair.a.overlaps(pair.b) for pair in found)
    note(f"A is {a}, B is {b}: {shown} of {len(found)} differ beyond their intervals")
    return status


def _cells(pair: "Pair") -> tuple[str, ...]:
    from resnet18_lab.course.results.table import interval, number

    a, b = ((number(one.value), interval(one.low, one.high)) for one in (pair.a, pair.b))
    ratio = "" if pair.ratio is None else f"{pair.ratio:.3f}"
    notebook = f"{pair.run}/{pair.notebook}" if pair.run else pair.notebook
    return notebook, pair.key, *a, *b, pair.unit or "", ratio, pair.verdict


def _note_machines(sides: "list[list[Row]]") -> None:
    """Say so when the two were measured on different CPUs, which explains a difference."""
    cpus = [sorted({row.cpu for row in rows if row.cpu}) for rows in sides]
    if all(cpus) and cpus[0] != cpus[1]:
        note(f"measured on different CPUs: {', '.join(cpus[0])}; {', '.join(cpus[1])}")


def _print(lines: list[str]) -> None:
    sys.stdout.writelines(f"{line}\n" for line in lines)


COMMANDS = {"results": (results, EXAMPLES)}
