#!/usr/bin/env bash
# Execute the notebooks from top to bottom.
set -euo pipefail
cd "$(dirname "$0")/.."

exec .venv/bin/python -m pytest notebooks "$@"
