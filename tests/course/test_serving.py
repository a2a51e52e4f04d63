"""The notebook's tools for a service: started, attacked, loaded, stopped."""

import httpx
import pytest
from support.project import samples_dir

from resnet18_lab.base.errors import LabError
from resnet18_lab.benchmark.load import Load, arrivals, offered_load, peak_rate
from resnet18_lab.course.serving import conclusions, figures
from resnet18_lab.course.serving.attacks import announced_png, half_open, refusal
from resnet18_lab.service import client

PICTURES = [(samples_dir() / name).read_bytes() for name in ("cat.jpg", "coffee.jpg")]


def test_a_service_is_started_on_a_free_port_and_stopped(trained_or_untrained_home, monkeypatch):
    monkeypatch.setenv("RESNET18_LAB_HOME", str(trained_or_untrained_home))
    with client.running() as first, client.running() as second:
        assert first.url != second.url
        assert httpx.get(f"{first.url}/healthz").status_code == 200
        assert first.ready_seconds > 0
    assert first.process.returncode is not None
    assert second.process.returncode is not None
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"{first.url}/healthz")


def test_a_service_that_does_not_start_says_why():
    with pytest.raises(LabError, match=r"did not start.*no-such-option"):
        client.start("--no-such-option")


def test_a_refusal_has_status_code_and_words(service):
    refused = refusal(service, b"only words, whatever the name says")
    assert (refused.status, refused.code) == (415, "not_an_image")
    assert "no picture" in refused.message


def test_a_small_file_that_announces_billions_of_pixels_is_refused(service):
    data = announced_png(50_000)
    assert len(data) < 50
    assert refusal(service, data).code == "too_many_pixels"


def test_arrivals_are_as_many_as_the_rate_says():
    due = arrivals(PICTURES, 30.0, 2.0)
    moments = [moment for moment, _ in due]
    assert len(due) == 60
    assert moments == sorted(moments)
    assert 0 <= moments[0] <= moments[-1] <= 2.0


def test_a_batch_answers_in_order_with_an_error_in_its_place(service):
    cat = (samples_dir() / "cat.jpg").read_bytes()
    first, second = client.batch(service, [("a.jpg", cat), ("b.jpg", b"words")])
    assert client.classify(service, cat, "a.jpg")["predictions"] == first["predictions"]
    assert client.get(service, "/healthz")[0] == 200
    assert (first["file"], len(first["predictions"])) == ("a.jpg", 3)
    assert (second["file"], second["error"]["code"]) == ("b.jpg", "not_an_image")


def test_a_body_that_is_too_large_is_refused_even_while_it_is_sent(service):
    assert refusal(service, b"\xff\xd8\xff\xe0" + bytes(21_000_000)).code == "file_too_large"


def test_half_requests_do_not_keep_others_waiting(service):
    with half_open(service, 20):
        assert httpx.post(f"{service}/api/v1/classify", content=PICTURES[0], timeout=20).status_code == 200


def test_every_picture_that_was_due_is_counted(service):
    load = offered_load(service, PICTURES, 20.0, seconds=1.0, mode="light")
    due = arrivals(PICTURES, 20.0, 1.0)
    assert len(load.milliseconds) + load.refused + load.failed == len(due) > 0
    assert load.failed == 0
    assert load.answered > 0
    assert all(spent > 0 for spent in load.milliseconds)


def test_the_peak_is_a_rate(service):
    assert peak_rate(service, PICTURES, at_once=2, seconds=0.5) > 0


def test_a_service_that_is_gone_loses_pictures_and_says_so(trained_or_untrained_home, monkeypatch):
    monkeypatch.setenv("RESNET18_LAB_HOME", str(trained_or_untrained_home))
    with client.running() as short:
        pass
    load = offered_load(short.url, PICTURES, 20.0, seconds=0.5)
    assert load.failed > 0
    assert load.milliseconds == ()
    assert load.percentile(50) != load.percentile(50)  # not a number


def test_the_figure_and_the_table_hold_every_load():
    loads = [Load(mode, rate, rate, (1.0, 2.0, 10.0), 0, 0) for mode in ("a", "b") for rate in (10.0, 20.0)]
    assert figures.table(loads)["p50 ms"].tolist() == [2.0] * 4
    (axes,) = figures.latency(loads, "untrained").axes
    assert len(axes.lines) == 2


def load(mode, offered, answered, milliseconds, count):
    return Load(mode, offered, answered, tuple(milliseconds * (0.9 + 0.2 * n / count) for n in range(count)), 0, 0)


def test_what_so_few_answers_cannot_tell_is_said_so():
    few = [load("one at a time", 270.0, 230.0, 180.0, 460), load("together", 270.0, 244.0, 178.0, 488)]
    (together,) = conclusions.gains(few, "")
    assert "1.06 × the answers of one at a time (0.93 to 1.20), no difference shown;" in together.said
    clear = [load("one at a time", 270.0, 130.0, 180.0, 2600), load("together", 270.0, 244.0, 90.0, 4880)]
    (together,) = conclusions.gains(clear, "")
    assert "no difference" not in together.said
    assert "waits 2.00 × as long" in together.said
    assert conclusions.gains(clear, "busy")[0].withheld == "busy"


def test_the_time_beyond_capacity_is_beside_that_of_the_smallest_load():
    loads = [load("a", rate, rate, ms, 400) for rate, ms in ((60.0, 9.0), (120.0, 10.0), (270.0, 180.0))]
    said = conclusions.beyond_capacity(loads, "")
    assert "with 270 offered a second an answer takes 20.00 × as long" in said.said
    assert "as with 60" in said.said
