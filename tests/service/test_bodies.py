"""Bodies as they come: with a preamble, in batches that take too long, packed on the way back."""

import gzip
import json
import time
from contextlib import suppress

import httpx
import pytest
from support import pictures
from support.running_service import inside, status_of

from resnet18_lab.service.settings import Settings

pytestmark = pytest.mark.slow

CLASSIFY = "/api/v1/classify"
FORM = {"content-type": "multipart/form-data; boundary=x"}
PART = (
    b'--x\r\nContent-Disposition: form-data; name="file"; filename="a.jpg"\r\n\r\n' + pictures.jpeg() + b"\r\n--x--\r\n"
)


@pytest.fixture
def untrained(untrained_home, monkeypatch):
    monkeypatch.setenv("RESNET18_LAB_HOME", str(untrained_home))


@pytest.mark.parametrize("preamble", [b"", b"\r\n", b"This is a form.\r\n", b"--xy\r\n\r\n", b"-" * 70_000 + b"\r\n"])
def test_what_stands_before_the_first_boundary_means_nothing(untrained, preamble):
    with inside() as server:
        answer = httpx.post(server.url + CLASSIFY, content=preamble + PART, headers=FORM, timeout=30)
    assert answer.status_code == 200, answer.text


@pytest.mark.parametrize("body", [b"no boundary at all", b"-" * 300_000, b"", b"--"])
def test_a_form_without_its_boundary_is_refused(untrained, body):
    with inside() as server:
        answer = httpx.post(server.url + CLASSIFY, content=body, headers=FORM, timeout=30)
    assert answer.status_code == 400
    assert answer.json()["error"]["code"] == "bad_multipart"


def test_of_a_batch_that_takes_too_long_what_is_ready_is_answered(untrained):
    slow = [pictures.slow_bmp(2_000_000) + bytes([number]) for number in range(6)]
    files = [
        ("file", (f"{number}", data)) for number, data in enumerate([pictures.jpeg(), *slow, pictures.jpeg() + b"1"])
    ]
    with inside(request_seconds=3, decode_seconds=2, cache=0) as server:
        answer = httpx.post(f"{server.url}{CLASSIFY}/batch", files=files, timeout=60)
    assert answer.status_code == 200
    results = answer.json()["results"]
    assert [one["file"] for one in results] == [str(number) for number in range(8)]
    assert "predictions" in results[0]
    assert "predictions" in results[7]
    late = [one["error"]["code"] for one in results if "error" in one]
    assert "timeout" in late
    assert set(late) <= {"timeout", "image_too_costly"}


def test_text_is_packed_for_those_who_ask_and_pictures_are_not(untrained):
    with inside() as server:
        packed = {"accept-encoding": "gzip"}
        labels = httpx.get(server.url + "/api/v1/labels", headers=packed)
        assert labels.headers["content-encoding"] == "gzip"
        assert len(labels.json()) == 1000
        assert (
            "content-encoding"
            not in httpx.get(server.url + "/api/v1/labels", headers={"accept-encoding": "identity"}).headers
        )
        assert "content-encoding" not in httpx.get(server.url + "/samples/cat.jpg", headers=packed).headers


@pytest.mark.parametrize("members", [1, 3])
@pytest.mark.parametrize("path", [CLASSIFY, "/predict", "/v2/models/resnet18/infer"])
def test_a_body_may_come_packed(untrained, members, path):
    zeros = {"name": "input", "datatype": "FP32", "shape": [1, 3, 224, 224], "data": [0] * 150_528}
    body = json.dumps({"inputs": [zeros]}).encode() if path.startswith("/v2") else pictures.jpeg()
    step = -(-len(body) // members)
    packed = b"".join(gzip.compress(body[start : start + step]) for start in range(0, len(body), step))
    with inside() as server:
        answer = httpx.post(server.url + path, content=packed, headers={"content-encoding": "gzip"}, timeout=30)
    assert answer.status_code == 200, answer.text


def test_a_form_may_come_packed(untrained):
    with inside() as server:
        headers = {**FORM, "content-encoding": "x-gzip"}
        answer = httpx.post(server.url + CLASSIFY, content=gzip.compress(PART), headers=headers, timeout=30)
    assert answer.json()["file"] == "a.jpg"


@pytest.mark.parametrize("path", [CLASSIFY, f"{CLASSIFY}/batch", "/v2/models/resnet18/infer"])
def test_what_a_packed_body_becomes_is_bounded(untrained, path):
    bomb = gzip.compress(b"\0" * 300_000_000, 9)
    assert len(bomb) < 400_000
    with inside(max_mb=5, batch_mb=6) as server:
        before = server.classifier.uploads.used
        headers = (
            {"content-encoding": "gzip", "content-type": FORM["content-type"]}
            if "batch" in path
            else {"content-encoding": "gzip"}
        )
        answer = httpx.post(server.url + path, content=bomb, headers=headers, timeout=30)
        assert answer.status_code in (400, 413)
        assert server.classifier.uploads.used == before
        assert httpx.get(server.url + "/healthz").status_code == 200


@pytest.mark.parametrize(
    "body",
    [
        b"", b"\x1f\x8b", gzip.compress(b"x" * 1000, mtime=0)[:-9], b"no gzip at all",
        gzip.compress(b"x", mtime=0) + b"rest",
    ],
    ids=["empty", "two bytes", "cut off", "words", "more after it"],
)  # fmt: skip
def test_a_body_that_is_not_what_its_encoding_says_is_refused(untrained, body):
    with inside() as server:
        answer = httpx.post(server.url + CLASSIFY, content=body, headers={"content-encoding": "gzip"}, timeout=30)
    assert answer.status_code == 400
    assert answer.json()["error"]["code"] == "bad_request"


@pytest.mark.parametrize(
    ("disposition", "shown"),
    [
        (b"filename*=UTF-8''%e7%8c%ab.jpg", "猫.jpg"),
        (b"filename=\"plain.jpg\"; filename*=UTF-8''%E2%82%AC%20rates.jpg", "€ rates.jpg"),
        (b"filename*=iso-8859-1'en'%A3.jpg", "£.jpg"),
        (b"filename*=no-such-charset''%C3%A9.jpg", "é.jpg"),
        (b'filename="=?UTF-8?B?54yrLmpwZw==?="', "猫.jpg"),
        (b'filename="=?utf-8?q?caf=C3=A9=2Ejpg?="', "café.jpg"),
        (b'filename="=?UTF-8?B?not base64?="', "=?UTF-8?B?not base64?="),
        ("filename=\"a\u3000b\u202fc\u00a0d\U0001f468\u200d\U0001f469.jpg\"".encode(), "a\u3000b\u202fc\u00a0d\U0001f468\u200d\U0001f469.jpg"),
        (b'filename="a%22b.jpg"', "a%22b.jpg"),
        ("filename=\"x\u202egpj.exe\"".encode(), "xgpj.exe"),
        (b"filename=\"" + b"n" * 150 + b".jpg\"", "n" * 100),
    ],
)  # fmt: skip
def test_a_name_is_shown_as_it_was_sent(untrained, disposition, shown):
    part = PART.replace(b'filename="a.jpg"', disposition)
    with inside() as server:
        answer = httpx.post(server.url + CLASSIFY, content=part, headers=FORM, timeout=30)
    assert answer.json()["file"] == shown


def test_a_body_that_keeps_up_has_longer_than_one_that_does_not(untrained):
    """The second would be done in the time of the first, had it kept up."""
    data = pictures.jpeg() + b"\0" * 150_000

    def send(server, pause):
        with server.connection() as sock:
            sock.sendall(b"POST /predict HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n" % len(data))
            for start in range(0, len(data), 4_000):
                with suppress(OSError):
                    sock.sendall(data[start : start + 4_000])
                time.sleep(pause)
            return status_of(sock.recv(65_536))

    with inside(body_seconds=1, least_rate=25, longest_body_seconds=20, cache=0) as server:
        assert send(server, 0.06) == 200  # 2.5 s or more in all
    with inside(body_seconds=1, least_rate=0, cache=0) as server:
        assert send(server, 0.06) == 408
    with inside(body_seconds=1, least_rate=25, longest_body_seconds=1.5, cache=0) as server:
        assert send(server, 0.06) == 408


def test_the_times_of_bodies_are_what_settings_say():
    """A photograph of 12 MB at 2 Mbit/s takes 48 s."""
    settings = Settings()
    assert settings.time_for_body(0) == 30
    assert settings.time_for_body(250_000 * 40) > 48
    assert settings.time_for_body(10**9) == 300
    assert Settings(body_seconds=400).time_for_body(10**9) == 400
