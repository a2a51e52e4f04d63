"""Weights for the commands that may download: found where they are, else fetched and said so."""

import os
from collections.abc import Callable

from resnet18_lab.base.errors import FetchError, WeightsNotFoundError
from resnet18_lab.weights.catalogue import catalogue
from resnet18_lab.weights.fetch import fetch_weights
from resnet18_lab.weights.find import VARIABLE, WeightsFile, find_weights

FETCH_ORDER = ("official", "compact")


def ensure_weights(name: str = "auto", *, notify: Callable[[str], None]) -> WeightsFile:
    """The weights of that name; ``auto`` fetches official, then compact, when none are found.

    Raises WeightsNotFoundError or FetchError when they cannot be had. A folder or file that was chosen
    with ``RESNET18_LAB_WEIGHTS`` is never passed over in favour of a download.
    """
    try:
        return find_weights(name)
    except WeightsNotFoundError as missing:
        wanted = FETCH_ORDER if name == "auto" else (name,)
        known = {entry.name for entry in catalogue()}
        if os.environ.get(VARIABLE) or not set(wanted) <= known:
            raise
        failures = []
        for candidate in wanted:
            notify(f"no {candidate} weights here yet: fetching them")
            try:
                fetch_weights(candidate, notify=notify)
                return find_weights(candidate)
            except FetchError as error:
                failures.append(str(error))
        raise FetchError(" ".join(failures)) from missing
