"""Notebook 05: threads."""
