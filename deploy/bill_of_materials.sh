#!/bin/sh
# The bill of materials (SBOM, CycloneDX) of the container's runtime, from its pins in requirements.txt.
# Usage: deploy/bill_of_materials.sh FILE.json [VENV]     (from the project's root; VENV, .venv if not given, is one of
# the project; where it has no cyclonedx-py, the pinned one is fetched into a folder of its own)
set -eu
venv="${2:-.venv}"
place="$(mktemp -d)"
trap 'rm -rf "$place"' EXIT
tool="$venv/bin/cyclonedx-py"
if [ ! -x "$tool" ]; then
    python3 -m venv "$place"
    "$place/bin/pip" install --quiet --disable-pip-version-check --constraint requirements.txt \
        --constraint requirements-test.txt cyclonedx-bom
    tool="$place/bin/cyclonedx-py"
fi
"$venv/bin/python" deploy/runtime_pins.py > "$place/runtime.txt"
# The project's entry names no packages it depends on, which the tool warns of: the list is the lock's, not a graph.
PYTHONWARNINGS=ignore "$tool" requirements --output-reproducible --pyproject pyproject.toml --output-file "$1" \
    "$place/runtime.txt"
