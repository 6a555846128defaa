#!/usr/bin/env bash
# Run every test, two or more at a time; arguments go to pytest.
set -euo pipefail
cd "$(dirname "$0")/.."

export OMP_NUM_THREADS=1   # the tests themselves run side by side
exec .venv/bin/python -m pytest -n auto --maxprocesses 4 --dist loadfile "$@"
