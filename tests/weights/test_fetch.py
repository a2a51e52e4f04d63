"""Downloads, against a real server on this machine that behaves well or badly."""

import dataclasses
import hashlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
from support.fileserver import FileServer, serving

from resnet18_lab.base import paths
from resnet18_lab.base.errors import FetchError, ParameterError
from resnet18_lab.weights.catalogue import CatalogueEntry
from resnet18_lab.weights.fetch import fetch_weights, is_offline

CONTENT = bytes(range(256)) * 1024
ENTRY = CatalogueEntry(
    name="sample",
    filename="sample-weights.pth",
    bytes=len(CONTENT),
    sha256=hashlib.sha256(CONTENT).hexdigest(),
    url="https://weights.invalid/sample-weights.pth",
    licence="none",
    top1=0.0,
)
HALF = len(CONTENT) // 2


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in list(os.environ):
        if name.startswith("RESNET18_LAB_") or name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("RESNET18_LAB_HOME", str(tmp_path))
    return tmp_path


@pytest.fixture
def target() -> Path:
    return paths.weights_dir() / ENTRY.filename


@pytest.fixture
def part(target: Path) -> Path:
    return target.with_name(target.name + ".part")


def fetch_from(server: FileServer, **options: object) -> Path:
    settings = {"url": server.url, "connect_timeout": 5.0, "read_timeout": 5.0, "notify": lambda text: None}
    return fetch_weights(ENTRY, **{**settings, **options})  # type: ignore[arg-type]


def failure_from(server: FileServer, **options: object) -> str:
    with pytest.raises(FetchError) as caught:
        fetch_from(server, **options)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def leave_half(part: Path, content: bytes = CONTENT, etag: str | None = '"v1"') -> None:
    part.parent.mkdir(parents=True, exist_ok=True)
    part.write_bytes(content[:HALF])
    if etag:
        part.with_name(part.name + ".etag").write_text(etag, encoding="ascii")


def test_a_whole_file_lands_in_the_weights_folder_and_nothing_beside_it(target: Path) -> None:
    with serving(CONTENT) as server:
        assert fetch_from(server) == target
    assert target.read_bytes() == CONTENT
    assert {path.name for path in target.parent.iterdir()} <= {target.name, f".{target.name}.lock"}


def test_a_file_already_there_needs_no_network(target: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target.parent.mkdir()
    target.write_bytes(CONTENT)
    monkeypatch.setenv("RESNET18_LAB_OFFLINE", "1")
    with serving(CONTENT) as server:
        assert fetch_from(server) == target
        assert server.requests == []


def test_a_wrong_file_already_there_is_an_error_and_left_alone(target: Path) -> None:
    target.parent.mkdir()
    target.write_bytes(b"mine")
    with serving(CONTENT) as server:
        assert "move it away" in failure_from(server)
        assert server.requests == []
    assert target.read_bytes() == b"mine"


def test_force_replaces_a_wrong_file(target: Path) -> None:
    target.parent.mkdir()
    target.write_bytes(b"mine")
    with serving(CONTENT) as server:
        fetch_from(server, force=True)
    assert target.read_bytes() == CONTENT


def test_another_destination_may_be_given(tmp_path: Path) -> None:
    with serving(CONTENT) as server:
        assert fetch_from(server, destination=tmp_path / "else" / "where").parent == tmp_path / "else" / "where"


def test_the_url_is_told_before_anything_is_asked() -> None:
    with serving(CONTENT) as server:
        told: list[tuple[str, int]] = []
        fetch_from(server, notify=lambda text: told.append((text, len(server.requests))))
        assert server.url in told[0][0]
        assert told[0][1] == 0


def test_notices_go_to_stderr_and_no_bar_where_it_is_no_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    with serving(CONTENT) as server:
        fetch_from(server, notify=None)
    captured = capsys.readouterr()
    assert captured.out == ""
    assert server.url in captured.err
    assert "%|" not in captured.err


def test_a_half_file_is_gone_on_with_and_no_byte_comes_twice(target: Path, part: Path) -> None:
    leave_half(part)
    with serving(CONTENT) as server:
        fetch_from(server)
        assert server.requests[0]["Range"] == f"bytes={HALF}-"
        assert server.requests[0]["If-Range"] == '"v1"'
        assert server.sent == len(CONTENT) - HALF
    assert target.read_bytes() == CONTENT


def test_a_half_file_of_another_version_is_started_afresh(target: Path, part: Path) -> None:
    leave_half(part, content=b"old" * len(CONTENT), etag='"v0"')
    with serving(CONTENT) as server:
        fetch_from(server)
        assert server.sent == len(CONTENT)
    assert target.read_bytes() == CONTENT


def test_a_half_file_without_an_etag_is_gone_on_with(target: Path, part: Path) -> None:
    leave_half(part, etag=None)
    with serving(CONTENT, etag=None) as server:
        fetch_from(server)
        assert server.sent == len(CONTENT) - HALF
    assert target.read_bytes() == CONTENT


def test_a_weak_etag_is_not_sent_back(target: Path) -> None:
    with serving(CONTENT, "cuts_off", etag='W/"v1"') as server:
        failure_from(server)
        server.behaviour = "well"
        fetch_from(server)
        assert "If-Range" not in server.requests[1]
    assert target.read_bytes() == CONTENT


@pytest.mark.parametrize("behaviour", ["ignores_range", "refuses_range", "wrong_range"])
def test_a_server_that_cannot_go_on_is_asked_for_the_whole(behaviour: str, target: Path, part: Path) -> None:
    leave_half(part)
    with serving(CONTENT, behaviour) as server:
        fetch_from(server)
    assert target.read_bytes() == CONTENT


def test_a_server_that_sends_only_parts_is_given_up(part: Path) -> None:
    with serving(CONTENT, "only_parts") as server:
        assert "part of the file" in failure_from(server)
        leave_half(part)
        assert "part of the file" in failure_from(server)


def test_a_complete_part_is_verified_without_asking_the_server(target: Path, part: Path) -> None:
    part.parent.mkdir()
    part.write_bytes(CONTENT)
    with serving(CONTENT) as server:
        fetch_from(server)
        assert server.requests == []
    assert target.read_bytes() == CONTENT


def test_a_part_longer_than_the_file_is_thrown_away(target: Path, part: Path) -> None:
    part.parent.mkdir()
    part.write_bytes(CONTENT + b"more")
    with serving(CONTENT) as server:
        fetch_from(server)
    assert target.read_bytes() == CONTENT


def test_a_file_of_another_hash_is_deleted_and_says_so(target: Path, part: Path) -> None:
    with serving(CONTENT[::-1]) as server:
        message = failure_from(server)
    assert ENTRY.sha256[:8] in message
    assert "deleted" in message
    assert not target.exists()
    assert not part.exists()


def test_more_bytes_than_promised_stop_the_download(target: Path, part: Path) -> None:
    with serving(CONTENT * 50, "without_length") as server:
        assert "more than" in failure_from(server)
        assert server.sent < len(CONTENT) * 50
    assert not target.exists()
    assert not part.exists()


def test_a_file_without_an_announced_length_is_taken(target: Path) -> None:
    with serving(CONTENT, "without_length") as server:
        fetch_from(server)
    assert target.read_bytes() == CONTENT


def test_a_log_in_page_in_place_of_the_file_keeps_the_half_file(part: Path) -> None:
    leave_half(part)
    with serving(CONTENT, "log_in_page") as server:
        assert "text/html" in failure_from(server)
    assert part.stat().st_size == HALF


def test_a_connection_cut_off_leaves_what_can_be_gone_on_with(target: Path, part: Path) -> None:
    with serving(CONTENT, "cuts_off") as server:
        assert f"{HALF:,} of {len(CONTENT):,} bytes are kept" in failure_from(server)
        assert part.stat().st_size == HALF
        server.behaviour = "well"
        fetch_from(server)
        assert server.sent == len(CONTENT)
    assert target.read_bytes() == CONTENT


def test_a_server_that_goes_silent_is_given_up_after_the_read_timeout(part: Path) -> None:
    with serving(CONTENT, "stalls") as server:
        assert "no byte came for 0.3 s" in failure_from(server, read_timeout=0.3)
    assert part.stat().st_size == HALF


def test_a_server_that_never_answers_is_given_up(part: Path) -> None:
    with serving(CONTENT, "never_answers") as server:
        assert "did not answer within 0.3 s" in failure_from(server, read_timeout=0.3)
    assert not part.exists()


def test_a_file_the_server_has_not_names_file_place_and_variables(target: Path) -> None:
    with serving(CONTENT, "not_found") as server:
        message = failure_from(server)
    for named in ("404", ENTRY.filename, server.url, str(target), "RESNET18_LAB_WEIGHTS", "HTTPS_PROXY"):
        assert named in message


def test_redirects_are_followed(target: Path) -> None:
    with serving(CONTENT, "redirects") as server:
        fetch_from(server)
        assert [request["path"] for request in server.requests] == ["/weights.pth", "/moved/weights.pth"]
    assert target.read_bytes() == CONTENT


def test_a_redirect_keeps_the_range(part: Path) -> None:
    leave_half(part)
    with serving(CONTENT, "redirects") as server:
        fetch_from(server)
        assert server.sent == len(CONTENT) - HALF


def test_a_redirect_to_a_local_file_is_refused(target: Path) -> None:
    with serving(CONTENT, "redirects_to_a_file") as server:
        failure_from(server)
    assert not target.exists()


def test_a_closed_port_is_no_connection() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}/x"
        with pytest.raises(FetchError, match="no connection"):
            fetch_weights(ENTRY, url=url, notify=lambda text: None)


def test_a_full_queue_of_connections_is_given_up_after_the_connect_timeout() -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        address = listener.getsockname()
        waiting = [socket.socket() for _ in range(4)]
        for client in waiting:
            client.setblocking(False)
            client.connect_ex(address)
        began = time.monotonic()
        with pytest.raises(FetchError, match=r"within 0\.3 s"):
            fetch_weights(ENTRY, url=f"http://127.0.0.1:{address[1]}/x", connect_timeout=0.3, read_timeout=0.3)
        assert time.monotonic() - began < 5
        for client in waiting:
            client.close()


def test_a_host_that_does_not_exist_says_there_may_be_no_network() -> None:
    with pytest.raises(FetchError, match="cannot be resolved"):
        fetch_weights(ENTRY, notify=lambda text: None)


@pytest.mark.parametrize("url", ["file:///etc/passwd", "ftp://host/x", "weights.pth", "http://", "http://[::1/x"])
def test_only_http_and_https_are_taken(url: str) -> None:
    with pytest.raises(FetchError, match="URL"):
        fetch_weights(ENTRY, url=url)


def test_a_password_in_the_url_is_refused_and_not_shown() -> None:
    with pytest.raises(FetchError) as caught:
        fetch_weights(ENTRY, url="https://me:secret@weights.invalid/x")
    assert "secret" not in str(caught.value)


def test_the_mirror_variable_names_the_folder_of_the_files(monkeypatch: pytest.MonkeyPatch, target: Path) -> None:
    with serving(CONTENT) as server:
        monkeypatch.setenv("RESNET18_LAB_WEIGHTS_URL", f"{server.address}/mirror/")
        fetch_weights(ENTRY, notify=lambda text: None)
        assert server.requests[0]["path"] == f"/mirror/{ENTRY.filename}"
    assert target.read_bytes() == CONTENT


def test_the_proxy_of_the_environment_is_used(monkeypatch: pytest.MonkeyPatch, target: Path) -> None:
    with serving(CONTENT) as proxy:
        monkeypatch.setenv("http_proxy", proxy.address)
        fetch_weights(ENTRY, url="http://weights.invalid/x.pth", notify=lambda text: None)
        assert proxy.requests[0]["path"] == "http://weights.invalid/x.pth"
    assert target.read_bytes() == CONTENT


def test_the_offline_variable_forbids_the_network(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RESNET18_LAB_OFFLINE", "1")
    with serving(CONTENT) as server:
        assert "RESNET18_LAB_OFFLINE" in failure_from(server)
        assert server.requests == []


@pytest.mark.parametrize("value", ["", "0", "false", "no"])
def test_the_offline_variable_can_be_switched_off(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RESNET18_LAB_OFFLINE", value)
    assert not is_offline()


def test_an_unknown_name_names_the_nearest() -> None:
    with pytest.raises(ParameterError, match="Did you mean compact"):
        fetch_weights("compakt")


def test_a_chosen_weights_variable_is_said_to_win(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("RESNET18_LAB_WEIGHTS", str(tmp_path))
    told: list[str] = []
    with serving(CONTENT) as server:
        fetch_from(server, notify=told.append)
    assert "RESNET18_LAB_WEIGHTS is set" in told[-1]


def test_a_disk_too_full_for_the_file_is_found_before_the_download(monkeypatch: pytest.MonkeyPatch) -> None:
    free = shutil.disk_usage("/")._replace(free=1000)
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: free)
    with serving(CONTENT) as server:
        assert "MB free" in failure_from(server)
        assert server.requests == []


def test_a_weights_folder_that_cannot_be_made_is_one_line(home: Path) -> None:
    (home / "weights").write_text("a file in the way")
    with serving(CONTENT) as server:
        assert str(home / "weights") in failure_from(server)


def test_a_folder_in_the_files_place_is_one_line(target: Path) -> None:
    target.mkdir(parents=True)
    with serving(CONTENT) as server:
        assert "folder" in failure_from(server)


SCRIPT = """
import json, resource, signal, sys
from resnet18_lab.base.errors import FetchError
from resnet18_lab.weights.fetch import fetch_weights as fetch
from resnet18_lab.weights.catalogue import CatalogueEntry
entry, url, limit = json.loads(sys.argv[1])
signal.signal(signal.SIGINT, signal.default_int_handler)
if limit:
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
try:
    fetch(CatalogueEntry(**entry), url=url)
except FetchError as error:
    sys.exit(str(error))
"""


def start_fetch(server: FileServer, size_limit: int = 0) -> "subprocess.Popen[str]":
    argument = json.dumps([dataclasses.asdict(ENTRY), server.url, size_limit])
    return subprocess.Popen([sys.executable, "-c", SCRIPT, argument], stderr=subprocess.PIPE, text=True)


def wait_for_half(part: Path) -> None:
    deadline = time.monotonic() + 20
    while not (part.exists() and part.stat().st_size == HALF):
        assert time.monotonic() < deadline, "the download did not start"
        time.sleep(0.02)


def test_two_processes_at_once_download_once(target: Path, part: Path) -> None:
    with serving(CONTENT, "pauses") as server:
        first = start_fetch(server)
        wait_for_half(part)
        second = start_fetch(server)
        assert second.stderr is not None
        assert "waiting" in second.stderr.readline()
        server.go_on.set()
        assert first.wait(20) == 0
        _, rest = second.communicate(timeout=20)
        assert second.returncode == 0
        assert "another process meanwhile" in rest
        assert len(server.requests) == 1
    assert target.read_bytes() == CONTENT


def test_control_c_leaves_a_part_that_the_next_call_goes_on_with(target: Path, part: Path) -> None:
    with serving(CONTENT, "stalls") as server:
        process = start_fetch(server)
        wait_for_half(part)
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=20)
        assert process.returncode != 0
        assert f"{HALF:,} bytes are kept" in said
        server.behaviour = "well"
        fetch_from(server)
        assert server.requests[1]["Range"] == f"bytes={HALF}-"
        assert server.sent == len(CONTENT)
    assert target.read_bytes() == CONTENT


def test_a_killed_download_keeps_what_came(target: Path, part: Path) -> None:
    with serving(CONTENT, "stalls") as server:
        process = start_fetch(server)
        wait_for_half(part)
        process.kill()
        process.communicate(timeout=20)
        server.behaviour = "well"
        fetch_from(server)
        assert server.sent == len(CONTENT)
    assert target.read_bytes() == CONTENT


def test_a_write_that_fails_midway_is_one_line_and_resumable(target: Path, part: Path) -> None:
    with serving(CONTENT) as server:
        process = start_fetch(server, size_limit=HALF)
        _, said = process.communicate(timeout=20)
        assert "Traceback" not in said
        assert f"{part} cannot be read or written" in said
        assert 0 < part.stat().st_size <= HALF
        fetch_from(server)
    assert target.read_bytes() == CONTENT


def test_importing_it_imports_no_network_module() -> None:
    script = "import sys, resnet18_lab.weights.fetch; print({'urllib.request', 'http.client', 'tqdm', 'torch'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
