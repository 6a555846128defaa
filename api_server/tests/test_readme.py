"""The examples of the README work as they are written there."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```$", (ROOT / "README.md").read_text(), re.MULTILINE | re.DOTALL)
CURL = [text for language, text in BLOCKS if language == "sh" and text.startswith("curl ")]
PYTHON = [text for language, text in BLOCKS if language == "python" and "import requests" in text]


def local(text: str, server: str, picture_url: str) -> str:
    """The example, with the addresses of this test in place of the ones a reader sees."""
    text = text.replace("http://localhost:8000", server)
    return text.replace("https://example.org/formula.png", picture_url)


def test_the_readme_shows_curl_and_python():
    assert len(CURL) >= 3
    assert len(PYTHON) >= 1


@pytest.mark.parametrize("example", CURL)
def test_curl_example(server, picture_url, example):
    command = ["bash", "-c", local(example, server, picture_url)]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=60)
    assert result.returncode == 0, result.stderr
    assert '"pred":"x_{1}"' in result.stdout


@pytest.mark.parametrize("example", PYTHON)
def test_python_client_example(server, picture_url, example):
    command = [sys.executable, "-c", local(example, server, picture_url)]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=60)
    assert result.stdout == "x_{1}\n", result.stderr
