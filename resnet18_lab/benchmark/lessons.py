"""What a record teaches about threads: sentences and tables written from its figures."""

from dataclasses import replace

import pandas as pd

from resnet18_lab.benchmark.configuration import Configuration
from resnet18_lab.benchmark.record import Record
from resnet18_lab.benchmark.tables import intervals
from resnet18_lab.benchmark.tuning import best_threads
from resnet18_lab.cores import usable_cores

TUTORIALS_THREADS = 4
"""The number that tutorials recommend for every machine."""


def crowding(backend: str) -> list[Configuration]:
    """Ways to keep all usable cores busy: one pool, one session a core, and pools that fight for the cores.

    The last pins everything to one core, which is what a container with a quota of one core gives.
    """
    cores = max(2, usable_cores())
    one = Configuration("throughput", backend)
    return [
        one,
        replace(one, threads=cores),
        replace(one, workers=cores, spinning=False),
        replace(one, threads=cores, workers=cores),
        replace(one, threads=cores, affinity=(0,)),
    ]


def amdahl(record: Record) -> pd.DataFrame:
    """For each engine the share of the work that threads can split, from its times with 1 and N threads.

    Amdahl's law: time(N) = time(1) · (1 - p + p/N), solved for p with the most threads that have a core
    each; ``limit`` is 1/(1-p), the most that any number of threads could win.
    """
    found = intervals(record, "latency")
    times: dict[str, dict[int, float]] = {}
    for row in record.of("latency"):
        if row.results and not row.configuration.twin and not row.oversubscribed:
            key = row.configuration.key()
            times.setdefault(row.configuration.backend, {})[row.configuration.threads] = found[key].value
    rows = {}
    for backend, known in times.items():
        most = max(known)
        if 1 in known and most > 1:
            speedup = known[1] / known[most]
            parallel = min(1.0, max(0.0, (1 - 1 / speedup) * most / (most - 1)))
            limit = 1 / (1 - parallel) if parallel < 1 else float("inf")
            rows[backend] = {"threads": most, "times faster": speedup, "parallel share": parallel, "limit": limit}
    return pd.DataFrame(rows).T


def noise_floor(record: Record) -> str:
    """How far the same configuration, measured twice, is from itself: smaller differences mean nothing."""
    found = intervals(record, "latency")
    twin = next((key for key in found if key.endswith("A/A")), None)
    if twin is None:
        return "No control row in this record."
    first = found[twin.removesuffix(" A/A")]
    apart = abs(found[twin].value / first.value - 1)
    return f"The control row is {apart:.1%} from the row it repeats: differences of that size are noise."


def fixed_four(record: Record) -> str:
    """What the tutorials' four threads cost here beside the best setting, engine by engine."""
    found = intervals(record, "latency")
    best = best_threads(record)
    sentences = []
    for backend, count in best.items():
        times = {
            row.configuration.threads: found[row.configuration.key()]
            for row in record.of("latency")
            if row.results and row.configuration.backend == backend and not row.configuration.twin
        }
        if TUTORIALS_THREADS in times and count in times:
            ratio = times[TUTORIALS_THREADS].value / times[count].value
            sure = "" if not times[TUTORIALS_THREADS].overlaps(times[count]) else " (within the noise)"
            sentences.append(f"{backend}: {TUTORIALS_THREADS} threads take {ratio:.2f} × the time of {count}{sure}.")
    cores = usable_cores()
    return f"This machine has {cores} usable core(s). " + " ".join(sentences)


def decision(record: Record) -> str:
    """The setting to use on this machine, engine by engine, and where it comes from."""
    found = intervals(record, "latency")
    lines = []
    for backend, count in best_threads(record).items():
        key = next(
            row.configuration.key()
            for row in record.of("latency")
            if row.configuration.backend == backend
            and row.configuration.threads == count
            and not row.configuration.twin
        )
        lines.append(f"{backend}: {count} thread(s), {found[key].value * 1e3:.0f} ms a picture")
    return "\n".join(lines)
