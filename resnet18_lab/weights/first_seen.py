"""Whole hashes of files whose authors publish the first digits alone: the first one seen counts from then on."""

import contextlib
import json

from resnet18_lab.base import paths
from resnet18_lab.base.files import write_text
from resnet18_lab.weights.catalogue import CatalogueEntry


def first_seen(entry: CatalogueEntry, sha256: str) -> str:
    """The whole hash first seen here for that file; this one where there was none, which is remembered."""
    path = paths.home() / ".state" / "first-seen.json"
    try:
        seen = {str(name): str(digest) for name, digest in json.loads(path.read_text(encoding="utf-8")).items()}
    except (OSError, ValueError, AttributeError):
        seen = {}
    if entry.filename not in seen:
        seen[entry.filename] = sha256
        with contextlib.suppress(OSError):  # where one may only read, there is nothing to remember it in
            write_text(path, json.dumps(seen, indent=1, sort_keys=True) + "\n")
    return seen[entry.filename]
