#!/usr/bin/env bash
# Run a command beside a Docker engine of its own, which leaves nothing behind. Exit code 69: none can be started here.
set -euo pipefail

work=$(mktemp --directory --tmpdir=/var/tmp engine.XXXXXX)
export DOCKER_HOST=unix://$work/docker.sock

stop_engine() {
    [ -z "${engine:-}" ] || { kill "$engine" && wait "$engine"; } 2>/dev/null || true
    # The engine leaves the network namespace of its containers mounted.
    awk -v under="$work/" 'index($2, under) == 1 { print $2 }' /proc/mounts | xargs --no-run-if-empty umount --lazy
    rm -rf "$work"
}
trap stop_engine EXIT

# Containers share the network of the host: neither a bridge nor firewall rules are needed.
dockerd --host "$DOCKER_HOST" --data-root "$work/data" --exec-root "$work/exec" --pidfile "$work/pid" \
    --bridge=none --iptables=false >"$work/log" 2>&1 &
engine=$!
until docker info >/dev/null 2>&1; do
    kill -0 "$engine" 2>/dev/null || {
        echo "with_engine: no container engine can be started here (Debian: docker.io; it needs root):" >&2
        tail -n 3 "$work/log" >&2
        exit 69
    }
    sleep 1
done
"$@"
