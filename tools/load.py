"""Measure the service under load and attack, beside the service that tutorials print; writes docs/records/serving.json.

Usage: python tools/load.py [--pictures FOLDER] [--short] [--soak SECONDS] [--output FILE]

Each service runs on one core of its own, the load generator (tools/load_client.py) on another; what the
generator itself used of its core stands in the record. ``--short`` takes a minute and is for tests: its
figures are too few to be quoted.
"""

import argparse
import io
import json
import os
import signal
import sys
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from load_figures import ask, send, summed
from load_services import HealthWatch, get, predict, resident, restarts, service, tutorial_service, workers_of
from PIL import Image

from resnet18_lab import atomicfile, environment, paths, serving_study
from resnet18_lab.benchmark.bulk import photographs

RECORD = paths.records_dir() / "serving.json"
QUALITIES = (70, 80, 90, 95)
AT_ONCE = 10
ROUNDS = 2


@dataclass(frozen=True)
class Size:
    """How much is sent in each part."""

    pictures: int
    tutorial_requests: int
    requests: int
    cached_requests: int
    overload_seconds: float
    soak_seconds: float


FULL = Size(250, 500, 1000, 4000, 15, 600)
SHORT = Size(8, 10, 60, 100, 2, 4)


def re_encoded(source: Path | None, folder: Path, count: int) -> int:
    """Each of ``count`` photographs encoded at four qualities; returns how many photographs there were."""
    found = photographs(source)
    chosen = found[:: max(1, len(found) // count)][:count]
    for number, path in enumerate(chosen):
        with Image.open(path) as picture:
            rgb = picture.convert("RGB")
        for quality in QUALITIES:
            out = io.BytesIO()
            rgb.save(out, "JPEG", quality=quality)
            (folder / f"{number:04}.{quality}.jpg").write_bytes(out.getvalue())
    return len(chosen)


def in_turn(folder: Path, size: Size) -> tuple[dict, dict, dict]:
    """The tutorials' service and ours, round after round on the same core, so that both see the machine's good and
    bad minutes; and what ours says of itself.
    """  # noqa: D205 - one sentence
    theirs, mine = [], []
    for number in range(ROUNDS):
        say(f"the tutorials' service and ours on the same core, round {number + 1} of {ROUNDS}")
        with tutorial_service() as url:
            send(url, folder, "--at-once", 2, "--requests", 4)
            requests = size.tutorial_requests // ROUNDS
            theirs.append(ask(url, folder, "--at-once", AT_ONCE, "--requests", requests))
        with service("--cache", "0") as running:
            model = json.loads(get(running.url, "/api/v1/model")[1])
            send(predict(running), folder, "--at-once", 2, "--requests", 20)
            mine.append(ask(predict(running), folder, "--at-once", AT_ONCE, "--requests", size.requests // ROUNDS))
            about = {"ready_seconds": running.ready_seconds, "memory_mb": resident(running)}
    return summed(theirs), {**summed(mine), **about}, model


def killed_worker() -> dict:
    """Seconds from kill -9 of a worker until another has taken its place, and what /metrics counts."""
    with service() as running:
        before, (pid,) = restarts(running.url), workers_of(running)
        started = time.perf_counter()
        os.kill(pid, signal.SIGKILL)
        while time.perf_counter() - started < 30:
            now = [one for one in workers_of(running) if one != pid]
            if now and get(running.url, "/readyz")[0] == 200:
                break
            time.sleep(0.01)
        return {"seconds": time.perf_counter() - started, "counted": restarts(running.url) - before}


def under_attack(folder: Path, requests: int) -> dict:
    """The same load without and with 50 clients that send half a request and then nothing."""
    with service("--cache", "0") as running:
        quiet = send(predict(running), folder, "--at-once", AT_ONCE, "--requests", requests)
        with serving_study.half_open(running.url, 50):
            attacked = send(predict(running), folder, "--at-once", AT_ONCE, "--requests", requests)
    return {"quiet": quiet, "attacked": attacked}


def overload(folder: Path, peak: float, seconds: float) -> dict:
    """Twice as much as it can do, with /healthz watched meanwhile."""
    with service("--cache", "0") as running:
        send(predict(running), folder, "--at-once", 2, "--requests", 20)
        with HealthWatch(running.url) as health:
            options = ("--at-once", 200, "--rate", 2 * peak, "--seconds", seconds)
            found = send(predict(running), folder, *options)
    return {**found, "peak": peak, "health_p99": health.percentile(99), "health_failed": health.failed}


def soak(folder: Path, peak: float, seconds: float) -> dict:
    """80 % of what it can do for a long time; memory of the workers by the second it was read at."""
    memory: list[tuple[float, float]] = []
    with service("--cache", "0") as running:
        send(predict(running), folder, "--at-once", 50, "--requests", 100)  # the first use of memory is no leak
        end = threading.Event()
        started = time.perf_counter()

        def watch() -> None:
            while not end.wait(max(0.2, seconds / 200)):
                memory.append((time.perf_counter() - started, resident(running)))

        watcher = threading.Thread(target=watch)
        watcher.start()
        found = send(predict(running), folder, "--at-once", 50, "--rate", 0.8 * peak, "--seconds", seconds)
        end.set()
        watcher.join()
    settled = min(60.0, seconds / 10)
    early = [mb for at, mb in memory if settled <= at <= 2 * settled]
    late = [mb for at, mb in memory if at >= seconds - settled]
    return {**found, "offered": 0.8 * peak, "settled_after": settled, "growth_mb": median(late) - median(early),
            "memory": [(round(at, 1), round(mb, 1)) for at, mb in memory]}  # fmt: skip


def measure(source: Path | None, size: Size) -> dict:
    """The whole record."""
    with tempfile.TemporaryDirectory(prefix="resnet18-lab-load-") as place:
        folder = Path(place)
        count = re_encoded(source, folder, size.pictures)
        tutorial, ours, model = in_turn(folder, size)
        say("answers from the cache")
        with service("--cache", "4096") as running:
            send(predict(running), folder, "--at-once", 4, "--requests", count * len(QUALITIES))
            cached = send(predict(running), folder, "--at-once", AT_ONCE, "--requests", size.cached_requests)
        say("one and two workers on both cores, the generator beside them")
        both = {}
        for workers in (1, 2):
            with service("--cache", "0", "--workers", str(workers), cores=(0, 1)) as running:
                options = ("--at-once", 2 * AT_ONCE, "--requests", size.requests)
                both[str(workers)] = send(predict(running), folder, *options, cores=(0, 1))
        say("twice the capacity")
        beyond = overload(folder, ours["rate"], size.overload_seconds)
        say("half-open clients, and a killed worker")
        attack, killed = under_attack(folder, size.requests // 2), killed_worker()
        if size.soak_seconds:
            say(f"soak for {size.soak_seconds:.0f} s")
            soaked = {**soak(folder, ours["rate"], size.soak_seconds), "git_commit": environment.git_commit()}
        else:
            soaked = json.loads(RECORD.read_text(encoding="utf-8"))["soak"]
    return {
        "environment": environment.snapshot(), "model": model, "at_once": AT_ONCE,
        "pictures": {"folder": source.name if source else "data/samples", "photographs": count,
                     "re_encodings": list(QUALITIES)},
        "tutorial": tutorial, "ours": ours, "cached": cached, "workers": both, "overload": beyond, "attack": attack,
        "killed": killed, "soak": soaked,
    }  # fmt: skip


def say(text: str) -> None:
    """Progress."""
    print(f"load: {text}", file=sys.stderr, flush=True)


def main() -> None:
    """Write the record."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pictures", type=Path, help="photographs; data/samples if not given")
    parser.add_argument("--short", action="store_true")
    parser.add_argument("--soak", type=float, help="seconds; 600 if not given, 0 keeps the last one")
    parser.add_argument("--output", type=Path, default=RECORD)
    asked = parser.parse_args()
    size = SHORT if asked.short else FULL
    if asked.soak is not None:
        size = Size(**{**vars(size), "soak_seconds": asked.soak})
    record = measure(asked.pictures, size)
    atomicfile.write_text(asked.output, json.dumps(record, indent=1, sort_keys=True) + "\n")


if __name__ == "__main__":
    main()
