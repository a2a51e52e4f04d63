"""Notebook 01: what the network is made of."""
