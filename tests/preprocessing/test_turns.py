"""Turns of dear pictures keep within their number and their memory."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from resnet18_lab.preprocessing.turns import AbandonedError, Turns


@pytest.mark.parametrize("most", [1, 3, 8])
def test_turns_together_stay_within_number_and_memory(most):
    turns, lock = Turns(most, 10), threading.Lock()
    held, seen = [], []

    def work(memory):
        with turns.turn(memory, bool):
            with lock:
                held.append(memory)
                seen.append((len(held), sum(held)))
            time.sleep(0.002)
            with lock:
                held.remove(memory)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, [3, 4, 10, 2, 9, 1, 5, 5] * 5))
        assert max(count for count, _ in seen) <= most
        assert max(memory for _, memory in seen) <= 10
        pool.submit(work, 50).result(5)  # more than there is, alone
    assert turns.taken == turns.waiting == 0


def test_who_came_first_goes_first_and_nobody_passes():
    turns, order = Turns(2, 10), []

    def work(name, memory):
        with turns.turn(memory, bool):
            order.append(name)

    assert turns.take_now(8)
    threads = []
    for name, memory in (("large", 9), ("small", 2)):
        threads.append(threading.Thread(target=work, args=(name, memory)))
        threads[-1].start()
        while turns.waiting < len(threads):
            time.sleep(0.001)
    assert not turns.take_now(1)
    turns.end(8)
    for one in threads:
        one.join()
    assert order == ["large", "small"]


def test_an_abandoned_turn_is_given_up():
    turns = Turns(1, 10)
    with pytest.raises(AbandonedError), turns.turn(1, lambda: True):
        pass
    assert turns.taken == turns.waiting == 0
