"""What decoding processes cost ordinary pictures: the same work with them and without, in turns on one machine.

Used by tools/records/decoding.py. As a program it is one of the two services, or one worker of a folder run:
python tools/records/decoding_price.py serve|loop HOW ...
"""

import contextlib
import json
import os
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from statistics import median

from load_client import body_of

from resnet18_lab.base.machine import usable_cores
from resnet18_lab.benchmark.folder import make_folder
from resnet18_lab.benchmark.load import send_all
from resnet18_lab.bulk.batch import Job, open_engine
from resnet18_lab.bulk.defaults import DEFAULT_BATCH
from resnet18_lab.inference.classify import answers
from resnet18_lab.preprocessing.decoders import Decoders
from resnet18_lab.preprocessing.prepare import InProcess, Prepared
from resnet18_lab.service import classifier, client
from resnet18_lab.service.app import create_app
from resnet18_lab.service.listening import bound_socket
from resnet18_lab.service.settings import Settings
from resnet18_lab.service.worker import server_config

HOWS = ("in processes", "in the worker")
AT_ONCE = 8


class Here(InProcess):
    """Stands for the service's decoding processes and decodes in its threads."""

    is_ready = True

    def prepare(self, data: bytes, _is_abandoned: Callable[[], bool] = bool) -> Prepared:
        """The crop, made in the thread that asks."""
        return super().prepare(data)

    def wait_ready(self) -> None:
        """It always is."""

    wake = close = wait_ready


def serve(how: str, weights: str) -> None:
    """One worker of the service on a free port, which it prints."""
    import uvicorn

    if how == HOWS[1]:
        classifier.Decoders = lambda _count, *, seconds, **options: Here(**options, decode_seconds=seconds)
    settings = Settings(port=0, weights=weights, cache=0, access_log=False)
    with bound_socket(settings) as sock:
        print(sock.getsockname()[1], flush=True)
        uvicorn.Server(server_config(create_app(settings), settings)).run(sockets=[sock])


def loop(how: str, weights: str, folder: str, part: int, parts: int) -> None:
    """Classify every ``parts``-th picture when told to, and print the seconds it took."""
    files = sorted(Path(folder).iterdir())[part::parts]
    job = Job(weights=weights)
    preparer = Decoders() if how == HOWS[0] else InProcess()
    with open_engine(job) as engine:
        answers([(str(files[0]), files[0])], engine, preparer=preparer)
        print("ready", flush=True)
        sys.stdin.readline()
        began = time.perf_counter()
        for start in range(0, len(files), DEFAULT_BATCH):
            answers([(str(file), file) for file in files[start : start + DEFAULT_BATCH]], engine, preparer=preparer)
        print(time.perf_counter() - began, flush=True)


def _started(*arguments: object) -> subprocess.Popen[str]:
    command = [sys.executable, __file__, *map(str, arguments)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment)


def folder_rate(how: str, weights: str, folder: Path) -> float:
    """Pictures a second of one worker a core."""
    workers = [_started("loop", how, weights, folder, part, usable_cores()) for part in range(usable_cores())]
    for one in workers:
        one.stdout.readline()
    for one in workers:
        one.stdin.write("\n")
        one.stdin.flush()
    slowest = max(float(one.communicate()[0]) for one in workers)
    return len(list(folder.iterdir())) / slowest


def service_rate(how: str, weights: str, folder: Path) -> float:
    """Requests a second of one worker that always has some to do."""
    process = _started("serve", how, weights)
    address = f"http://127.0.0.1:{int(process.stdout.readline())}"
    url = f"{address}/api/v1/classify"
    _wait_for(address)
    bodies = [body_of(path) for path in sorted(folder.iterdir())]
    try:
        _send(url, bodies[: len(bodies) // 4])
        return len(bodies) / _send(url, bodies)
    finally:
        process.terminate()
        process.wait()


def _wait_for(address: str) -> None:
    for _ in range(300):
        with contextlib.suppress(OSError), urllib.request.urlopen(f"{address}/readyz", timeout=5):
            return
        time.sleep(0.1)


def _send(url: str, bodies: list[bytes]) -> float:
    outcomes, seconds = send_all(
        url, [(None, body) for body in bodies], at_once=AT_ONCE, path="/api/v1/classify", kind=client.FORM
    )
    if any(status != 200 for status, _ in outcomes):
        raise SystemExit("the service did not answer every picture")
    return seconds


def price(weights: str, count: int, rounds: int) -> list[dict[str, object]]:
    """Rates of both ways in alternating rounds, and the median of their ratios."""
    rows = []
    with tempfile.TemporaryDirectory(prefix="resnet18-lab-price-") as place:
        folder = Path(place, "pictures")
        folder.mkdir()
        make_folder(None, folder, count)
        for what, rate in (("folder", folder_rate), ("service", service_rate)):
            found = {how: [] for how in HOWS}
            for number in range(rounds):
                for how in HOWS if number % 2 else HOWS[::-1]:
                    found[how].append(round(rate(how, weights, folder), 1))
            ratios = [one / other for one, other in zip(*found.values(), strict=True)]
            rows.append({"what": what, "pictures": count, "rates": found, "ratio": round(median(ratios), 4)})
            print(json.dumps(rows[-1]), flush=True)
    return rows


if __name__ == "__main__":
    if sys.argv[1] == "serve":
        serve(*sys.argv[2:])
    else:
        loop(*sys.argv[2:5], *map(int, sys.argv[5:]))
