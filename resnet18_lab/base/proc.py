"""What Linux tells of processes and of the machine under /proc; None everywhere else."""

import re
from dataclasses import dataclass
from pathlib import Path

PROC = Path("/proc")
_KB = 1024


def peak_rss(status: str = "self/status") -> int | None:
    """Largest resident memory this process has had, in bytes (VmHWM).

    Not ``ru_maxrss``, which a process inherits from the one that started it.
    """
    return _field(PROC / status, "VmHWM")


def rss(status: str = "self/status") -> int | None:
    """Resident memory of this process now, in bytes (VmRSS)."""
    return _field(PROC / status, "VmRSS")


def pss(rollup: str = "self/smaps_rollup") -> int | None:
    """Resident memory of this process in bytes, pages shared with others counted by share (PSS)."""
    return _field(PROC / rollup, "Pss")


def _field(path: Path, name: str) -> int | None:
    try:
        found = re.search(rf"^{name}:\s+(\d+) kB", path.read_text(encoding="ascii"), re.MULTILINE)
    except OSError:
        return None
    return int(found[1]) * _KB if found else None


@dataclass(frozen=True)
class MachineTime:
    """Ticks of all cores since boot: all, those at work, and those a hypervisor gave to others (steal)."""

    total: int
    busy: int
    steal: int


def machine_time() -> MachineTime | None:
    """The counters of now; the difference of two tells what happened between."""
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
