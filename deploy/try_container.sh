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
mkdir "$place/clone" "$place/workshop" "$place/app"
git ls-files --cached --others --exclude-standard -z | tar --null --create --ignore-failed-read --files-from=- | tar -x -C "$place/clone"
here="$PWD"
artifacts="$place/home-of-artifacts"
if [ -n "$quick" ]; then
    artifacts="${RESNET18_LAB_HOME:-$here}"
elif [ -n "${RESNET18_LAB_WEIGHTS:-}" ]; then
    RESNET18_LAB_WEIGHTS="$(cd "$RESNET18_LAB_WEIGHTS" && pwd)"
    export RESNET18_LAB_WEIGHTS
fi

copy() { # SOURCES TARGET, as a COPY line has them, into the folder: only that, or a file it lacks would not be missed
    target="$2/${1##* }"
    mkdir -p "$target"
    for source in ${1% *}; do
        for one in "$place/clone"/$source; do
            if [ -d "$one" ]; then cp -R "$one/." "$target"; else cp "$one" "$target"; fi
        done
    done
}

run() { # the command of a RUN line, in the folder: its places are others here, and what is quick fetches and makes nothing
    case "$quick $1" in
        *" useradd "* | yes*" setup" | yes*build_artifacts.sh*) return 0 ;;
    esac
    (cd "$2" && sh -euc "$(printf %s "$1" | sed \
        -e "s#/opt/runtime#$place/runtime ${quick:+$here/.venv/bin/python}#" \
        -e "s#/sbom.cdx.json#$place/sbom.cdx.json ${quick:+$here/.venv}#" \
        -e "s#/home-of-artifacts#$artifacts#")")
}

follow() { # the lines of that stage, in that folder
    awk -v wanted="$1" '/^FROM/ { stage++ } stage == wanted && /^(COPY|RUN) / && !/--from/' Dockerfile > "$place/steps"
    while read -r verb rest; do
        if [ "$verb" = COPY ]; then copy "$rest" "$2"; else run "$rest" "$2"; fi
    done < "$place/steps"
}

follow 1 "$place/workshop"
unset RESNET18_LAB_WEIGHTS
[ -z "$quick" ] || copy "deploy/link_runtime.py deploy/" "$place/app" # which fetches nothing, and no image needs
follow 2 "$place/app"
cd "$place/app"
"$place/runtime/bin/python" "$place/clone/deploy/check_bill.py" "$place/sbom.cdx.json"

export RESNET18_LAB_HOME="$artifacts" RESNET18_LAB_OFFLINE=1 PYTHONDONTWRITEBYTECODE=1
: > "$place/log"   # there before it is looked into
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
