"""Notebook 11: learning from a teacher's soft targets."""
