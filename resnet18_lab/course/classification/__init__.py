"""Notebook 02: the way of a picture to its answer."""
