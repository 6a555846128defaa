"""Tests that a missing tool is never overlooked: a loud line at a desk, a failure in CI."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize(("ci", "code", "line"), [("", 0, "!!! 1 TESTS NOT RUN"), ("1", 1, "1 error")])
def test_a_test_without_its_tool_is_loud_at_a_desk_and_fails_in_ci(tmp_path, ci, code, line):
    done = subprocess.run(
        [
            *(sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-k", "preamble_that_latex_refuses"),
            "im2latex/tests/test_tex.py",
        ],
        cwd=ROOT,
        env={**os.environ, "PATH": str(tmp_path), "CI": ci},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert done.returncode == code, done.stdout
    assert line in done.stdout
    assert "apt-get install texlive-latex-base" in done.stdout
