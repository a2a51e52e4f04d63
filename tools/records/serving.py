"""Measure the service under load and attack, beside the service that tutorials print; writes docs/records/serving.json.

Usage: python tools/records/serving.py [--pictures FOLDER] [--short] [--soak SECONDS] [--output FILE]

Without arguments it is the run behind docs/serving.md, on the photographs that RESNET18_LAB_IMAGES names or the class
room shares (../shared/images). Only such a run is written over docs/records/serving.json; any other goes to
reports/ unless --output names a file. Each service runs on one core of its own, the load generator (tools/records/load_client.py) on another; what the
generator itself used of its core stands in the record. ``--short`` takes a minute or two and is for tests: its
figures are too few to be quoted.
"""

import argparse
import io
import json
import os
import sys
import tempfile
import threading
import time
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path

from PIL import Image
from serving_attack import bad_inputs, killed_worker, overload, slow_clients
from serving_events import ended, hostile_mix, replaced_workers
from serving_services import ROOT, ask, cpu_seconds, get, predict, resident, send, service, summed, tutorial_service

from resnet18_lab.base import paths
from resnet18_lab.base.machine import git_commit
from resnet18_lab.benchmark.folder import photographs
from resnet18_lab.benchmark.kept_records import Measuring, read_record

RECORD = paths.records_dir() / "serving.json"
QUALITIES = (70, 80, 90, 95)
AT_ONCE = 10


@dataclass(frozen=True)
class Size:
    """How much is sent in each part."""

    pictures: int
    tutorial_requests: int
    requests: int
    cached_requests: int
    overload_seconds: float
    bad_rounds: int
    soak_seconds: float
    rounds: int = 2
    """Of the services that are compared, one after the other."""


FULL = Size(250, 500, 1000, 4000, 15, 20, 600)
SHORT = Size(8, 10, 60, 100, 2, 2, 4, rounds=1)


def re_encoded(source: Path | None, folder: Path, count: int) -> int:
    """Each of ``count`` photographs encoded at four qualities; returns how many photographs there were."""
    originals = photographs(source)
    selection = originals[:: max(1, len(originals) // count)][:count]
    for number, path in enumerate(selection):
        with Image.open(path) as picture:
            rgb = picture.convert("RGB")
        for quality in QUALITIES:
            out = io.BytesIO()
            rgb.save(out, "JPEG", quality=quality)
            (folder / f"{number:04}.{quality}.jpg").write_bytes(out.getvalue())
    return len(selection)


def in_turn(folder: Path, size: Size) -> tuple[dict, dict, dict, dict | None]:
    """The tutorials' service and ours, round after round on the same core, so that both see the machine's good and
    bad minutes; what ours reports about itself; and ours with OpenVINO on the same file, where that is installed.
    """  # noqa: D205 - one sentence
    theirs, mine, other = [], [], []
    for number in range(size.rounds):
        say(f"the tutorials' service and ours on the same core, round {number + 1} of {size.rounds}")
        with tutorial_service() as url:
            send(url, folder, "--at-once", 2, "--requests", 4)
            requests = size.tutorial_requests // size.rounds
            theirs.append(ask(url, folder, "--at-once", AT_ONCE, "--requests", requests))
        with service("--cache", "0") as running:
            model = json.loads(get(running.url, "/api/v1/model")[1])
            send(predict(running), folder, "--at-once", 2, "--requests", 20)
            mine.append(ask(predict(running), folder, "--at-once", AT_ONCE, "--requests", size.requests // size.rounds))
            about = {"ready_seconds": running.ready_seconds, "memory_mb": resident(running)}
        if find_spec("openvino") is not None:
            with service("--cache", "0", "--backend", f"openvino-{model['engine']['precision']}") as running:
                send(predict(running), folder, "--at-once", 2, "--requests", 20)
                other.append(
                    ask(predict(running), folder, "--at-once", AT_ONCE, "--requests", size.requests // size.rounds)
                )
    return summed(theirs), {**summed(mine), **about}, model, summed(other) if other else None


def workers_beside_each_other(folder: Path, requests: int) -> dict:
    """One worker and two, each free to use both cores, the generator beside them; by number of workers."""
    loads = {}
    for workers in (1, 2):
        with service("--cache", "0", "--workers", str(workers), cores=(0, 1)) as running:
            before = cpu_seconds(running)
            part = send(predict(running), folder, "--at-once", 2 * AT_ONCE, "--requests", requests, cores=(0, 1))
            loads[str(workers)] = {**part, "cores_in_use": (cpu_seconds(running) - before) / part["seconds"]}
    return loads


def soak(folder: Path, peak: float, seconds: float) -> dict:
    """80 % of its capacity for a long time; memory of the workers by the second it was read at."""
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
        load = send(predict(running), folder, "--at-once", 50, "--rate", 0.8 * peak, "--seconds", seconds)
        end.set()
        watcher.join()
    settled = min(60.0, seconds / 10)
    at_start = next(mb for at, mb in memory if at >= settled)
    return {**load, "offered": 0.8 * peak, "settled_after": settled, "growth_mb": memory[-1][1] - at_start,
            "memory": [(round(at, 1), round(mb, 1)) for at, mb in memory]}  # fmt: skip


def measure(source: Path | None, size: Size) -> dict:
    """The whole record."""
    with tempfile.TemporaryDirectory(prefix="resnet18-lab-load-") as place:
        folder = Path(place)
        count = re_encoded(source, folder, size.pictures)
        tutorial, ours, model, other = in_turn(folder, size)
        say("answers from the cache")
        with service("--cache", "4096") as running:
            send(predict(running), folder, "--at-once", 4, "--requests", count * len(QUALITIES))
            cached = send(predict(running), folder, "--at-once", AT_ONCE, "--requests", size.cached_requests)
        say("one and two workers on both cores, the generator beside them")
        worker_loads = workers_beside_each_other(folder, size.requests)
        say("twice the capacity")
        double_load = overload(folder, ours["rate"], size.overload_seconds)
        say("clients that do not finish, bad inputs, and a killed worker")
        attack, bad, killed = slow_clients(folder, AT_ONCE, size.requests), bad_inputs(size.bad_rounds), killed_worker()
        say("dear pictures among the others, SIGHUP and SIGTERM at work")
        hostile = hostile_mix(folder, AT_ONCE, size.requests)
        replaced, stopped = replaced_workers(folder), ended(folder)
        soak_result = soaked_or_kept(folder, ours["rate"], size.soak_seconds)
    return {
        "model": model, "at_once": AT_ONCE,
        "pictures": {"folder": source.name if source else "data/samples", "photographs": count,
                     "re_encodings": list(QUALITIES)},
        "tutorial": tutorial, "ours": ours, "other": other, "other_engine": f"openvino-{model['engine']['precision']}", "cached": cached, "workers": worker_loads, "overload": double_load, "attack": attack,
        "bad_inputs": bad, "killed": killed, "hostile": hostile, "replaced": replaced, "ended": stopped,
        "soak": soak_result,
    }  # fmt: skip


def soaked_or_kept(folder: Path, peak: float, seconds: float) -> dict:
    """A soak of so many seconds, or for 0 the one in the kept record."""
    if not seconds:
        return read_record(RECORD)["soak"]
    say(f"soak for {seconds:.0f} s")
    return {**soak(folder, peak, seconds), "git_commit": git_commit()}


def place_of(source: Path | None, *, short: bool) -> Path:
    """Where a run's record goes without --output: over the kept one only for a full run on the photographs."""
    return RECORD if source and not short else paths.reports_dir() / RECORD.name


def classroom_pictures() -> Path | None:
    """The folder that RESNET18_LAB_IMAGES names, or the classroom's beside the clone; None when there is none."""
    place = os.environ.get("RESNET18_LAB_IMAGES")
    if place and not Path(place).is_dir():
        raise SystemExit(f"RESNET18_LAB_IMAGES={place} is no folder; correct or unset it.")
    folder = Path(place) if place else ROOT.parent / "shared" / "images"
    nested = folder / "imagenet-sample"
    return next((path for path in (nested, folder) if path.is_dir()), None)


def say(text: str) -> None:
    """Progress."""
    print(f"load: {text}", file=sys.stderr, flush=True)


def main() -> None:
    """Write the record."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pictures", type=Path, help="photographs; the classroom's if not given, else data/samples")
    parser.add_argument("--short", action="store_true")
    parser.add_argument("--soak", type=float, help="seconds; 600 if not given, 0 keeps the last one")
    parser.add_argument("--output", type=Path, help="the kept record if not given and the run is a full one")
    options = parser.parse_args()
    size = SHORT if options.short else FULL
    if options.soak is not None:
        size = replace(size, soak_seconds=options.soak)
    source = options.pictures or classroom_pictures()
    if source is None:
        say("there are no photographs in RESNET18_LAB_IMAGES or ../shared/images: data/samples are used, which are few")
    output = options.output or place_of(source, short=options.short)
    profile = "short" if options.short else "full"
    measuring = Measuring(profile=profile, pictures=source.name if source else "data/samples", soak=size.soak_seconds)
    measuring.write(output, measure(source, size))
    say(f"written to {output}")


if __name__ == "__main__":
    main()
