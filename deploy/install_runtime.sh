#!/bin/sh
# Second stage of the container: the service and what it imports; no torch, no notebooks.
# Usage: deploy/install_runtime.sh VENV [PYTHON]     (from the project's root; where VENV is not there yet,
# install_packages.sh makes it, with the same arguments)
set -eu
[ -x "$1/bin/python" ] || sh deploy/install_packages.sh "$@"
"$1/bin/pip" install --quiet --disable-pip-version-check --no-deps ${2:+--no-build-isolation} --editable .
if "$1/bin/python" -c "import torch" 2> /dev/null; then
    echo "torch has come with the runtime; that must not be" >&2
    exit 1
fi
