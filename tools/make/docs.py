"""Build the API reference from the docstrings: python tools/make/docs.py [FOLDER] (site/ if none is named)."""

import os
import sys
from pathlib import Path

import pdoc

ROOT = Path(__file__).resolve().parents[2]


def main() -> None:
    """Write the pages; a warning of pdoc's stands on stderr."""
    target = Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "site"
    os.environ["PDOC_DISPLAY_ENV_VARS"] = "1"  # no default here is a secret; without it pdoc warns of look-alikes
    pdoc.render.configure(docformat="google", search=False)
    rooms = sorted(path.parent.name for path in (ROOT / "resnet18_lab").glob("*/__init__.py"))
    # by name: the package's __all__ holds the public names alone
    pdoc.pdoc("resnet18_lab", *(f"resnet18_lab.{room}" for room in rooms), output_directory=target)
    print(target / "index.html")


if __name__ == "__main__":
    main()
