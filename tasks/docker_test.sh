#!/usr/bin/env bash
# Build the image with a real engine, run it read-only, ask every address, stop it; prints its size and start-up time.
set -euo pipefail
cd "$(dirname "$0")/.."

docker info >/dev/null 2>&1 || exec tasks/with_engine.sh "$0" "$@"

image=${IMAGE:-im2latex:test}
url=http://127.0.0.1:8000
work=$(mktemp --directory)
clean_up() {
    [ -z "${container:-}" ] || docker rm --force "$container" >/dev/null
    [ -z "${index:-}" ] || kill "$index" 2>/dev/null || true
    rm -rf "$work"
}
trap clean_up EXIT

docker image inspect debian:bookworm-slim >/dev/null 2>&1 || docker pull --quiet debian:bookworm-slim ||
    tasks/base_image.sh

# A CPU build of PyTorch that pip finds on this host is served to the build as an index, always under one address,
# so that the engine knows its layers again.
arguments=()
if [ -n "${TORCH_INDEX:-}" ]; then
    arguments=(--build-arg "TORCH_INDEX=$TORCH_INDEX")
elif python3 -m pip download --quiet --no-index --no-deps --only-binary :all: --python-version 3.11 \
    --dest "$work/torch" torch 2>/dev/null; then
    python3 -m http.server --bind 127.0.0.1 --directory "$work" 8001 >"$work/log" 2>&1 &
    index=$!
    arguments=(--build-arg TORCH_INDEX=http://127.0.0.1:8001/)
fi
docker build --network host --tag "$image" "${arguments[@]}" . >"$work/build.log" 2>&1 || {
    tail -n 40 "$work/build.log" >&2
    exit 1
}

if curl --silent --output /dev/null --max-time 5 "$url"; then
    echo "docker_test: port 8000 must be free, something answers there" >&2
    exit 1
fi
container=$(docker create --read-only --tmpfs /tmp --network host "$image")
started=$(date +%s%N)
docker start "$container" >/dev/null
until curl --silent --fail --output /dev/null --max-time 5 "$url/readyz"; do
    [ "$(docker inspect --format '{{.State.Running}}' "$container")" = true ] || {
        docker logs "$container" >&2
        exit 1
    }
    sleep 0.2
done
seconds=$(($(date +%s%N) - started))

CONTAINER=$container URL=$url .venv/bin/python -m pytest -q -p no:cacheprovider tasks/tests/test_container.py "$@"

docker stop -t 30 "$container" >/dev/null
code=$(docker inspect --format '{{.State.ExitCode}}' "$container")
[ "$code" = 0 ] || {
    docker logs --tail 40 "$container" >&2
    echo "docker_test: the server must exit with 0 on SIGTERM, it exited with $code" >&2
    exit 1
}
bytes=$(docker image inspect --format '{{.Size}}' "$image")
layers=$(docker image inspect --format '{{len .RootFS.Layers}}' "$image")
printf 'docker_test: %d MB in %d layers, ready after %d.%d s, SIGTERM ends it with 0\n' \
    $((bytes / 1000000)) "$layers" $((seconds / 1000000000)) $((seconds / 100000000 % 10))
