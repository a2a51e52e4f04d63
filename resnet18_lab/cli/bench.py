"""``resnet18-lab bench``."""

import signal
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from resnet18_lab.base.errors import LabError, ParameterError
from resnet18_lab.base.networks import RESNET18
from resnet18_lab.benchmark.configuration import EFFORTS, shortened
from resnet18_lab.cli import options
from resnet18_lab.cli.console import note
from resnet18_lab.weights.names import with_network

if TYPE_CHECKING:
    import pandas as pd

    from resnet18_lab.benchmark.record import Record

EXAMPLES = (
    "Examples:  resnet18-lab bench  ·  resnet18-lab bench --suite latency --threads 1,2,4 --backend eager  ·  "
    "resnet18-lab bench --profile full --output today.json --compare yesterday.json --fail-on-regression 10"
)
_INTERRUPTED = 130
_FAST = shortened(EFFORTS["fast"]).replace("Shorter", "shorter")


def numbers(text: str | None, what: str) -> list[int] | None:
    """Whole numbers from text such as ``1,2,4``; ParameterError for anything else."""
    if text is None:
        return None
    try:
        return [int(part) for part in text.split(",")]
    except ValueError:
        raise ParameterError(f"{what} takes whole numbers split by commas, such as 1,2,4; {text!r} is not.") from None


_Suites = Annotated[
    list[str] | None,
    typer.Option(
        help="latency, throughput, memory, cold-start, stages, sizes, end-to-end; may be given again. "
        "If not given: full all, fast all but end-to-end."
    ),
]
_Profile = Annotated[
    str, typer.Option(help=f"smoke (does all run? no figures to keep), fast (3 minutes) or full (45). Fast is {_FAST}")
]
_Backends = Annotated[
    list[str] | None,
    typer.Option(
        help="An engine; may be given again. If not given: full all that are built, fast the fastest and slowest."
    ),
]
_Threads = Annotated[
    str | None, typer.Option(help="Such as 1,2,4; if not given 1, all usable cores, and twice as many.")
]
_Batches = Annotated[str | None, typer.Option(help="Such as 1,4,8, for throughput.")]
_Files = Annotated[list[Path] | None, typer.Option(help="An ONNX file to time beside the engines; may be given again.")]
_Pictures = Annotated[
    Path | None, typer.Option(help="Photographs that end-to-end makes its folder of; data/samples if not given.")
]
_Output = Annotated[Path | None, typer.Option(help="The record as JSON; reports/bench.json if not given.")]
_Csv = Annotated[Path | None, typer.Option(help="Folder for the tables as CSV.")]
_Compare = Annotated[Path | None, typer.Option(help="An older record: say what changed beyond the noise.")]
_Fail = Annotated[float | None, typer.Option(metavar="PERCENT", help="Exit 1 when something got slower by more.")]
_Tune = Annotated[
    bool, typer.Option("--tune/--no-tune", help="Remember the best threads and workers for this machine.")
]


def bench(
    suite: _Suites = None,
    profile: _Profile = "fast",
    backend: _Backends = None,
    threads: _Threads = None,
    batch: _Batches = None,
    file: _Files = None,
    pictures: _Pictures = None,
    weights: options.Weights = "auto",
    network: options.NetworkName = RESNET18.name,
    output: _Output = None,
    csv: _Csv = None,
    compare: _Compare = None,
    fail_on_regression: _Fail = None,
    tune: _Tune = True,
) -> int:
    """Measure speed and memory; every figure stands in the record with its raw samples.

    Nothing else should run meanwhile: the table says where it did. Exit status 1 when something could not run.
    """
    from resnet18_lab.benchmark import record as records
    from resnet18_lab.benchmark.measure.runner import run
    from resnet18_lab.benchmark.suites import chosen_suites

    weights = with_network(network, weights)
    _check_packages()
    if fail_on_regression is not None and compare is None:
        raise ParameterError("--fail-on-regression needs an older record to compare with: --compare OLD.json.")
    old = records.read(compare) if compare else None
    target = _target(output)
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # ends like Ctrl-C: what was measured is kept
    measured = run(
        chosen_suites(suite, profile, weights), profile=profile, backends=backend, files=file, pictures=pictures,
        threads=numbers(threads, "--threads"), batches=numbers(batch, "--batch"), weights=weights, notify=note,
        keep=lambda record: record.save(target),
    )  # fmt: skip
    measured.save(target)
    _show(measured, csv)
    note(f"record: {target} ({measured.seconds:.0f} s, waiting took {measured.parent_cpu_share:.1%} of a core)")
    if tune:
        _tune(measured, weights)
    return _status(old, measured, fail_on_regression)


def _target(output: Path | None) -> Path:
    from resnet18_lab.base.paths import reports_dir

    target = output or reports_dir() / "bench.json"
    target.parent.mkdir(parents=True, exist_ok=True)
    return target


def _status(old: "Record | None", measured: "Record", percent: float | None) -> int:
    """Exit status: 130 when interrupted, 1 when something got slower by so many percent or could not run, else 0."""
    slower = _compared(old, measured, percent) if old else False
    failed = [row for row in measured.rows if row.failures and not row.results]
    for row in failed:
        note(f"could not run: {row.configuration.suite} {row.configuration.engine}: {row.failures[0]}")
    if measured.interrupted:
        note("interrupted: what was measured until then is kept in the record")
        return _INTERRUPTED
    return 1 if slower or failed else 0


def _check_packages() -> None:
    """LabError now rather than a traceback after minutes of measuring."""
    if find_spec("pandas") is None:
        raise LabError("`bench` needs pandas for its tables; install it with `pip install 'resnet18-lab[notebooks]'`.")


def _show(measured: "Record", csv: Path | None) -> None:
    from resnet18_lab.benchmark.results.tables import TABLES
    from resnet18_lab.benchmark.results.targets import targets

    for suite, make in TABLES.items():
        if not measured.of(suite):
            continue
        table = make(measured)
        typer.echo(
            f"\n{suite} ({measured.profile} profile, weights {measured.weights['name']}, {measured.environment['cpu']})"
        )
        _print(table)
        if csv:
            csv.mkdir(parents=True, exist_ok=True)
            table.to_csv(csv / f"{suite}.csv", index=False)
    if said := shortened(measured.effort):
        typer.echo(said)
    for target in targets(measured):
        typer.echo(target)


def _print(frame: "pd.DataFrame") -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in frame.columns:
        table.add_column(
            str(heading), justify="left" if heading in frame.columns[[0, -1]] else "right", overflow="fold"
        )
    for row in frame.astype(str).itertuples(index=False):
        table.add_row(*row)
    # a pipe has no width of its own: long lines are better there than folded ones
    Console(width=None if sys.stdout.isatty() else 200).print(table)


def _tune(measured: "Record", weights: str) -> None:
    from resnet18_lab.benchmark.results.tuning import best_threads, best_workers, write_tuned
    from resnet18_lab.inference.artifacts import find_folder

    folder = find_folder(weights)
    if not folder.is_dir() or not (measured.of("latency") or measured.of("throughput")):
        return
    best = [
        f"best {what} ({', '.join(f'{name} {count}' for name, count in found.items())})"
        for what, found in (
            ("threads", best_threads(measured)),
            ("workers", {name: count for name, count in best_workers(measured).items() if count}),
        )
        if found
    ]
    path = write_tuned(measured, folder)
    if path and best:
        note(f"{' and '.join(best)} remembered in {path}; --no-tune leaves it alone")
    else:
        note("no best threads remembered: too noisy or incomplete to decide; measure again with nothing else running")


def _compared(old: "Record", new: "Record", percent: float | None) -> bool:
    from resnet18_lab.benchmark.results.compare import compare, regressions

    if old.environment.get("cpu") != new.environment.get("cpu"):
        note(f"the older record is of another CPU ({old.environment.get('cpu')}): the ratios compare machines")
    changes = compare(old, new)
    for change in changes:
        if change.verdict != "within the noise":
            typer.echo(f"{change.verdict}: {change.key}, {change.ratio:.2f} × the time")
    same = sum(change.verdict == "within the noise" for change in changes)
    typer.echo(f"{len(changes)} configurations compared, {same} within the noise")
    return percent is not None and bool(regressions(changes, percent))


COMMANDS = {"bench": (bench, EXAMPLES)}
