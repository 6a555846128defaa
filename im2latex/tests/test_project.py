"""The files at the top of the repository agree with each other."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml

import im2latex
from im2latex.rendering.tex import PACKAGES

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def test_environment_and_pyproject_agree():
    environment = yaml.safe_load((ROOT / "environment.yml").read_text())
    assert environment["name"] == PROJECT["name"]
    *packages, pip = environment["dependencies"]
    assert packages == ["python" + PROJECT["requires-python"], "pip"]
    extras = ",".join(PROJECT["optional-dependencies"])
    assert pip == {"pip": [f"--editable .[{extras}]"]}


def test_make_setup_installs_every_extra():
    extras = ",".join(PROJECT["optional-dependencies"])
    assert f"'.[{extras}]'" in (ROOT / "tasks/setup.sh").read_text()


@pytest.mark.parametrize("name", [".ci/run", "README.md", "CONTRIBUTING.md"])
def test_the_debian_packages_of_latex_are_named_alike(name):
    named = set(re.findall(r"texlive-[a-z-]+[a-z]", (ROOT / name).read_text()))
    assert named - {"texlive-fonts-extra"} == set(PACKAGES.split())  # those fonts are for other looks only


def test_reading_needs_five_libraries_only():
    names = {requirement.split(">=")[0] for requirement in PROJECT["dependencies"]}
    assert names == {"torch", "numpy", "pillow", "jsonargparse", "onnxruntime"}


def test_importing_the_package_loads_no_torch():
    code = "import sys, im2latex; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


@pytest.mark.parametrize("name", im2latex.__all__)
def test_every_public_name_is_there(name):
    assert getattr(im2latex, name) is not None
    assert name in dir(im2latex)


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="Predictr"):
        im2latex.Predictr  # noqa: B018


def test_make_help_names_every_target_of_the_house():
    listing = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for target in ("setup", "run", "train", "test", "lint", "check"):
        assert f"make {target}" in listing


def test_files_keep_the_house_limits():
    """Under 250 lines, and the first line says the job."""
    for path in ROOT.glob("*/**/*.py"):
        if ".venv" in path.parts or path.name == "__init__.py":
            continue
        lines = path.read_text().splitlines()
        assert len(lines) <= 250, path
        assert lines, path
        assert lines[0].startswith(('"""', 'r"""', "#!")), path


def test_the_picture_of_the_rooms_names_every_file_and_no_other():
    picture = (ROOT / "docs/architecture.md").read_text().split("```")[1]
    drawn = set(re.findall(r"[a-z0-9_]+\.py", picture))
    built = {
        path.name
        for room in ("im2latex", "training", "api_server")
        for path in (ROOT / room).rglob("*.py")
        if "tests" not in path.parts
    }
    assert drawn == built
