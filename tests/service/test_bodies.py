"""Bodies as they come: with a preamble, in batches that take too long, packed on the way back."""

import httpx
import pytest
from support import pictures
from support.running_service import inside

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
