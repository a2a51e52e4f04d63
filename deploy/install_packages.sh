#!/bin/sh
# The packages that the service imports, at the pinned versions: all of the container's second stage that needs no source.
# Usage: deploy/install_packages.sh NEW-VENV [PYTHON]     (from the project's root; with the Python of an environment
# that has the packages they are linked from there and nothing is fetched: for a trial, not for an image)
set -eu
"${2:-python3}" -m venv "$1"
python3 deploy/runtime_requirements.py > "$1/runtime.txt"
if [ -n "${2:-}" ]; then
    "$1/bin/pip" uninstall --quiet --yes setuptools   # the one that an older Python puts there
    echo setuptools >> "$1/runtime.txt"
    "$2" deploy/link_runtime.py "$1/runtime.txt" "$("$1/bin/python" -c "import sysconfig; print(sysconfig.get_path('purelib'))")"
else
    "$1/bin/pip" install --quiet --disable-pip-version-check --requirement "$1/runtime.txt" --constraint requirements.txt
fi
