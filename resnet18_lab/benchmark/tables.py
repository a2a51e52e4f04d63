"""A record as pandas frames, Markdown and CSV; figures rounded to what their spread supports."""

from collections.abc import Callable
from operator import eq
from statistics import median
from typing import Any

import pandas as pd

from resnet18_lab.benchmark import statistics
from resnet18_lab.benchmark.bulk import bound
from resnet18_lab.benchmark.configuration import Configuration
from resnet18_lab.benchmark.record import Record, Row
from resnet18_lab.benchmark.statistics import Interval, decimals

NOT_AVAILABLE = "not available"
_STEAL, _OTHERS = 0.01, 0.05
"""Shares of all cores' time from which being stolen, or used by others, deserves a warning."""
_MB = 1e6


def intervals(record: Record, suite: str) -> dict[str, Interval]:
    """Seconds of one call with their 95 % interval, by the configuration's key; failed ones are left out."""
    rows = [row for row in record.of(suite) if row.results]
    # threads that outnumber the cores scatter many times wider: each kind lends its spread to its own only
    pooled = {
        over: statistics.pooled_spread(row.starts for row in rows if row.oversubscribed is over)
        for over in (False, True)
    }
    return {row.configuration.key(): statistics.interval(row.starts, pooled[row.oversubscribed]) for row in rows}


def warnings_of(row: Row) -> str:
    """What speaks against the row's figures: spread, steal, load, oversubscription, or why there are none."""
    if not row.results:
        return row.failures[0] if row.failures else "not measured"
    found = ["oversubscribed"] if row.oversubscribed else []
    samples = [value for start in row.starts for value in start]
    if len(samples) >= 4:
        q = statistics.quantiles(samples)
        found += ["wide spread"] if (q["p75"] - q["p25"]) / q["p50"] > statistics.WIDE_IQR else []
    noise = [entry for entry in row.noise if entry]
    found += ["steal"] if any(entry["steal"] > _STEAL for entry in noise) else []
    found += ["load from others"] if any(entry["others"] > _OTHERS for entry in noise) else []
    found += [f"steal and load {NOT_AVAILABLE}"] if row.noise and not noise else []
    return ", ".join([*found, *row.failures])


def shown(interval: Interval, scale: float = 1e3) -> str:
    """``value ± half width`` in units of 1/scale seconds, to the digits that the interval supports."""
    half = (interval.high - interval.low) / 2 * scale
    places = decimals(half)
    if half == float("inf"):
        return f"{interval.value * scale:.1f} ± ?"
    return f"{interval.value * scale:.{places}f} ± {half:.{places}f}"


def megabytes(values: list[int | None]) -> str:
    """Median of bytes as MB (10⁶ bytes), or that they are not available."""
    known = [value for value in values if value is not None]
    return f"{median(known) / _MB:.0f}" if known else NOT_AVAILABLE


def latency(record: Record) -> pd.DataFrame:
    """Milliseconds for one picture by engine and threads."""
    found = intervals(record, "latency")
    rows = []
    for row in record.of("latency"):
        configuration = row.configuration
        line: dict[str, Any] = {
            "engine": configuration.engine + (" (A/A)" if configuration.twin else ""),
            "threads": configuration.threads,
        }
        if row.results:
            samples = [value * 1e3 for start in row.starts for value in start]
            q = statistics.quantiles(samples)
            line |= {"ms": shown(found[configuration.key()]), **{name: f"{value:.1f}" for name, value in q.items()}}
            line |= {
                "img/s": f"{1 / found[configuration.key()].value:.0f}",
                "load ms": f"{median(result['load'] for result in row.results) * 1e3:.0f}",
                "first ms": f"{median(result['first'] for result in row.results) * 1e3:.0f}",
            }
        rows.append({**line, "note": warnings_of(row)})
    return pd.DataFrame(rows).fillna("")


def throughput(record: Record) -> pd.DataFrame:
    """Pictures a second by engine, threads of a session, sessions side by side, and batch."""
    found = intervals(record, "throughput")
    rows = []
    for row in record.of("throughput"):
        configuration = row.configuration
        line: dict[str, Any] = {
            "engine": configuration.backend,
            "sessions × threads": f"{configuration.workers} × {configuration.threads}",
            "batch": configuration.batch,
            "settings": _settings(configuration),
        }
        if row.results:
            seconds = found[configuration.key()].value
            line |= {
                "img/s": f"{configuration.batch * configuration.workers / seconds:.1f}",
                "ms a picture": f"{seconds / configuration.batch / configuration.workers * 1e3:.1f}",
                "ms a batch": shown(found[configuration.key()]),
            }
        rows.append({**line, "note": warnings_of(row)})
    return pd.DataFrame(rows).fillna("")


def _settings(configuration: Configuration) -> str:
    found = [] if configuration.spinning else ["no spinning"]
    found += [f"on core {','.join(map(str, configuration.affinity))}"] if configuration.affinity else []
    return ", ".join(found)


def memory(record: Record) -> pd.DataFrame:
    """MB of a process by engine: largest so far (VmHWM) and now (PSS), with the imports alone beside them."""
    rows = []
    for row in record.of("memory"):
        line: dict[str, Any] = {"engine": row.configuration.backend}
        if row.results:
            names = {
                "peak": "peak MB",
                "pss": "PSS MB",
                "import_peak": "imports: peak MB",
                "import_pss": "imports: PSS MB",
            }
            line |= {heading: megabytes([result[name] for result in row.results]) for name, heading in names.items()}
        rows.append({**line, "note": warnings_of(row)})
    return pd.DataFrame(rows).fillna("")


def cold_start(record: Record) -> pd.DataFrame:
    """Milliseconds from the start of a process to its first answer, and its parts; whole commands to their end."""
    found = intervals(record, "cold-start")
    rows = []
    for row in record.of("cold-start"):
        configuration = row.configuration
        line: dict[str, Any] = {"what": configuration.variant or f"engine {configuration.backend}"}
        if row.results:
            line["ms"] = shown(found[configuration.key()])
            for part in row.results[0].get("parts", {}):
                line[f"{part} ms"] = f"{median(result['parts'][part] for result in row.results) * 1e3:.0f}"
            line["peak MB"] = megabytes([result["peak"] for result in row.results])
        rows.append({**line, "note": warnings_of(row)})
    return pd.DataFrame(rows).fillna("")


def stages(record: Record) -> pd.DataFrame:
    """Milliseconds of each stage of one picture's way, and its share."""
    rows = []
    for row in record.of("stages"):
        if not row.results:
            rows.append({"stage": row.configuration.backend, "ms": "", "share": "", "note": warnings_of(row)})
            continue
        names = list(row.results[0]["parts"])
        medians = {name: median([value for result in row.results for value in result["parts"][name]]) for name in names}
        for name, seconds in medians.items():
            rows.append(
                {
                    "stage": name,
                    "ms": f"{seconds * 1e3:.2f}",
                    "share": f"{seconds / sum(medians.values()):.1%}",
                    "note": warnings_of(row),
                }
            )
    return pd.DataFrame(rows)


def sizes(record: Record) -> pd.DataFrame:
    """Milliseconds to prepare a picture by size and way, with first and steady answer, and peak memory."""
    found = intervals(record, "sizes")
    rows = []
    for row in record.of("sizes"):
        size, how = row.configuration.variant.split(" ", 1)
        line: dict[str, Any] = {"picture": size, "preparation": how}
        if row.results:
            answers = [value for result in row.results for value in result["answer_samples"]]
            line |= {
                "prepare ms": shown(found[row.configuration.key()]),
                "first answer ms": f"{median(result['first'] for result in row.results) * 1e3:.0f}",
                "steady answer ms": f"{median(answers) * 1e3:.1f}",
                "peak MB": megabytes([result["peak"] for result in row.results]),
            }
        rows.append({**line, "note": warnings_of(row)})
    return pd.DataFrame(rows).fillna("")


def end_to_end(record: Record) -> pd.DataFrame:
    """Pictures a second from a folder to answers, beside the first loop of the tutorials and the bound of the cores.

    The bound is what the cores could do if each were always busy with reading, decoding, preparing or running.
    ``same`` is the share of answers that are the first loop's.
    """
    rows = []
    first = next((row for row in record.of("end-to-end") if row.results), None)
    for row in record.of("end-to-end"):
        configuration = row.configuration
        line: dict[str, Any] = {"what": configuration.variant, "engine": configuration.backend}
        if row.results and first:
            rate, base = (median(result["rate"] for result in one.results) for one in (row, first))
            answers, theirs = row.results[0]["answers"], first.results[0]["answers"]
            line |= {
                "img/s": f"{rate:.0f}",
                "× first row": f"{rate / base:.2f}",
                "bound img/s": f"{most:.0f}" if (most := bound_of(row)) else "",
                "of bound": f"{rate / most:.0%}" if most else "",
                "first answer s": f"{median(result['first'] for result in row.results):.1f}",
                "peak MB": megabytes([result["peak"] for result in row.results]),
                "same": f"{sum(map(eq, answers, theirs)) / len(answers):.1%}",
            }
        rows.append({**line, "note": warnings_of(row)})
    return pd.DataFrame(rows).fillna("")


def bound_of(row: Row) -> float | None:
    """Pictures a second that all workers could do if each were always at work; None without stages."""
    rates = [bound(result["stages"], row.configuration.workers) for result in row.results if "stages" in result]
    return median(rates) if rates else None


TABLES: dict[str, Callable[[Record], pd.DataFrame]] = {
    "latency": latency, "throughput": throughput, "memory": memory, "cold-start": cold_start, "stages": stages,
    "sizes": sizes, "end-to-end": end_to_end,
}  # fmt: skip


def markdown(table: pd.DataFrame) -> str:
    """The table in Markdown."""
    rows = [list(map(str, table.columns)), ["---"] * len(table.columns), *table.astype(str).to_numpy().tolist()]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in rows)
