"""The service outlives its surroundings: full disks, logs nobody reads, stopped and killed workers, restarts."""

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import httpx
import psutil
import pytest
from support import pictures
from support import running_service as serving
from support.running_service import free_port, number, wait_until

PICTURE = pictures.jpeg()
OPTIONS = ("--weights", "untrained", "--cache", "0")
SILENT = 1_100

pytestmark = [pytest.mark.slow, pytest.mark.skipif(os.name == "nt", reason="signals and disks of Linux")]


@contextmanager
def started(home, place, *options, **more):
    service = serving.start(home, place, *OPTIONS, *options, **more)
    try:
        yield service
    finally:
        service.stop()


@contextmanager
def under_load(service, clients=4):
    """Clients that send pictures one after the other, each on a connection that is kept; the failures so far."""
    answered, failures, stop = [], [], threading.Event()

    def send():
        with service.client() as client:
            while not stop.is_set():
                try:
                    answered.append(client.post("/api/v1/classify", content=PICTURE).status_code)
                except httpx.HTTPError as error:
                    failures.append(error)
                    if service.process.poll() is not None:
                        return

    threads = [threading.Thread(target=send) for _ in range(clients)]
    for one in threads:
        one.start()
    try:
        wait_until(lambda: len(answered) > 2 * clients)
        yield answered, failures
    finally:
        stop.set()
        for one in threads:
            one.join()


@contextmanager
def small_disk(place, size):
    """A file system of so few bytes; skips where none can be mounted."""
    place.mkdir()
    line = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(place)]
    if subprocess.run(line, capture_output=True, check=False).returncode != 0:
        pytest.skip("needs the right to mount a small file system")
    try:
        yield place
    finally:
        subprocess.run(["umount", "-l", str(place)], check=True)


@pytest.mark.parametrize("free", [0, 100_000, 5_000_000])
def test_a_full_folder_of_temporary_files_ends_nothing(untrained_home, tmp_path, free):
    with small_disk(tmp_path / "small", 8_000_000) as place:
        (place / "filler").write_bytes(b"x" * (8_000_000 - 65_536 - free))
        with suppress(OSError):
            (place / "more").write_bytes(b"x" * (60_000 if free == 0 else 0))
        with started(untrained_home, place, "--workers", "2") as service:
            before = service.workers()
            for each in range(30):
                assert httpx.post(service.url + "/predict", content=PICTURE + bytes([each])).status_code == 200
                httpx.get(service.url + f"/unknown/{each}")
            assert httpx.get(service.url + "/metrics").status_code == 200
            with suppress(OSError):
                (place / "rest").write_bytes(b"x" * 8_000_000)  # now nothing is left
            for _ in range(30):
                assert httpx.post(service.url + "/predict", content=PICTURE).status_code == 200
            assert service.workers() == before
            assert service.stop() == 0


@pytest.mark.parametrize("target", ["/dev/full", "pipe nobody reads", "closed"])
def test_a_log_that_cannot_be_written_costs_no_request(untrained_home, target):
    reader, writer = os.pipe() if target.startswith("pipe") else (None, None)
    port = free_port()
    redirect = {"/dev/full": "2>/dev/full", "closed": "2>&-"}.get(target, "")
    line = f"exec resnet18-lab serve --port {port} --threads 1 --weights untrained --cache 0 {redirect}"
    environment = {**os.environ, "RESNET18_LAB_HOME": str(untrained_home), "PATH": path_with_command()}
    process = subprocess.Popen(["sh", "-c", line], env=environment, stderr=writer)
    url = f"http://127.0.0.1:{port}"
    try:
        wait_until(lambda: is_ready(url), 60)
        with httpx.Client(base_url=url, timeout=30) as client:
            statuses = {client.get("/healthz").status_code for _ in range(2_500)}
            assert client.post("/predict", content=PICTURE).status_code == 200
        assert statuses == {200}
        if target != "closed":
            assert number(url, "resnet18_lost_log_lines_total") > 0
    finally:
        process.terminate()
        assert process.wait(30) == 0
        for end in (reader, writer):
            if end is not None:
                os.close(end)


def path_with_command():
    return f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"


def is_ready(url):
    with suppress(httpx.HTTPError):
        return httpx.get(url + "/readyz").status_code == 200
    return False


def test_silent_connections_leave_room_for_health(untrained_home, tmp_path):
    resource = pytest.importorskip("resource")
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (1024, hard))
    with started(untrained_home, tmp_path) as service, ExitStack() as stack:
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 8192), hard))  # this process's own, for the clients
        for _ in range(SILENT):
            stack.enter_context(socket.create_connection(("127.0.0.1", service.port), timeout=20))
        for path in ("/healthz", "/readyz"):
            assert httpx.get(service.url + path, timeout=5).status_code == 200


def test_a_stopped_worker_is_replaced(untrained_home, tmp_path):
    with started(untrained_home, tmp_path, "--workers", "2") as service:
        stopped = service.workers()[0]
        os.kill(stopped, signal.SIGSTOP)
        began = time.monotonic()
        wait_until(lambda: stopped not in service.workers() and number_of_workers(service) == 2, 30)
        assert time.monotonic() - began < 20  # twice what it should take, for a busy machine
        assert any("has said nothing" in line for line in service.lines)


def number_of_workers(service):
    with suppress(httpx.HTTPError):
        return number(service.url, "resnet18_workers")
    return 0


def test_sighup_replaces_all_workers_and_no_request_fails(untrained_home, tmp_path):
    with started(untrained_home, tmp_path / "tmp", "--workers", "2") as service:
        before = set(service.workers())
        with under_load(service) as (answered, failures):
            service.process.send_signal(signal.SIGHUP)
            wait_until(lambda: any("all workers have been replaced" in line for line in service.lines), 60)
            wait_until(lambda: not before & set(service.workers()), 30)
            already = len(answered)
            wait_until(lambda: len(answered) > already + 8)
        assert not failures
        assert set(answered) == {200}
        assert len(service.workers()) == 2
        assert number(service.url, "resnet18_worker_restarts_total") == 0
        assert service.stop() == 0
        assert not list((tmp_path / "tmp").iterdir())


def test_sigterm_says_not_ready_first_and_no_accepted_request_fails(untrained_home, tmp_path):
    with started(untrained_home, tmp_path, "--grace-seconds", "2") as service:
        seen = []
        with under_load(service) as (answered, failures):
            service.process.send_signal(signal.SIGTERM)
            while service.process.poll() is None:
                try:
                    seen.append(httpx.get(service.url + "/readyz", timeout=5).status_code)
                except httpx.HTTPError:
                    seen.append(0)
                time.sleep(0.02)
        assert service.process.wait(30) == 0
        first_refused = seen.index(0) if 0 in seen else len(seen)
        assert 503 in seen[:first_refused]
        assert set(answered) == {200}
        assert all(isinstance(error, httpx.ConnectError) for error in failures), failures


def test_a_killed_worker_costs_at_most_the_requests_in_it(untrained_home, tmp_path):
    with started(untrained_home, tmp_path, "--workers", "2") as service:
        with under_load(service, clients=4) as (answered, failures):
            os.kill(service.workers()[0], signal.SIGKILL)
            wait_until(lambda: number_of_workers(service) == 2)
            already = len(answered)
            wait_until(lambda: len(answered) > already + 8)
        assert len(failures) <= 4
        assert set(answered) == {200}


def test_no_decoding_process_outlives_the_service(untrained_home, tmp_path):
    with started(untrained_home, tmp_path) as service:
        family = psutil.Process(service.process.pid).children(recursive=True)
        assert len(family) >= 3
        service.process.kill()
        wait_until(lambda: not any(one.is_running() and one.status() != psutil.STATUS_ZOMBIE for one in family))
