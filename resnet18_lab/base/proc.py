"""Memory of processes and CPU time of the machine, from Linux's /proc; None on other systems."""

import os
import re
from dataclasses import dataclass
from pathlib import Path

PROC = Path("/proc")
_KB = 1024


def peak_rss(status: str = "self/status") -> int | None:
    """Largest resident memory this process has had, in bytes (VmHWM).

    Not ``ru_maxrss``: a process inherits that value from the one that started it.
    """
    return _field(PROC / status, "VmHWM")


def rss(status: str = "self/status") -> int | None:
    """Resident memory of this process now, in bytes (VmRSS)."""
    return _field(PROC / status, "VmRSS")


def pss(rollup: str = "self/smaps_rollup") -> int | None:
    """Resident memory of this process in bytes, where a shared page counts proportionally (PSS)."""
    return _field(PROC / rollup, "Pss")


def _field(path: Path, name: str) -> int | None:
    try:
        match = re.search(rf"^{name}:\s+(\d+) kB", path.read_text(encoding="ascii"), re.MULTILINE)
    except OSError:
        return None
    return int(match[1]) * _KB if match else None


def starved_seconds() -> float | None:
    """Seconds that this process's threads were ready to run and had no core, so far; of threads that are there."""
    try:
        lines = [path.read_text(encoding="ascii") for path in (PROC / "self" / "task").glob("*/schedstat")]
    except OSError:  # a thread has ended meanwhile, or the kernel keeps no such figures
        return None
    return sum(int(line.split()[1]) for line in lines) / 1e9 if lines else None


@dataclass(frozen=True)
class MachineTime:
    """Ticks of all cores since boot: total, busy, and those a hypervisor gave to other guests (steal)."""

    total: int
    busy: int
    steal: int


def machine_time() -> MachineTime | None:
    """The current counters; subtract two of them to get the time in between."""
    try:
        line = (PROC / "stat").read_text(encoding="ascii").split("\n", 1)[0]
    except OSError:
        return None
    user, nice, system, idle, waiting, irq, soft, steal = (int(value) for value in line.split()[1:9])
    return MachineTime(
        total=user + nice + system + idle + waiting + irq + soft + steal,
        busy=user + nice + system + irq + soft,
        steal=steal,
    )


def taken_by_others(
    before: MachineTime | None, after: MachineTime | None, own_seconds: float, seconds: float
) -> dict[str, float] | None:
    """Shares of all cores' time that were stolen (``steal``), and that others used (``others``), in between.

    ``own_seconds`` is the CPU time of what was measured, ``seconds`` how long it took; None where the system does not
    tell.
    """
    if before is None or after is None or after.total == before.total:
        return None
    total = after.total - before.total
    own = own_seconds / (seconds * (os.cpu_count() or 1))
    return {"steal": (after.steal - before.steal) / total, "others": max(0.0, (after.busy - before.busy) / total - own)}
