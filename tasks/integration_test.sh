#!/usr/bin/env bash
# The tests that start a real server process and talk to it.
set -euo pipefail
cd "$(dirname "$0")/.."

exec .venv/bin/python -m pytest api_server/tests/test_real_server.py api_server/tests/test_readme.py "$@"
