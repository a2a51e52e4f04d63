"""Pictures made to cost time and memory: they end, ordinary ones are answered meanwhile, memory has its bound."""

import json
import os
import subprocess
import sys
import threading
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

import httpx
import psutil
import pytest
from support import dear_pictures, pictures
from support import running_service as serving
from support.project import CLASSROOM, run_cli, samples_dir

from resnet18_lab.service.memory import service_mb
from resnet18_lab.service.settings import MEGABYTE, Settings

CAT = (samples_dir() / "cat.jpg").read_bytes()
CLIENTS = 4
SECONDS = float(os.environ.get("RESNET18_LAB_FLOOD_SECONDS", "5"))
PATIENCE = 120.0
ORDINARY_SECONDS = 1.0

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def service(untrained_home, tmp_path_factory):
    """One worker that remembers no answers."""
    running = serving.start(
        untrained_home, tmp_path_factory.mktemp("hostile") / "tmp", "--weights", "untrained", "--cache", "0",
        "--no-access-log",
    )  # fmt: skip
    ask(running, CAT)
    workers = running.workers()
    yield running
    assert running.workers() == workers, "a worker died"
    assert running.stop() == 0


def ask(service, data):
    """Status and code of a picture's answer, and the seconds it took."""
    began = time.perf_counter()
    answer = httpx.post(service.url + "/api/v1/classify", content=data, timeout=120)
    code = answer.json()["error"]["code"] if answer.status_code != 200 else "ok"
    return answer.status_code, code, time.perf_counter() - began


def decoders(service):
    """The decoding processes."""
    found = psutil.Process(service.process.pid).children(recursive=True)
    return [one for one in found if "resnet18_lab.preprocessing.decoder" in one.cmdline()]


def memory(service):
    """Bytes of all processes of the service; what they share is counted once."""
    whole, total = psutil.Process(service.process.pid), 0
    for one in [whole, *whole.children(recursive=True)]:
        with suppress(psutil.Error):
            total += one.memory_full_info().pss
    return total


@dataclass
class Seen:
    """What clients were answered, and what an operator saw meanwhile."""

    answers: dict[str, set[tuple[int, str]]] = field(default_factory=dict)
    ordinary: list[float] = field(default_factory=list)
    ready: set[int] = field(default_factory=set)
    peak: int = 0


@contextmanager
def many(work):
    """The work, in as many threads as there are clients."""
    threads = [threading.Thread(target=work, args=(number,)) for number in range(CLIENTS)]
    for one in threads:
        one.start()
    yield
    for one in threads:
        one.join()


def check_ordinary(seen):
    """Ordinary pictures are answered in time; now and then other programs of this machine (such as tests) hold one up."""
    assert len(seen.ordinary) > 3
    assert median(seen.ordinary) < ORDINARY_SECONDS, seen.ordinary
    assert max(seen.ordinary) < 8 * ORDINARY_SECONDS, seen.ordinary


def flood(service, hostile, seconds):
    """Send the pictures from all clients again and again, and an ordinary one beside them."""
    seen, began, names = Seen(), time.monotonic(), list(hostile)

    def goes_on():
        passed = time.monotonic() - began
        return passed < seconds or (len(seen.answers) < len(names) and passed < PATIENCE)

    def send(number):
        while goes_on():
            name = names[number % len(names)]
            seen.answers.setdefault(name, set()).add(ask(service, hostile[name])[:2])
            number += 1

    with many(send):
        while goes_on():
            status, _, took = ask(service, CAT)
            assert status == 200
            seen.ordinary.append(took)
            seen.ready.add(httpx.get(service.url + "/readyz", timeout=30).status_code)
            seen.peak = max(seen.peak, memory(service))
    return seen


def test_what_takes_long_is_ended_while_ordinary_pictures_are_answered(service):
    seen = flood(service, dear_pictures.of_time(), SECONDS)
    assert seen.answers["scans"] == {(422, "image_too_costly")}
    assert seen.answers["runs"] == {(422, "image_too_costly")}
    assert seen.answers["a canvas"] == {(413, "too_many_pixels")}
    check_ordinary(seen)
    assert seen.ready == {200}


def test_memory_stays_within_its_stated_bound(service):
    hostile = dear_pictures.of_memory()
    seen = flood(service, hostile, SECONDS)
    assert set(seen.answers) == set(hostile)
    assert {code for codes in seen.answers.values() for _, code in codes} <= {
        "ok", "image_truncated", "image_too_costly", "server_busy",
    }  # fmt: skip
    check_ordinary(seen)
    assert seen.peak < service_mb(Settings()) * MEGABYTE


REFUSED = {
    "scans_2000.jpg": "image_too_costly", "scans_20000.jpg": "image_too_costly",
    "disposal_176mpx.gif": "too_many_pixels", "truncated_50mpx.png": "image_truncated",
}  # fmt: skip
LIKE_PLAIN = ("profile_wrong_sum.png", "profile_wrong_method.png", "text_wrong_sum.png", "density_short.png")


@pytest.fixture(scope="module")
def cases(tmp_path_factory):
    """Pictures that are hostile or odd, made by the classroom's own script."""
    maker = CLASSROOM / "cases" / "make_pictures.py"
    if not maker.is_file():
        pytest.skip(f"needs the maker of hostile pictures: {maker} is missing")
    folder = tmp_path_factory.mktemp("cases") / "made"
    subprocess.run([sys.executable, str(maker), str(folder)], check=True, capture_output=True)
    return folder


DEAR_HERE = "flat_49mpx.webp"
"""49 megapixels in 130 kB are decoded within the deadline, or, where others have the cores, not; never without an answer."""


def check_cases(codes, answers):
    """Each case is refused with its code or answered, and damage beside the pixels changes no answer."""
    assert codes.pop(DEAR_HERE) in ("ok", "image_too_costly")
    assert codes == {name: REFUSED.get(name, "ok") for name in codes}
    for name in LIKE_PLAIN:
        assert answers[name] == answers["plain.png"], name


def test_the_cases_through_the_service(service, cases):
    found = {path.name: httpx.post(service.url + "/api/v1/classify", content=path.read_bytes(), timeout=120).json()
             for path in sorted(cases.iterdir())}  # fmt: skip
    codes = {name: body["error"]["code"] if "error" in body else "ok" for name, body in found.items()}
    check_cases(codes, {name: body.get("predictions") for name, body in found.items()})


@pytest.mark.parametrize("workers", [(), ("--workers", "2")], ids=["one by one", "workers"])
def test_the_cases_through_the_command_line(untrained_home, cases, workers):
    done = run_cli("classify", cases, "--weights", "untrained", "--format", "jsonl" if workers else "json", *workers,
                   home=untrained_home)  # fmt: skip
    assert done.returncode == 1, done.stderr
    rows = list(map(json.loads, done.stdout.splitlines())) if workers else json.loads(done.stdout)
    found = {Path(row["file"]).name: row for row in rows}
    codes = {name: row["error"]["code"] if row.get("error") else "ok" for name, row in found.items()}
    check_cases(codes, {name: row.get("predictions") for name, row in found.items()})


def test_memory_returns(service):
    before = memory(service)
    for data in dear_pictures.of_memory().values():
        ask(service, data)
    time.sleep(1)
    assert memory(service) - before < 60 * MEGABYTE


def test_it_is_not_ready_only_while_all_decoding_processes_are_being_replaced(service):
    seen, end = set(), time.monotonic() + 30
    while 503 not in seen and time.monotonic() < end:
        for one in decoders(service):
            one.kill()
        seen.add(httpx.get(service.url + "/readyz", timeout=30).status_code)
    assert 503 in seen
    assert ask(service, CAT)[:2] == (200, "ok")
    assert httpx.get(service.url + "/readyz", timeout=30).status_code == 200


def test_a_client_that_hangs_up_frees_its_place_among_those_that_wait(service):
    slow = pictures.slow_bmp(6_000_000)
    for _ in range(24):
        with suppress(httpx.TimeoutException):
            httpx.post(service.url + "/api/v1/classify", content=slow, timeout=0.5)
    status, _, took = ask(service, slow)
    assert status == 422
    assert took < 12  # two may still be running; behind all of them it would wait for as many deadlines of two seconds
