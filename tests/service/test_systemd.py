"""What systemd is told of the service."""

import os
import queue
import signal
import socket
import subprocess
import sys
import threading
import time
from contextlib import contextmanager, suppress
from pathlib import Path

import httpx
import pytest
from support import running_service as serving
from support.running_service import wait_until

from resnet18_lab.service.systemd import Systemd

SHORT_PATIENCE = 1.0

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="systemd is for Linux")


class Manager:
    """Reads its socket all the time, as systemd does: ten datagrams that nobody reads fill it, and READY may be lost."""

    def __init__(self, sock):
        self._socket, self._said, self._patience = sock, queue.Queue(), 30.0
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        with suppress(OSError):  # closed at the end of the test
            while data := self._socket.recv(4096):
                self._said.put(data)

    def getsockname(self):
        return self._socket.getsockname()

    def settimeout(self, seconds):
        self._patience = seconds

    def recv(self, _size):
        try:
            return self._said.get(timeout=self._patience)
        except queue.Empty:
            raise TimeoutError from None


@pytest.fixture
def bound(tmp_path):
    """A socket that nobody reads."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.bind(str(tmp_path / "notify"))
        yield sock


@pytest.fixture
def manager(bound):
    """A socket in systemd's place."""
    yield Manager(bound)
    bound.shutdown(socket.SHUT_RD)  # the reader sees the end


def next_message(manager):
    """The fields of the next datagram."""
    return dict(line.split("=", 1) for line in manager.recv(4096).decode().split("\n"))


def next_but_beats(manager):
    while (message := next_message(manager)) == {"WATCHDOG": "1"}:
        pass
    return message


@contextmanager
def supervised(home, place, manager, *options, **variables):
    """A service that was started as systemd starts one."""
    environment = {"NOTIFY_SOCKET": manager.getsockname(), **variables}
    service = serving.start(home, place / "tmp", "--weights", "untrained", *options, env=environment)
    try:
        yield service
    finally:
        service.stop()


@pytest.mark.slow
def test_systemd_hears_of_the_start_the_reload_and_the_end(untrained_home, tmp_path, manager):
    with supervised(untrained_home, tmp_path, manager, "--workers", "2") as service:
        assert next_message(manager) == {"READY": "1", "STATUS": f"serving on {service.url}"}
        assert httpx.get(service.url + "/readyz").status_code == 200
        before = set(service.workers())
        earliest = time.monotonic_ns() // 1000
        service.process.send_signal(signal.SIGHUP)
        reloading = next_message(manager)
        assert reloading["RELOADING"] == "1"
        assert earliest <= int(reloading["MONOTONIC_USEC"]) <= time.monotonic_ns() // 1000
        assert next_message(manager) == {"READY": "1", "STATUS": f"serving on {service.url}"}
        wait_until(lambda: not before & set(service.workers()))
        service.process.send_signal(signal.SIGTERM)
        assert next_message(manager)["STOPPING"] == "1"
        assert service.process.poll() is None  # said first, then the grace
        assert service.stop() == 0


@pytest.mark.slow
def test_ready_is_said_only_when_the_service_answers(untrained_home, tmp_path, manager):
    port = serving.free_port()
    command = [sys.executable, "-m", "resnet18_lab", "serve", "--port", str(port), "--weights", "untrained"]
    environment = {**os.environ, "RESNET18_LAB_HOME": str(untrained_home), "NOTIFY_SOCKET": manager.getsockname()}
    with subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL) as process:
        try:
            assert next_message(manager)["READY"] == "1"
            assert httpx.get(f"http://127.0.0.1:{port}/readyz").status_code == 200  # at once, at the first try
        finally:
            process.terminate()


@pytest.mark.slow
def test_the_loop_says_twice_in_each_watchdog_time_that_it_turns(untrained_home, tmp_path, manager):
    with supervised(untrained_home, tmp_path, manager, WATCHDOG_USEC="1000000") as service:
        assert next_but_beats(manager)["READY"] == "1"
        began = time.monotonic()
        for _ in range(6):
            assert next_message(manager) == {"WATCHDOG": "1"}
        assert 2 < time.monotonic() - began < 6
        os.kill(service.process.pid, signal.SIGSTOP)
        try:
            with pytest.raises(TimeoutError):
                manager.settimeout(SHORT_PATIENCE)
                while True:
                    next_message(manager)
        finally:
            os.kill(service.process.pid, signal.SIGCONT)


@pytest.mark.slow
def test_a_worker_does_not_get_systemd_s_variables(untrained_home, tmp_path, manager):
    with supervised(untrained_home, tmp_path, manager, WATCHDOG_USEC="1000000") as service:
        for pid in service.workers():
            assert b"NOTIFY_SOCKET" not in Path(f"/proc/{pid}/environ").read_bytes()
            assert b"WATCHDOG" not in Path(f"/proc/{pid}/environ").read_bytes()


@pytest.mark.slow
def test_a_socket_that_nobody_has_ends_nothing(untrained_home, tmp_path):
    environment = {"NOTIFY_SOCKET": str(tmp_path / "nobody"), "WATCHDOG_USEC": "200000"}
    service = serving.start(untrained_home, tmp_path / "tmp", "--weights", "untrained", env=environment)
    service.process.send_signal(signal.SIGHUP)
    wait_until(lambda: any("all workers have been replaced" in line for line in service.lines), 60)
    assert httpx.get(service.url + "/healthz").status_code == 200
    assert service.stop() == 0


def test_the_variables_are_taken_out_of_the_environment(manager):
    environment = {"NOTIFY_SOCKET": manager.getsockname(), "WATCHDOG_USEC": "1000", "WATCHDOG_PID": "1", "HOME": "/"}
    Systemd(environment)
    assert environment == {"HOME": "/"}


def test_an_abstract_socket_is_spoken_to(manager):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as abstract:
        abstract.bind(f"\0resnet18-lab-{os.getpid()}")
        abstract.settimeout(5)
        Systemd({"NOTIFY_SOCKET": f"@resnet18-lab-{os.getpid()}"}).ready("here")
        assert next_message(abstract) == {"READY": "1", "STATUS": "here"}


@pytest.mark.parametrize(
    "variables",
    [{"WATCHDOG_USEC": "1000", "WATCHDOG_PID": "1"}, {"WATCHDOG_USEC": "0"}, {"WATCHDOG_USEC": "soon"}, {}],
    ids=["another process is watched", "no time", "nonsense", "not watched"],
)
def test_who_is_not_watched_says_nothing_of_its_loop(manager, variables):
    told = Systemd({"NOTIFY_SOCKET": manager.getsockname(), **variables})
    told.beat()
    manager.settimeout(0.1)
    with pytest.raises(TimeoutError):
        manager.recv(4096)


def test_without_systemd_nothing_is_said():
    told = Systemd({"WATCHDOG_USEC": "1000"})
    for say in (told.ready, told.beat, told.reloading, told.stopping):
        say()


def test_a_full_socket_holds_nobody_up_for_long(bound):
    told = Systemd({"NOTIFY_SOCKET": bound.getsockname()})
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as filler:
        filler.setblocking(False)
        with pytest.raises(BlockingIOError):
            while True:
                filler.sendto(b"x", bound.getsockname())
    began = time.monotonic()
    told.stopping()
    assert time.monotonic() - began < 5
