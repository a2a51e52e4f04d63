"""Runs the load generator (tools/load_client.py) and sums up what it says."""

import json
import subprocess
import sys
from collections import Counter
from pathlib import Path

from load_services import CLIENT_CORE, ROOT, on_cores

from resnet18_lab.load_study import percentile


def ask(url: str, folder: Path, *options: object, cores: tuple[int, ...] = (CLIENT_CORE,)) -> dict:
    """What the load generator says."""
    command = [sys.executable, str(ROOT / "tools" / "load_client.py"), url, str(folder), *map(str, options)]
    with on_cores(*cores):
        process = subprocess.Popen(command, stdout=subprocess.PIPE)
    said, _ = process.communicate()
    return json.loads(said)


def send(url: str, folder: Path, *options: object, cores: tuple[int, ...] = (CLIENT_CORE,)) -> dict:
    """The figures of one load."""
    return summed([ask(url, folder, *options, cores=cores)])


def summed(parts: list[dict]) -> dict:
    """Rate of good answers, percentiles in ms and failures of the parts together, in place of every single time."""
    times = [spent for part in parts for spent in part["ms"]]
    statuses = sum((Counter(part["statuses"]) for part in parts), Counter())
    seconds = sum(part["seconds"] for part in parts)
    client = sum(part["client_cpu_share"] * part["seconds"] for part in parts) / seconds
    return {
        "seconds": seconds, "statuses": statuses, "client_cpu_share": client, "requests": statuses.total(),
        "rate": len(times) / seconds, "rates": [len(part["ms"]) / part["seconds"] for part in parts],
        "p50": percentile(times, 50), "p99": percentile(times, 99), "refused": statuses["503"],
        "failed": statuses.total() - len(times) - statuses["503"],
    }  # fmt: skip
