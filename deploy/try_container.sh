#!/bin/sh
# The Dockerfile's steps in fresh folders, without a container: both stages, start, health check, one picture, stop.
# Usage: deploy/try_container.sh [--quick] [OPTIONS OF SERVE]     (from a clone)
# It installs everything twice, which takes minutes and a package index. --quick takes the artifacts from
# RESNET18_LAB_HOME (or this clone) and links the runtime's packages from .venv instead: seconds, and no network.
set -eu
quick=""
if [ "${1:-}" = --quick ]; then
    quick=yes
    shift
fi
place="$(mktemp -d)"
service=""
trap '[ -z "$service" ] || kill "$service" 2> /dev/null || true; rm -rf "$place"' EXIT
mkdir "$place/workshop" "$place/app"
git ls-files --cached --others --exclude-standard -z | tar --null --create --ignore-failed-read --files-from=- | tar -x -C "$place/workshop"
here="$PWD"

if [ -n "$quick" ]; then
    artifacts="${RESNET18_LAB_HOME:-$here}"
else
    artifacts="$place/home-of-artifacts"
    if [ -n "${RESNET18_LAB_WEIGHTS:-}" ]; then
        RESNET18_LAB_WEIGHTS="$(cd "$RESNET18_LAB_WEIGHTS" && pwd)"
        export RESNET18_LAB_WEIGHTS
    fi
    (cd "$place/workshop" && sh deploy/build_artifacts.sh "$artifacts")
    rm -rf "$place/workshop/.venv"
    find "$place/workshop/weights" -type f ! -name "resnet18-distilled*" ! -name README.md -delete
fi
unset RESNET18_LAB_WEIGHTS

# Only what the second stage copies, or a file it lacks would not be missed.
awk '/^FROM/ { stage++ } stage == 2 && /^COPY / && !/--from/ { sub(/^COPY /, ""); print }' Dockerfile | while read -r line; do
    target="${line##* }"
    for source in ${line% *}; do
        case "$target" in
            ./) cp "$place/workshop/$source" "$place/app/" ;;
            *)
                mkdir -p "$place/app/$target"
                if [ -d "$place/workshop/$source" ]; then
                    cp -R "$place/workshop/$source/." "$place/app/$target"
                else
                    cp "$place/workshop/$source" "$place/app/$target"
                fi
                ;;
        esac
    done
done
cd "$place/app"
sh deploy/install_runtime.sh "$place/runtime" ${quick:+"$here/.venv/bin/python"}

export RESNET18_LAB_HOME="$artifacts" RESNET18_LAB_OFFLINE=1 PYTHONDONTWRITEBYTECODE=1
"$place/runtime/bin/resnet18-lab" serve --port 0 "$@" 2> "$place/log" &
service=$!
url=""
for _ in $(seq 1 60); do
    url="$(sed -n 's/^serving on //p' "$place/log")"
    [ -z "$url" ] || break
    kill -0 "$service" 2> /dev/null || break
    sleep 0.5
done
if [ -z "$url" ]; then
    cat "$place/log" >&2
    exit 1
fi
python3 deploy/health.py "$url/healthz"
python3 -c "
import json, sys, urllib.request
picture = open('data/samples/cat.jpg', 'rb').read()
with urllib.request.urlopen(sys.argv[1] + '/api/v1/classify', picture) as answer:
    print(json.load(answer)['predictions'][0])
" "$url"
kill -TERM "$service"
wait "$service"
service=""
echo "the container's steps work"
