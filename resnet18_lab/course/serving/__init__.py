"""Notebook 08: a service, asked and attacked."""
