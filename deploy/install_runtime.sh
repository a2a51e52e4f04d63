#!/bin/sh
# Second stage of the container: the service and what it imports, at the pinned versions; no torch, no notebooks.
# Usage: deploy/install_runtime.sh NEW-VENV     (from the project's root)
set -eu
python3 -m venv "$1"
python3 deploy/runtime_requirements.py > "$1/runtime.txt"
"$1/bin/pip" install --quiet --disable-pip-version-check --requirement "$1/runtime.txt" --constraint requirements.txt
"$1/bin/pip" install --quiet --disable-pip-version-check --no-deps --editable .
if "$1/bin/python" -c "import torch" 2> /dev/null; then
    echo "torch has come with the runtime; that must not be" >&2
    exit 1
fi
