"""Decoding processes: what a picture costs ends with them, and nobody else waits for it."""

import contextlib
import os
import random
import signal
import threading
import time
from dataclasses import asdict

import numpy as np
import psutil
import pytest
from support import dear_pictures, pictures, true_pixels
from support.restructured import restructured

from resnet18_lab.base.errors import ImageError, ParameterError
from resnet18_lab.base.samples import load_samples, samples_dir
from resnet18_lab.inference.classify import prepare
from resnet18_lab.preprocessing import decoder_pool, decoders
from resnet18_lab.preprocessing.cost import foretold
from resnet18_lab.preprocessing.decode import structure_of
from resnet18_lab.preprocessing.decoder_process import Process
from resnet18_lab.preprocessing.decoders import Decoders
from resnet18_lab.preprocessing.prepare import InProcess
from resnet18_lab.preprocessing.refusals import codes
from resnet18_lab.preprocessing.source import Limits
from resnet18_lab.preprocessing.turns import AbandonedError

CAT = (samples_dir() / "cat.jpg").read_bytes()
SLOW = pictures.slow_bmp()
PATIENCE = 30.0
CASES = int(os.environ.get("RESNET18_LAB_FUZZ_CASES", "600"))
CASE_SECONDS = 1.0
"""CPU time that a damaged picture of at most a megapixel may take."""

pytestmark = pytest.mark.skipif(os.name == "nt", reason="CPU time is limited by a signal that Windows does not have")


def children():
    """The decoding processes of this process."""
    found = []
    for one in psutil.Process().children():
        with contextlib.suppress(psutil.Error):
            if "resnet18_lab.preprocessing.decoder" in one.cmdline():
                found.append(one)
    return found


def until(condition):
    deadline = time.monotonic() + PATIENCE
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.01)
    assert condition()


def code_of(call, *arguments):
    with pytest.raises(ImageError) as caught:
        call(*arguments)
    return caught.value.code


@pytest.fixture(autouse=True)
def nothing_left():
    """A pool closed early ends the processes it was just starting a little later: the next test counts its own."""
    yield
    until(lambda: not any("_start_one" in thread.name for thread in threading.enumerate()))


@pytest.fixture
def two():
    with Decoders(2, seconds=0.5) as some:
        yield some


def test_crops_and_facts_are_those_of_this_process(two):
    here = InProcess()
    for data in [*(sample.path.read_bytes() for sample in load_samples()), pictures.animation("GIF")]:
        one, other = two.prepare(data), here.prepare(data)
        np.testing.assert_array_equal(one.crop, other.crop)
        assert (one.size, one.animated, one.warnings) == (other.size, other.animated, other.warnings)


def test_errors_are_those_of_this_process(two):
    for data in (b"", b"text", pictures.jpeg()[:900], pictures.flat_png(9000, 9000)):
        assert code_of(two.prepare, data) == code_of(InProcess().prepare, data)


def test_a_picture_that_takes_too_long_is_ended_and_the_process_replaced(two):
    two.prepare(CAT)
    before = {one.pid for one in children()}
    began = time.monotonic()
    with pytest.raises(ImageError, match=r"more than 0\.5 s of CPU time") as caught:
        two.prepare(SLOW)
    assert caught.value.code == "image_too_costly"
    assert time.monotonic() - began < PATIENCE
    until(lambda: len(children()) == 2)
    assert {one.pid for one in children()} != before
    np.testing.assert_array_equal(two.prepare(CAT).crop, InProcess().prepare(CAT).crop)


def test_a_picture_that_was_thought_cheap_takes_its_turn_as_a_dear_one(monkeypatch):
    monkeypatch.setattr(decoders, "_CHEAP_DEADLINE", 0.001)
    with Decoders(2) as some:
        np.testing.assert_array_equal(some.prepare(CAT).crop, InProcess().prepare(CAT).crop)


def test_one_process_alone_does_it_all():
    with Decoders(seconds=0.5) as one:
        assert one.prepare(CAT).size == (451, 300)
        assert code_of(one.prepare, SLOW) == "image_too_costly"
        assert one.prepare(CAT).size == (451, 300)


@pytest.mark.slow
def test_small_pictures_do_not_wait_for_dear_ones():
    with Decoders(3, seconds=1.0) as some:
        some.prepare(CAT)
        found = []
        threads = [
            threading.Thread(target=lambda: found.append(code_of(some.prepare, SLOW)), daemon=True) for _ in range(6)
        ]
        for one in threads:
            one.start()
        times = []
        while any(one.is_alive() for one in threads):
            began = time.monotonic()
            some.prepare(CAT)
            times.append(time.monotonic() - began)
        assert found == ["image_too_costly"] * 6
        assert len(times) > 6
        assert max(times) < 1.0


@pytest.mark.slow
def test_dear_pictures_take_turns_for_the_memory_of_the_largest():
    large = pictures.encode(pictures.scene(4000, 3000), "WEBP", quality=1, method=0)
    assert foretold(structure_of(large)).memory > decoders.CHEAP_MEMORY
    with Decoders(4, limits=InProcess().limits) as some:
        some.prepare(large)
        threads = [threading.Thread(target=some.prepare, args=(large,)) for _ in range(6)]
        for one in threads:
            one.start()
        for one in threads:
            one.join(PATIENCE)
        assert not any(one.is_alive() for one in threads)


@pytest.mark.slow
def test_no_more_memory_is_used_than_was_granted():
    process = Process(
        {"limits": vars(InProcess().limits), "draft_for": None, "preprocessing": asdict(InProcess().preprocessing)}
    )
    process.wait_ready()
    try:
        large = pictures.encode(pictures.scene(5000, 5000), "PNG")
        dear, _ = process.ask({"seconds": 5, "cheap": 1, "memory": 1_000_000}, large)
        assert dear["dear"]["memory"] > 25_000_000 * 3
        answer, _ = process.ask({"go": True, "seconds": 5, "memory": 1_000_000})
        assert answer["error"][0] == "image_too_costly"
        assert "more than 1 MB of memory" in answer["error"][1]
        assert process.ask({"seconds": 5, "cheap": 1, "memory": 10_000_000}, CAT)[0]["size"] == [451, 300]
    finally:
        process.end()


def test_a_killed_process_is_replaced_and_its_picture_run_again(two):
    two.prepare(CAT)
    for one in children():
        one.kill()
    assert two.prepare(CAT).size == (451, 300)
    until(lambda: len(children()) == 2)


def test_it_is_not_ready_while_all_are_being_replaced(two):
    until(lambda: len(children()) == 2 and two.is_ready)
    for one in children():
        one.kill()
    until(lambda: not two.is_ready)
    two.prepare(CAT)
    assert two.is_ready


@pytest.mark.slow
def test_a_stopped_process_is_replaced(monkeypatch):
    monkeypatch.setattr(decoder_pool, "_WATCH_SECONDS", 0.1)
    with Decoders(seconds=0.5) as one:
        one.prepare(CAT)
        (child,) = children()
        child.send_signal(signal.SIGSTOP)
        assert code_of(one.prepare, CAT) == "image_too_costly"
        assert one.prepare(CAT).size == (451, 300)


@pytest.mark.slow
def test_a_picture_nobody_waits_for_leaves_the_queue():
    with Decoders(2, seconds=1.0) as some:
        some.prepare(CAT)
        slower = pictures.slow_bmp(6_000_000)
        running = threading.Thread(target=code_of, args=(some.prepare, slower))
        running.start()
        until(lambda: some.turns.taken == 1)
        gone, told = threading.Event(), []

        def wait():
            try:
                some.prepare(slower, gone.is_set)
            except (AbandonedError, ImageError) as error:
                told.append(type(error))

        waiting = threading.Thread(target=wait)
        waiting.start()
        until(lambda: some.turns.waiting == 1)
        gone.set()
        some.wake()
        waiting.join(PATIENCE)
        assert told == [AbandonedError]
        assert running.is_alive()
        running.join(PATIENCE)


def test_no_process_is_left(two):
    two.prepare(CAT)
    mine = children()
    two.close()
    until(lambda: not any(one.is_running() for one in mine))


def test_a_dear_picture_gets_a_process_of_its_own_and_others_get_none(monkeypatch):
    started = []
    start = Process.__init__
    monkeypatch.setattr(Process, "__init__", lambda self, settings: (started.append(1), start(self, settings))[1])
    prepare(CAT)
    assert not started
    assert code_of(InProcess(decode_seconds=0.2).prepare, SLOW) == "image_too_costly"
    assert started


@pytest.mark.slow
def test_random_damage_to_structure_costs_no_more_than_was_foretold():
    wholes = [*true_pixels.made().values(), dear_pictures.scans(12), pictures.slow_bmp(20_000)]
    source, limits = random.Random(0), Limits(max_pixels=1_000_000)
    with Decoders(limits=limits, seconds=CASE_SECONDS) as some:
        for number in range(CASES):
            data = restructured(wholes[number % len(wholes)], source)
            try:
                found = some.prepare(data)
                assert found.size[0] * found.size[1] <= limits.max_pixels
            except ImageError as error:
                assert error.code in codes()
                assert "of CPU time" not in error.message, number
                assert "of memory" not in error.message, number
                assert error.code not in ("internal_error", "worker_died"), number


@pytest.mark.parametrize("seconds", [0, -1, float("nan"), 1e9])
def test_an_impossible_deadline_is_refused(seconds):
    with pytest.raises(ParameterError, match="decode_seconds"):
        Decoders(seconds=seconds)
