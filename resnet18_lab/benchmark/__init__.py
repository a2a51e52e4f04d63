"""Speed and memory, measured so that a stranger's table means the same.

One fresh process for each configuration and start, interleaved in seeded random order; every raw sample is
kept in the record, from which tables and figures are made.
"""
