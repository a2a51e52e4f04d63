"""Many pictures: worker processes with a session each, results in order, and no picture lost."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from resnet18_lab.bulk.pipeline import stream as stream

__all__ = ["DEFAULT_BATCH"]  # `stream` is no attribute yet when a tool reads this list

DEFAULT_BATCH = 4
"""Pictures a worker runs at once: from there on a picture costs no less (see docs/benchmarks.md)."""


def __getattr__(name: str) -> Any:  # noqa: ANN401 - the pipeline is imported when it is asked for, not by every command
    if name == "stream":
        from resnet18_lab.bulk.pipeline import stream

        return stream
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
