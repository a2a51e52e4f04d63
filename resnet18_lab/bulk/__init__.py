"""Many pictures: worker processes with a session each, results in order, and no picture lost."""
