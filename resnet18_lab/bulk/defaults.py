"""What a bulk run takes when it is not told otherwise; imports nothing, so that ``--help`` starts quickly."""

DEFAULT_BATCH = 4
"""Pictures a worker runs at once: from there on a picture costs no less (see docs/benchmarks.md)."""
