"""Defaults of decoding; this module imports nothing, so that ``--help`` starts quickly."""

DECODE_SECONDS = 2.0
"""CPU time that one picture may take: 50 megapixels take a quarter of it, or half as WebP (docs/decoding.md)."""
