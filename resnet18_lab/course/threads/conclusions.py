"""What a record teaches about threads: sentences and tables written from its figures."""

from dataclasses import replace

import pandas as pd

from resnet18_lab.base.conclusion import Conclusion
from resnet18_lab.base.machine import usable_cores
from resnet18_lab.benchmark.configuration import TAKES_SPINNING, Configuration
from resnet18_lab.benchmark.record import Record
from resnet18_lab.benchmark.results.conclusions import noise_of
from resnet18_lab.benchmark.results.formatting import intervals, shown
from resnet18_lab.benchmark.results.tuning import best_threads
from resnet18_lab.benchmark.statistics import OWN_SPREAD_FROM, Interval
from resnet18_lab.benchmark.suites import first_core

TUTORIALS_THREADS = 4
"""The number that tutorials recommend for every machine."""


DECIDING_STARTS = OWN_SPREAD_FROM
"""Process starts from which a few rows can decide: their own spread is known by then."""


_WIDE = "the interval of the fastest setting is too wide"
_AGAIN = (
    "close what else runs and measure again, with more process starts "
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
    """For each engine the share of the work that threads can split, if Amdahl's law holds: two times cannot test it.

    The law: time(N) = time(1) · (1 - p + p/N), solved for p with 1 thread and the most threads that have a core each;
    ``limit`` is 1/(1-p), the most that any number of threads could then win. Ranges are 95 % intervals.
    """
    cores = min((row.cores for row in record.of("latency")), default=1)
    rows = {}
    for backend, times in _times(record).items():
        most = max((count for count in times if count <= cores), default=1)
        if 1 in times and most > 1:
            faster = times[1].over(times[most])
            share = [_share(value, most) for value in (faster.value, faster.low, faster.high)]
            rows[backend] = {
                "threads": most,
                "times faster": f"{faster.value:.2f}",
                "95 %": f"{faster.low:.2f} to {faster.high:.2f}",
                "parallel share": f"{share[0]:.2f}",
                "limit": f"{_limit(share[1])} to {_limit(share[2])}",
            }
    return pd.DataFrame(rows).T


def speedup(record: Record, backend: str) -> Conclusion:
    """How many times as fast the most threads that have a core each are as one."""
    table = amdahl(record)
    if backend not in table.index:
        return Conclusion("speedup", f"{backend} was not timed with several threads that have a core each.")
    row = table.loc[backend]
    said = f"{backend}: {row['threads']} threads are {row['times faster']} times as fast as one ({row['95 %']})."
    return Conclusion("speedup", said).unless(noise_of(record))


def _share(faster: float, threads: int) -> float:
    """The parallel share of Amdahl's law for a speedup with so many threads."""
    if faster <= 0:
        return 0.0
    return min(1.0, max(0.0, (1 - 1 / faster) * threads / (threads - 1)))


def _limit(share: float) -> str:
    return f"{1 / (1 - share):.1f}" if share < 1 else "none"


def fixed_four(record: Record) -> list[Conclusion]:
    """What the tutorials' four threads cost here beside the best setting, engine by engine."""
    best, noise, found = best_threads(record), noise_of(record), []
    for backend, times in _times(record).items():
        name = f"four threads, {backend}"
        if backend not in best:
            found.append(Conclusion(name, "", _WIDE))
        elif TUTORIALS_THREADS not in times:
            found.append(Conclusion(name, f"{backend}: never ran {TUTORIALS_THREADS} threads here."))
        else:
            ratio = times[TUTORIALS_THREADS].over(times[best[backend]])
            sure = ": no difference shown" if ratio.holds(1) else ""
            said = f"{TUTORIALS_THREADS} threads take {ratio.value:.2f} × the time of {best[backend]}"
            found.append(Conclusion(name, f"{backend}: {said} ({ratio.low:.2f} to {ratio.high:.2f}){sure}."))
    return [each.unless(noise) for each in found]


def decision(record: Record) -> list[Conclusion]:
    """The setting to use on this machine, engine by engine, or why there is none and what to do."""
    best, noise = best_threads(record), noise_of(record)
    found: list[Conclusion] = []
    for backend, times in _times(record).items():
        name = f"threads, {backend}"
        if backend not in best:
            found.append(Conclusion(name, "", f"{_WIDE}; {_AGAIN}"))
            continue
        said = f"{backend}: {best[backend]} thread(s), {shown(times[best[backend]])} ms a picture"
        found.append(Conclusion(name, said).unless(noise and f"{noise}; {_AGAIN}"))
    return found
