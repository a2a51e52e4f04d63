"""Notebook 04: INT8 and below."""
