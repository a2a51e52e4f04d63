"""Notebook 03: the formats of one network."""
