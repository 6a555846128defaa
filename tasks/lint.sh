#!/usr/bin/env bash
# Style, types, and the order of the rooms. Silent when all is well.
set -euo pipefail
cd "$(dirname "$0")/.."

.venv/bin/ruff check --quiet .
.venv/bin/mypy --no-error-summary
output=$(.venv/bin/lint-imports 2>&1) || {
    echo "$output"
    exit 1
}
