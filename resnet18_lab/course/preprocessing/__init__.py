"""Notebook 06: ways from a file to the input."""
