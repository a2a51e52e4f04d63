"""Defaults of a bulk run; this module imports nothing, so that ``--help`` starts quickly."""

DEFAULT_BATCH = 4
"""Pictures a worker runs at once; larger batches are not faster per picture (see docs/benchmarks.md)."""
