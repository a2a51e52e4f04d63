#!/bin/sh
# First stage of the container: make the files the service runs. Needs torch, which the second stage leaves behind.
# Usage: deploy/build_artifacts.sh HOME-OF-THE-ARTIFACTS     (from the project's root; weights in weights/ or fetched)
set -eu
mkdir -p "$1"
python3 -m resnet18_lab setup
RESNET18_LAB_HOME="$(cd "$1" && pwd)"
export RESNET18_LAB_HOME
RESNET18_LAB_WEIGHTS="${RESNET18_LAB_WEIGHTS:-$PWD/weights}"
export RESNET18_LAB_WEIGHTS
.venv/bin/resnet18-lab weights path > /dev/null 2>&1 || {
    unset RESNET18_LAB_WEIGHTS
    .venv/bin/resnet18-lab weights fetch
}
.venv/bin/resnet18-lab build --only onnx-fp32 --only onnx-int8-static
