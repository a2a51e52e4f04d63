"""What a worker bounds: deadlines, bytes, pixels, connections; and what it says when one of its parts breaks."""

import json
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress

import httpx
import numpy as np
import pytest
from support import pictures
from support.running_service import inside, number, post, read_all, status_of, wait_until

from resnet18_lab.base.errors import ParameterError
from resnet18_lab.service.budgets import UploadBudget
from resnet18_lab.service.cache import AnswerCache, Known
from resnet18_lab.service.refusals import ServiceError
from resnet18_lab.service.settings import MEGABYTE, Settings

CLASSIFY = "/api/v1/classify"
SECURITY = (b"content-security-policy", b"x-content-type-options: nosniff", b"x-frame-options: DENY", b"no-store")


@pytest.fixture
def untrained(untrained_home, monkeypatch):
    monkeypatch.setenv("RESNET18_LAB_HOME", str(untrained_home))


def head(length: int, target: str = CLASSIFY) -> bytes:
    return post("a", b"", f"Content-Length: {length}", target=target)


@pytest.mark.parametrize(
    "name", ["decode_seconds", "header_seconds", "body_seconds", "request_seconds", "close_seconds", "drain_seconds"]
)
@pytest.mark.parametrize("value", [0, -1, float("nan"), float("inf")])
def test_seconds_are_more_than_none_and_not_for_ever(name, value):
    with pytest.raises(ParameterError, match=name):
        Settings(**{name: value})


@pytest.mark.parametrize("name", ["upload_mb", "batch_mb", "connections", "max_batch"])
def test_other_limits_are_at_least_one(name):
    with pytest.raises(ParameterError, match=name):
        Settings(**{name: 0})
    with pytest.raises(ParameterError, match="cache"):
        Settings(cache=-1)
    with pytest.raises(ParameterError, match="decoders"):
        Settings(decoders=1)


def test_an_answer_that_is_not_ready_in_time_is_504(untrained):
    with inside(request_seconds=0.1) as server:
        answer = httpx.post(server.url + CLASSIFY, content=pictures.slow_bmp(), timeout=30)
        assert answer.status_code == 504
        assert answer.json()["error"]["code"] == "timeout"
        assert "0.1 s" in answer.json()["error"]["message"]
        wait_until(lambda: server.classifier.admission.taken == 0)


@pytest.mark.parametrize("path", ["/broken", "/v2/broken"])
def test_an_unforeseen_error_is_answered_in_the_service_s_own_form_and_logged(untrained, path, capsys):
    async def broken() -> None:
        raise ZeroDivisionError("nobody thought of this")

    with inside() as server:
        server.edge.app.add_api_route(path, broken)
        answer = httpx.get(server.url + path)
    assert answer.status_code == 500
    told = answer.json()
    assert (told["code"] if path.startswith("/v2") else told["error"]["code"]) == "internal_error"
    assert "nobody" not in answer.text
    assert answer.headers["x-content-type-options"] == "nosniff"
    lines = [json.loads(line) for line in capsys.readouterr().err.splitlines() if line.startswith("{")]
    found = next(line for line in lines if "ZeroDivisionError" in line.get("error", ""))
    assert found["request_id"] == told["request_id"]


def test_a_broken_engine_is_500_and_the_next_request_is_answered(untrained):
    with inside(cache=0) as server:
        engine = server.classifier.inference.backend
        session, engine._session = engine._session, None
        assert httpx.post(server.url + CLASSIFY, content=pictures.jpeg()).json()["error"]["code"] == "internal_error"
        engine._session = session
        assert httpx.post(server.url + CLASSIFY, content=pictures.jpeg()).status_code == 200


@pytest.mark.parametrize(
    ("target", "whole"), [("/docs/ui/swagger-ui-bundle.js", False), ("/api/v1/labels", True)],
    ids=["in the middle of an answer", "after a whole answer"],
)  # fmt: skip
def test_a_client_that_never_reads_is_cut_off(untrained, target, whole):
    with inside(request_seconds=1, close_seconds=0.5, send_buffer=4096) as server:
        with server.connection(receive_buffer=2048) as sock:
            sock.sendall(f"GET {target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
            wait_until(lambda: server.server.server_state.connections)
            (protocol,) = server.server.server_state.connections
            wait_until(protocol.transport.is_closing)
            assert protocol.transport.get_write_buffer_size() > 0
            assert protocol.cycle.response_complete is whole
            wait_until(lambda: not server.server.server_state.connections, 5)
        assert httpx.get(server.url + "/healthz").status_code == 200


def test_uploads_together_have_a_budget(untrained):
    with (
        inside(max_mb=1, batch_mb=1, upload_mb=1) as server,
        server.connection() as first,
        server.connection() as second,
    ):
        assert server.classifier.uploads.limit < 1.5 * MEGABYTE
        first.sendall(head(900_000) + b"\xff" * 800_000)
        wait_until(lambda: server.classifier.uploads.used >= 700_000)
        second.sendall(head(900_000) + b"\xff" * 800_000)
        answer = second.recv(65_536)
        assert status_of(answer) == 503
        assert b"retry-after: 1" in answer
        assert httpx.post(server.url + CLASSIFY, content=pictures.jpeg()).status_code == 200
        first.sendall(b"\xff" * 100_000)
        assert status_of(first.recv(65_536)) == 415
        wait_until(lambda: server.classifier.uploads.used == 0)


def test_what_is_only_announced_takes_nothing_of_the_budget(untrained):
    with inside() as server, ExitStack() as stack:
        for _ in range(30):
            stack.enter_context(server.connection()).sendall(head(20_000_000) + b"\xff\xd8")
        answer = httpx.post(server.url + CLASSIFY, content=b"x" * 19_000_000, timeout=30)
        assert answer.status_code == 415
        assert server.classifier.uploads.used < 1_000


def test_an_upload_gives_back_what_it_held_whatever_happens():
    budget = UploadBudget(10)
    with pytest.raises(ServiceError), budget.holding() as held:
        held.take(6)
        with budget.holding() as other:
            other.take(4)
        held.take(5)
    assert budget.used == 0


def test_a_full_queue_answers_before_the_body_and_keeps_the_connection(untrained):
    with inside(queue=1) as server, server.classifier.admission.taking(1), server.connection() as sock:
        started = time.perf_counter()
        sock.sendall(head(500))
        answer = sock.recv(65_536)
        while b'"request_id"' not in answer:
            answer += sock.recv(65_536)
        assert time.perf_counter() - started < 0.2
        assert status_of(answer) == 503
        assert b"connection: close" not in answer.lower()
        sock.sendall(b"x" * 500 + b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert status_of(sock.recv(65_536)) == 200


def test_the_rest_of_an_answered_body_has_a_deadline(untrained):
    with (
        inside(queue=1, header_seconds=0.5) as server,
        server.classifier.admission.taking(1),
        server.connection() as sock,
    ):
        sock.sendall(head(500))
        assert status_of(sock.recv(65_536)) == 503
        started = time.perf_counter()
        with suppress(OSError):
            for _ in range(100):
                sock.sendall(b"x")
                time.sleep(0.05)
        assert time.perf_counter() - started < 3


def test_a_head_that_does_not_come_is_said_to_be_one(untrained, capsys):
    with inside(header_seconds=0.3) as server:
        before = number(server.url, 'resnet18_http_requests_total{method="other",route="other",status="408"')
        with server.connection() as sock:
            sock.sendall(b"GET /healthz HTT")
            answer = read_all(sock)
        assert (
            number(server.url, 'resnet18_http_requests_total{method="other",route="other",status="408"') == before + 1
        )
    assert status_of(answer) == 408
    assert b"slow_client" in answer
    assert b"The head of the request" in answer
    for line in SECURITY:
        assert line in answer
    assert [json.loads(line) for line in capsys.readouterr().err.splitlines() if '"status": 408' in line]


def test_what_is_no_http_gets_our_refusal(untrained):
    with inside() as server, server.connection() as sock:
        sock.sendall(b"HELO mail.example.org\r\n\r\n")
        answer = read_all(sock)
    assert status_of(answer) == 400
    assert json.loads(answer.split(b"\r\n\r\n", 1)[1])["error"]["code"] == "bad_request"
    for line in SECURITY:
        assert line in answer


def test_connections_over_the_limit_get_503_in_our_form(untrained):
    with inside(connections=2) as server, server.connection() as first, server.connection():
        wait_until(lambda: len(server.server.server_state.connections) == 2)
        answer = httpx.get(server.url + "/api/v1/labels")
        assert answer.status_code == 503
        assert answer.json()["error"]["code"] == "server_busy"
        assert answer.headers["connection"] == "close"
        assert answer.headers["retry-after"] == "1"
        health = httpx.get(server.url + "/healthz")  # there is always room for it, and its connection is closed
        assert (health.status_code, health.headers["connection"]) == (200, "close")
        first.close()
        wait_until(lambda: len(server.server.server_state.connections) == 1)
        assert httpx.get(server.url + "/api/v1/labels").status_code == 200


def test_pictures_that_wait_are_run_together_and_a_lone_one_is_not(untrained):
    data = [pictures.jpeg() + bytes([each]) for each in range(40)]
    with inside(cache=0, queue=64) as server:
        sizes = []
        run = server.classifier.inference.backend.run

        def watched(batch):
            sizes.append(len(batch))
            return run(batch)

        server.classifier.inference.backend.run = watched  # the real engine, whose batches are noted
        with httpx.Client(base_url=server.url, timeout=60) as client:
            for one in data[:3]:
                assert client.post(CLASSIFY, content=one).status_code == 200
        assert sizes == [1, 1, 1]
        before = [number(server.url, f"resnet18_batch_rows_{name}") for name in ("sum", "count")]
        with httpx.Client(base_url=server.url, timeout=60) as client, ThreadPoolExecutor(20) as pool:
            list(pool.map(lambda one: client.post(CLASSIFY, content=one), data))
        rows, runs = (
            number(server.url, f"resnet18_batch_rows_{name}") - start
            for name, start in zip(("sum", "count"), before, strict=True)
        )
    assert rows == len(data)
    assert runs < rows
    assert max(sizes) > 1
    assert set(sizes) <= {1, 2, 4, 8}


def test_the_answer_not_used_for_longest_is_forgotten(untrained):
    first, second, third = (pictures.jpeg() + bytes([each]) for each in range(3))
    with inside(cache=2) as server:

        def is_known(data):
            return httpx.post(f"{server.url}{CLASSIFY}?cached=1", content=data).json()["cached"]

        asked = [is_known(one) for one in (first, second, first, third, first, second)]
    assert asked == [False, False, True, False, True, False]


@pytest.mark.parametrize("limit", [0, 1, 3])
def test_a_cache_never_holds_more_than_its_limit(limit):
    cache = AnswerCache(limit, ("engine",))
    known = Known(np.zeros((1, 1000), np.float32), (1, 1), (), animated=False)
    keys = [cache.key(bytes([each])) for each in range(5)]
    for key in keys:
        cache.put(key, known)
    assert [cache.get(key) is not None for key in keys] == [False] * (5 - limit) + [True] * limit


@pytest.mark.parametrize(("proxied", "client"), [(False, "127.0.0.1"), (True, "203.0.113.9")])
def test_a_client_s_address_is_taken_from_a_header_only_when_asked(untrained, proxied, client, capsys):
    with inside(proxy_headers=proxied) as server:
        httpx.get(server.url + "/healthz", headers={"x-forwarded-for": "203.0.113.9"})
    lines = [json.loads(line) for line in capsys.readouterr().err.splitlines() if line.startswith("{")]
    assert [line["client"] for line in lines if line.get("path") == "/healthz"] == [client]
