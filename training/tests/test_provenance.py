"""A number can be traced to the commit and the command that made it."""

import subprocess
import sys

from training.provenance import current_command, current_commit


def git(folder, *arguments):
    identity = ["-c", "user.name=t", "-c", "user.email=t@example.org"]
    subprocess.run(["git", "-C", str(folder), *identity, *arguments], check=True, capture_output=True)


def test_changed_files_are_said_to_differ_from_the_commit(tmp_path):
    assert current_commit(tmp_path) == "unknown"
    (tmp_path / "file").write_text("1")
    git(tmp_path, "init")
    git(tmp_path, "add", "file")
    git(tmp_path, "commit", "-m", "one")
    clean = current_commit(tmp_path)
    assert len(clean) >= 7
    (tmp_path / "file").write_text("2")
    assert current_commit(tmp_path) == f"{clean}-dirty"


def test_the_command_can_be_typed_again(monkeypatch):
    monkeypatch.setattr(sys, "argv", ["training/evaluate.py", "--name", "two words"])
    assert current_command() == "python training/evaluate.py --name 'two words'"
