"""Defaults and limits of decoding; this module imports next to nothing, so that ``--help`` starts quickly."""

from resnet18_lab.base.errors import ParameterError

DECODE_SECONDS = 2.0
"""CPU time that one picture may take: 50 megapixels take a quarter of it, or half as WebP (docs/decoding.md)."""
_LONGEST_SECONDS = 3600


def check_seconds(seconds: float) -> None:
    """Raise ParameterError unless so much CPU time may be given to a picture."""
    if not 0 < seconds <= _LONGEST_SECONDS:
        raise ParameterError(f"decode_seconds={seconds} is not allowed; give more than 0, at most {_LONGEST_SECONDS}.")
