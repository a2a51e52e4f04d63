#!/bin/sh
# The container's steps in a fresh folder, without a container: both stages, start, health check, one picture, stop.
# Usage: deploy/try_container.sh     (from a clone; takes a few minutes, for it installs everything twice)
set -eu
place="$(mktemp -d)"
trap 'rm -rf "$place"' EXIT
git archive HEAD | tar -x -C "$place"
if [ -n "${RESNET18_LAB_WEIGHTS:-}" ]; then
    RESNET18_LAB_WEIGHTS="$(cd "$RESNET18_LAB_WEIGHTS" && pwd)"
    export RESNET18_LAB_WEIGHTS
fi
cd "$place"
sh deploy/build_artifacts.sh "$place/home"
rm -rf .venv weights
unset RESNET18_LAB_WEIGHTS
sh deploy/install_runtime.sh "$place/runtime"
RESNET18_LAB_HOME="$place/home" RESNET18_LAB_OFFLINE=1 "$place/runtime/bin/resnet18-lab" serve --port 8765 &
service=$!
for _ in 1 2 3 4 5 6 7 8 9 10; do
    sleep 0.5
    python3 deploy/health.py http://127.0.0.1:8765/healthz 2> /dev/null && break
done
python3 deploy/health.py http://127.0.0.1:8765/healthz
python3 -c "
import json, urllib.request
picture = open('data/samples/cat.jpg', 'rb').read()
with urllib.request.urlopen('http://127.0.0.1:8765/api/v1/classify', picture) as answer:
    print(json.load(answer)['predictions'][0])
"
kill -TERM "$service"
wait "$service"
