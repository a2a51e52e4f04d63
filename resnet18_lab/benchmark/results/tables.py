"""A record as pandas frames and Markdown; figures rounded to what their spread supports."""

from collections.abc import Callable
from operator import eq
from statistics import median
from typing import Any

import pandas as pd

from resnet18_lab.benchmark import statistics
from resnet18_lab.benchmark.folder import bound
from resnet18_lab.benchmark.record import Record, Row
from resnet18_lab.benchmark.results.formatting import (  # fmt: skip
    NOT_AVAILABLE,
    folder_rates,
    intervals,
    megabytes,
    names_of,
    rates,
    shown,
    supported,
    warnings_of,
)

__all__ = ["NOT_AVAILABLE", "TABLES", "intervals", "markdown", "megabytes", "shown", "warnings_of"]


def latency(record: Record) -> pd.DataFrame:
    """Milliseconds for one picture by engine and threads."""
    seconds = intervals(record, "latency")
    names = names_of(record.of("latency"))
    rows = []
    for row in record.of("latency"):
        configuration = row.configuration
        settings = ["A/A"] if configuration.twin else []
        settings += [configuration.settings] if configuration.settings else []
        name = names[configuration.backend, configuration.file]
        line: dict[str, Any] = {
            "engine": f"{name} ({', '.join(settings)})" if settings else name,
            "threads": configuration.threads,
        }
        if row.results:
            interval = seconds[configuration.key()]
            samples = [value * 1e3 for start in row.starts for value in start]
            q = statistics.quantiles(samples)
            line |= {"ms": shown(interval), **{name: f"{value:.1f}" for name, value in q.items()}}
            line |= {
                "img/s": supported(interval.inverse()),
                "load ms": f"{median(result['load'] for result in row.results) * 1e3:.0f}",
                "first ms": f"{median(result['first'] for result in row.results) * 1e3:.0f}",
            }
        rows.append({**line, "note": warnings_of(row)})
    return pd.DataFrame(rows).fillna("")


def throughput(record: Record) -> pd.DataFrame:
    """Pictures a second by engine, threads of a session, sessions side by side, and batch."""
    seconds, speeds = intervals(record, "throughput"), rates(record)
    rows = []
    for row in record.of("throughput"):
        configuration = row.configuration
        line: dict[str, Any] = {
            "engine": configuration.backend,
            "sessions × threads": f"{configuration.workers} × {configuration.threads}",
            "batch": configuration.batch,
            "settings": configuration.settings,
        }
        if row.results:
            key = configuration.key()
            line |= {
                "img/s": supported(speeds[key]),
                "ms a picture": supported(speeds[key].inverse(), 1e3),
                "ms a batch": shown(seconds[key]),
            }
        rows.append({**line, "note": warnings_of(row)})
    return pd.DataFrame(rows).fillna("")


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
    """Milliseconds from the start of a process to its first answer, and its parts; whole commands to their exit."""
    seconds = intervals(record, "cold-start")
    rows = []
    for row in record.of("cold-start"):
        configuration = row.configuration
        line: dict[str, Any] = {"what": configuration.variant or f"engine {configuration.backend}"}
        if row.results:
            line["ms"] = shown(seconds[configuration.key()])
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
    seconds = intervals(record, "sizes")
    rows = []
    for row in record.of("sizes"):
        size, how = row.configuration.size, row.configuration.preparation
        line: dict[str, Any] = {"picture": size, "preparation": how}
        if row.results:
            answers = [value for result in row.results for value in result["answer_samples"]]
            line |= {
                "prepare ms": shown(seconds[row.configuration.key()]),
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
    speeds = folder_rates(record)
    first = next((row for row in record.of("end-to-end") if row.results), None)
    for row in record.of("end-to-end"):
        configuration = row.configuration
        line: dict[str, Any] = {"what": configuration.variant, "engine": configuration.backend}
        if row.results and first:
            rate, base = (speeds[one.configuration.key()] for one in (row, first))
            answers, first_answers = row.results[0]["answers"], first.results[0]["answers"]
            line |= {
                "img/s": supported(rate),
                "× first row": "1" if row is first else supported(rate.over(base)),
                "bound img/s": f"{most:.0f}" if (most := bound_of(row)) else "",
                "of bound": f"{rate.value / most:.0%}" if most else "",
                "first answer s": f"{median(result['first'] for result in row.results):.1f}",
                "peak MB": megabytes([result["peak"] for result in row.results]),
                "same": f"{sum(map(eq, answers, first_answers)) / len(answers):.1%}",
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
