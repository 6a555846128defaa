#!/usr/bin/env bash
# Create .venv and install everything in one resolver run, so that torch and torchvision fit each other.
set -euo pipefail
cd "$(dirname "$0")/.."

PYTHON=${PYTHON:-python3}
"$PYTHON" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || {
    echo "setup: $PYTHON is $("$PYTHON" --version 2>&1), wanted 3.11 or newer; name one: make setup PYTHON=python3.12" >&2
    exit 1
}

if uv --version >/dev/null 2>&1; then
    uv=uv
    [ -x .venv/bin/python ] || uv venv --quiet --python "$(command -v "$PYTHON")" .venv
else
    [ -x .venv/bin/python ] || "$PYTHON" -m venv .venv || {
        echo "setup: cannot create .venv; on Debian install python3-venv" >&2
        exit 1
    }
    .venv/bin/python -m pip install --quiet uv
    uv=.venv/bin/uv
fi

backend=()
[ -z "${TORCH:-}" ] || backend=(--torch-backend "$TORCH")
# Compiled once here instead of in each process: Ray starts a dozen at once, and gives up on those that are slow.
export UV_COMPILE_BYTECODE_TIMEOUT=0
"$uv" pip install --quiet --compile-bytecode --python .venv/bin/python "${backend[@]}" --editable '.[serve,batch,ray,check,train,dev]'
