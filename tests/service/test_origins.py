"""Who may ask: no page of another site, under no name that is not the service's; and what HTTP asks of everybody."""

import json

import httpx
import pytest
from support import pictures
from support.running_service import inside, status_of

CLASSIFY = "/api/v1/classify"


@pytest.fixture
def untrained(untrained_home, monkeypatch):
    monkeypatch.setenv("RESNET18_LAB_HOME", str(untrained_home))


@pytest.fixture
def server(untrained):
    with inside() as running:
        yield running


def post(server, path=CLASSIFY, **headers):
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return httpx.post(server.url + path, content=pictures.jpeg(), headers=named, timeout=30)


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "https://evil.example"}, {"origin": "null"}, {"origin": "http://localhost:9"},
        {"sec_fetch_site": "cross-site"}, {"origin": "https://evil.example", "sec_fetch_site": "same-origin"},
    ],
)  # fmt: skip
@pytest.mark.parametrize("path", [CLASSIFY, f"{CLASSIFY}/batch", "/predict", "/v2/models/resnet18/infer"])
def test_pages_of_other_sites_are_refused(server, headers, path):
    answer = post(server, path, **headers)
    assert answer.status_code == 403
    words = answer.json()
    assert "--cors-origin" in (words["error"] if path.startswith("/v2") else words["error"]["message"])


def test_the_services_own_page_and_programs_may_ask(server):
    own = {"origin": server.url, "sec_fetch_site": "same-origin"}
    assert post(server, **own).status_code == 200
    assert post(server).status_code == 200
    assert httpx.get(server.url + "/healthz", headers={"origin": "https://evil.example"}).status_code == 200


def test_a_site_that_is_named_may_ask(untrained):
    with inside(cors_origins=("https://friend.example",)) as server:
        assert post(server, origin="https://friend.example", sec_fetch_site="cross-site").status_code == 200
        assert post(server, origin="https://evil.example").status_code == 403


@pytest.mark.parametrize(
    ("host", "allowed", "status"),
    [
        ("localhost", (), 200), ("127.0.0.1:8000", (), 200), ("[::1]:8000", (), 200), ("LOCALHOST", (), 200),
        ("evil.example", (), 421), ("localhost.evil.example", (), 421), ("evil.example:80", (), 421),
        ("pictures.example.org", ("pictures.example.org",), 200), ("localhost", ("pictures.example.org",), 200),
        ("evil.example", ("pictures.example.org",), 421),
    ],
)  # fmt: skip
def test_a_service_of_this_machine_answers_to_its_names_alone(untrained, host, allowed, status):
    with inside(allowed_hosts=allowed) as server:
        answer = httpx.get(server.url + "/healthz", headers={"host": host})
    assert answer.status_code == status
    if status == 421:
        assert "--allowed-host" in answer.json()["error"]["message"]


def test_whether_an_answer_was_remembered_is_said_only_when_asked(server):
    assert "cached" not in post(server).json()
    assert post(server, f"{CLASSIFY}?cached=1").json()["cached"] is True
    files = [("file", ("a.jpg", pictures.jpeg()))] * 2
    results = httpx.post(f"{server.url}{CLASSIFY}/batch", files=files, timeout=30).json()["results"]
    assert not any("cached" in one or "was_cached" in one for one in results)


def test_without_a_cache_nothing_is_remembered(untrained):
    with inside(cache=0) as server:
        assert [post(server, f"{CLASSIFY}?cached=1").json()["cached"] for _ in range(2)] == [False, False]


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/healthz",
        "/readyz",
        "/metrics",
        "/docs",
        "/api/v1/labels",
        "/samples/cat.jpg",
        "/static/main.js",
        "/unknown",
        CLASSIFY,
    ],
)
def test_head_is_get_without_a_body(server, path):
    got, head = (httpx.request(method, server.url + path) for method in ("GET", "HEAD"))
    assert head.status_code == got.status_code
    assert head.content == b""
    assert head.headers["content-type"] == got.headers["content-type"]


def test_a_length_beside_chunks_is_answered_and_the_connection_closed(server):
    body = pictures.jpeg()
    request = (
        (
            f"POST {CLASSIFY} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(body)}\r\nTransfer-Encoding: chunked\r\n\r\n"
        ).encode()
        + f"{len(body):x}\r\n".encode()
        + body
        + b"\r\n0\r\n\r\n"
    )
    with server.connection() as sock:
        sock.sendall(request)
        answer = b""
        while data := sock.recv(65536):
            answer += data
    assert status_of(answer) in (200, 400)
    assert b"connection: close" in answer.lower()


@pytest.mark.parametrize(
    "name", ["a\u3000b.jpg", "a\u202fb.jpg", "a\u00a0b.jpg", "👩\u200d🔬.jpg", "小猫 图片.png", "a b.jpg"]
)
def test_a_name_is_repeated_as_it_was_sent(server, name):
    answer = httpx.post(server.url + CLASSIFY, files={"file": (name, pictures.jpeg(), "image/jpeg")}, timeout=30)
    assert answer.json()["file"] == name


@pytest.mark.parametrize(
    ("name", "shown"), [("a\x07b.jpg", "ab.jpg"), ("a\u202ejpg.exe", "ajpg.exe"), ("a\u2028b", "ab")]
)
def test_what_is_no_text_is_left_out_of_a_name(server, name, shown):
    form = (
        b'--x\r\nContent-Disposition: form-data; name="file"; filename="' + name.encode() + b'"\r\n\r\n'
        + pictures.jpeg() + b"\r\n--x--\r\n"
    )  # fmt: skip
    headers = {"content-type": "multipart/form-data; boundary=x"}
    answer = httpx.post(server.url + CLASSIFY, content=form, headers=headers, timeout=30)
    assert answer.json()["file"] == shown


def test_only_what_a_client_needs_is_said_of_versions(server):
    assert set(httpx.get(server.url + "/api/v1/model").json()["versions"]) == {"resnet18_lab"}


def test_more_than_the_rate_is_429_with_the_time_to_wait(untrained):
    with inside(rate=0.5) as server:
        answers = [post(server) for _ in range(6)]
        refused = [one for one in answers if one.status_code == 429]
        assert answers[0].status_code == 200
        assert refused
        assert refused[-1].json()["error"]["code"] == "too_many_requests"
        assert 1 <= int(refused[-1].headers["retry-after"]) <= 2
        assert httpx.get(server.url + "/healthz").status_code == 200  # only uploads are counted


def test_one_client_s_rate_is_not_another_s(untrained):
    with inside(rate=0.5, proxy_headers=True) as server:
        while post(server, x_forwarded_for="203.0.113.1").status_code == 200:
            pass
        assert post(server, x_forwarded_for="203.0.113.2").status_code == 200


@pytest.mark.parametrize(("given", "kept"), [("abc-123", True), ("x" * 65, False), ("a b", False), ('a"b', False)])
def test_a_request_id_is_kept_where_it_is_one(server, given, kept):
    answer = post(server, x_request_id=given)
    assert (answer.headers["x-request-id"] == given) is kept
    assert answer.json()["request_id"] == answer.headers["x-request-id"]


def test_a_trace_is_kept_in_the_answer_and_the_log(untrained, capsys):
    trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    with inside() as server:
        assert post(server, traceparent=trace).headers["traceparent"] == trace
        assert "traceparent" not in post(server, traceparent="nonsense").headers
    logged = [json.loads(line) for line in capsys.readouterr().err.splitlines() if line.startswith("{")]
    assert [line["trace_id"] for line in logged if "trace_id" in line] == [trace.split("-")[1]]


def test_the_time_is_told_to_the_browser_too(server):
    answer = post(server)
    told = dict(part.split(";dur=") for part in answer.headers["server-timing"].split(", "))
    assert {name: float(ms) for name, ms in told.items()} == answer.json()["timing_ms"]
