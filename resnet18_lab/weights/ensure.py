"""Weights for the commands that may download: found where they are, else fetched and said so."""

import os
import time

from resnet18_lab.base.errors import FetchError, WeightsNotFoundError
from resnet18_lab.base.notify import Notify
from resnet18_lab.weights.catalogue import entries_of, entry_named
from resnet18_lab.weights.fetch import fetch_weights, is_offline
from resnet18_lab.weights.find import BUNDLED, VARIABLE, WeightsFile, find_weights
from resnet18_lab.weights.names import AUTO, split_name

_FETCH_ORDER = ("official", "compact")
PATIENCE = 20.0
"""Seconds that all the hosts asked may together take to answer, where there are weights to settle for."""


def ensure_weights(name: str = AUTO, *, notify: Notify) -> WeightsFile:
    """The weights of that name; ``auto`` asks for official, then compact, before it settles for what comes along.

    ``notify`` is told what is fetched, and what is settled for. Raises WeightsNotFoundError or FetchError when they
    cannot be had. A folder or file that was chosen with ``RESNET18_LAB_WEIGHTS`` is never passed over in favour of a
    download.
    """
    try:
        file = find_weights(name)
    except WeightsNotFoundError as missing:
        wanted = _FETCH_ORDER if name == AUTO else _to_fetch(name)
        if os.environ.get(VARIABLE) or not wanted:
            raise
        fetched, failures = _fetched(wanted, notify, None)
        if fetched is None:
            raise FetchError(" ".join(failures)) from missing
        return fetched
    if name != AUTO or file.origin != BUNDLED or os.environ.get(VARIABLE):
        return file
    fetched, _ = (None, []) if is_offline() else _fetched(_FETCH_ORDER, notify, PATIENCE)
    if fetched is None:
        notify(f"no official or compact weights can be had here: {describe(file)}")
    return fetched or file


def _to_fetch(name: str) -> tuple[str, ...]:
    """Names to fetch, the preferred first: for a network's ``auto`` all of its that have an address."""
    network, rest = split_name(name)
    return tuple(entry.name for entry in entries_of(network.name) if entry.url and rest in (AUTO, entry.name))


def describe(file: WeightsFile) -> str:
    """The weights' name, with what was measured of them where no published accuracy is known."""
    measured = entry_named(file.name).measured
    return f"the {file.name} weights answer, {measured}" if measured else f"the {file.name} weights answer"


def _fetched(wanted: tuple[str, ...], notify: Notify, patience: float | None) -> tuple[WeightsFile | None, list[str]]:
    """The first of the weights that can be fetched, else why none can; ``patience`` in seconds bounds silent hosts."""
    failures: list[str] = []
    end = None if patience is None else time.monotonic() + patience
    for number, candidate in enumerate(wanted):
        notify(f"no {candidate} weights here yet: fetching them")
        left = 10.0 if end is None else max(1.0, (end - time.monotonic()) / (len(wanted) - number))
        try:
            fetch_weights(candidate, notify=notify, connect_timeout=left, read_timeout=30.0 if end is None else left)
            return find_weights(candidate), failures
        except FetchError as error:
            failures.append(str(error))
    return None, failures
