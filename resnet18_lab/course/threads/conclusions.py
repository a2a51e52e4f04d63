"""What a record teaches about threads: sentences and tables written from its figures."""

from dataclasses import replace

import pandas as pd

from resnet18_lab.base.machine import usable_cores
from resnet18_lab.benchmark.configuration import TAKES_SPINNING, Configuration
from resnet18_lab.benchmark.record import Record
from resnet18_lab.benchmark.results.formatting import intervals, shown
from resnet18_lab.benchmark.results.tuning import best_threads
from resnet18_lab.benchmark.statistics import OWN_SPREAD_FROM, Interval
from resnet18_lab.benchmark.suites import first_core

TUTORIALS_THREADS = 4
"""The number that tutorials recommend for every machine."""


DECIDING_STARTS = OWN_SPREAD_FROM
"""Process starts from which a few rows can decide: their own spread is known by then."""


_TOO_NOISY = (
    "too noisy to decide: close what else runs and measure again, with more process starts "
    "(`resnet18-lab bench --suite latency --profile full`)"
)


def crowding(backend: str) -> list[Configuration]:
    """Ways to keep all usable cores busy: one pool, one session a core, and pools that fight for the cores.

    The last pins everything to one core, which is what a container with a quota of one core gives; it is left
    out where the system cannot pin.
    """
    cores = max(2, usable_cores())
    one = Configuration("throughput", backend)
    return [
        one,
        replace(one, threads=cores),
        replace(one, workers=cores, spinning=not backend.startswith(TAKES_SPINNING)),
        replace(one, threads=cores, workers=cores),
        *(replace(one, threads=cores, affinity=first) for first in [first_core()] if first),
    ]


def _times(record: Record) -> dict[str, dict[int, Interval]]:
    """Seconds a picture by engine and threads, of the rows whose engine ran the threads it was asked for."""
    seconds = intervals(record, "latency")
    times: dict[str, dict[int, Interval]] = {}
    for row in record.plain("latency"):
        configuration = row.configuration
        times.setdefault(configuration.backend, {})[configuration.threads] = seconds[configuration.key()]
    return times


def amdahl(record: Record) -> pd.DataFrame:
    """For each engine the share of the work that threads can split, from its times with 1 and N threads.

    Amdahl's law: time(N) = time(1) · (1 - p + p/N), solved for p with the most threads that have a core
    each; ``limit`` is 1/(1-p), the most that any number of threads could win.
    """
    cores = min((row.cores for row in record.of("latency")), default=1)
    rows = {}
    for backend, times in _times(record).items():
        seconds = {count: interval.value for count, interval in times.items() if count <= cores}
        most = max(seconds, default=1)
        if 1 in seconds and most > 1:
            speedup = seconds[1] / seconds[most]
            parallel = min(1.0, max(0.0, (1 - 1 / speedup) * most / (most - 1)))
            limit = 1 / (1 - parallel) if parallel < 1 else float("inf")
            rows[backend] = {"threads": most, "times faster": speedup, "parallel share": parallel, "limit": limit}
    return pd.DataFrame(rows).T


def fixed_four(record: Record) -> str:
    """What the tutorials' four threads cost here beside the best setting, engine by engine."""
    best = best_threads(record)
    sentences = [f"This machine has {usable_cores()} usable core(s)."]
    for backend, times in _times(record).items():
        if backend not in best:
            sentences.append(f"{backend}: {_TOO_NOISY}.")
        elif TUTORIALS_THREADS not in times:
            sentences.append(f"{backend}: never ran {TUTORIALS_THREADS} threads here.")
        else:
            four, own = times[TUTORIALS_THREADS], times[best[backend]]
            sure = " (within the noise)" if four.overlaps(own) else ""
            ratio = four.value / own.value
            sentences.append(
                f"{backend}: {TUTORIALS_THREADS} threads take {ratio:.2f} × the time of {best[backend]}{sure}."
            )
    return "\n".join(sentences)


def decision(record: Record) -> str:
    """The setting to use on this machine, engine by engine, or why there is none and what to do."""
    best, lines = best_threads(record), []
    for backend, times in _times(record).items():
        lines.append(
            f"{backend}: {best[backend]} thread(s), {shown(times[best[backend]])} ms a picture"
            if backend in best
            else f"{backend}: {_TOO_NOISY}"
        )
    return "\n".join(lines) or "Nothing was measured that could decide."
