"""Engines behind one protocol; see ``registry.open_backend``."""
