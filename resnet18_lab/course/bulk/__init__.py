"""Notebook 07: folders of pictures."""
