"""Defaults and limits of a bulk run; this module imports next to nothing, so that ``--help`` starts quickly."""

from resnet18_lab.base.errors import ParameterError

DEFAULT_BATCH = 4
"""Pictures a worker runs at once; larger batches are not faster per picture (see docs/benchmarks.md)."""
MAX_BATCH = 1024


def check_batch(count: int) -> None:
    """Raise ParameterError unless ``count`` is an allowed batch size."""
    if not 1 <= count <= MAX_BATCH:
        raise ParameterError(f"batch={count} is not allowed; give 1 to {MAX_BATCH}.")
