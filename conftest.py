"""What all tests share; those that need a tool beside Python are skipped loudly where it is missing, and fail in CI."""

import os
import shutil
import subprocess

import hypothesis
import pytest

hypothesis.settings.register_profile("house", deadline=None)  # how fast a test runs is the machine's affair
hypothesis.settings.load_profile("house")

# marker: (commands or TeX packages, any of which will do; the Debian packages that bring them)
TOOLS = {
    "needs_latex": (
        ("pdflatex",),
        "texlive-latex-base texlive-latex-recommended texlive-latex-extra texlive-fonts-recommended texlive-science",
    ),
    "needs_fonts": (("stix2.sty",), "texlive-fonts-extra"),
    "needs_browser": (("chromium", "chromium-browser", "google-chrome"), "chromium"),
    "needs_container": (("docker", "podman"), "docker.io"),
    "needs_slurm": (("slurmd",), "slurmctld slurmd slurm-client iproute2"),
}
MISSING = "missing tool: "


def is_there(tool):
    """Whether a command is on the path, or TeX finds a file."""
    if not tool.endswith(".sty"):
        return shutil.which(tool) is not None
    return is_there("kpsewhich") and subprocess.run(["kpsewhich", tool], stdout=subprocess.DEVNULL).returncode == 0


def pytest_runtest_setup(item):
    """Skip, or in CI fail, a test whose tool is missing."""
    for marker, (commands, packages) in TOOLS.items():
        if item.get_closest_marker(marker) is None or any(map(is_there, commands)):
            continue
        message = f"{MISSING}{' or '.join(commands)}; on Debian or Ubuntu: apt-get install {packages}"
        if os.environ.get("CI"):
            pytest.fail(message, pytrace=False)
        pytest.skip(message)


@pytest.fixture(params=[1, 3])
def threads(request):
    """How many threads PyTorch may use, in this test only."""
    import torch  # here, since every run of pytest reads this file

    before = torch.get_num_threads()
    torch.set_num_threads(request.param)
    yield request.param
    torch.set_num_threads(before)


def pytest_terminal_summary(terminalreporter):
    """Say at the end, and loudly, how many tests did not run for want of which package."""
    reasons = [str(report.longrepr[2]) for report in terminalreporter.stats.get("skipped", [])]
    for reason in sorted({reason for reason in reasons if MISSING in reason}):
        terminalreporter.write_line(
            f"!!! {reasons.count(reason)} TESTS NOT RUN, {reason.removeprefix('Skipped: ')}", yellow=True, bold=True
        )
