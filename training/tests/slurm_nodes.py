"""A SLURM cluster of two hosts, each in a network of its own on this machine; as root, with Debian's slurmd."""

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

HOSTS = {"im2latex1": "10.77.0.1", "im2latex2": "10.77.0.2"}
"""Names and addresses, which no one outside these two networks sees."""
CONFIGURATION = """
ClusterName=im2latex
SlurmctldHost={first}
AuthType=auth/none
CredType=cred/none
SlurmUser=root
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/%n
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/%n.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/%n.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
MpiDefault=none
SelectType=select/linear
ReturnToService=2
KillWait=2
PartitionName=all Nodes=ALL Default=YES State=UP
"""


class SlurmNodes:
    """Two hosts, the first of which is the head."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def command(self, host: str, *command: str) -> list[str]:
        """A command as it is given on a host."""
        setting = f"hostname {host} && export SLURM_CONF={self.folder}/slurm.conf && exec \"$@\""
        return ["ip", "netns", "exec", host, "unshare", "--uts", "sh", "-c", setting, host, *command]

    def ask(self, *command: str) -> str:
        """What a command prints on the head."""
        return subprocess.check_output(self.command(next(iter(HOSTS)), *command), text=True).strip()

    def idle(self) -> int:
        """How many hosts wait for work; 0 as long as the head does not answer."""
        asked = self.command(next(iter(HOSTS)), "sinfo", "--noheader", "--states=idle", "--format=%D")
        found = subprocess.run(asked, capture_output=True, text=True, check=False).stdout.strip()
        return int(found or 0)

    def wait_for(self, job: str, *states: str) -> None:
        """Return once a job is in one of some states."""
        asked = ("squeue", "--job", job, "--noheader", "--states=all", "--format=%T,%r")
        while (found := self.ask(*asked).split(",", 1))[0] not in states:
            assert found[0] in ("PENDING", "RUNNING", "CONFIGURING", "COMPLETING", "REQUEUED"), found
            assert "held" not in found[1], f"{found}\n{self.last_words()}"
            time.sleep(0.2)

    def last_words(self) -> str:
        """The last lines that each daemon wrote; its log goes with the folder."""
        logs = sorted(self.folder.glob("*.log"))
        return "\n".join(f"{log.name}: {line}" for log in logs for line in log.read_text().splitlines()[-20:])


@contextmanager
def slurm_nodes() -> Iterator[SlurmNodes]:
    """Start the hosts and their daemons; everything is gone afterwards."""
    with TemporaryDirectory(prefix="slurm-") as folder:  # a short path, since sockets lie there
        yield from start_nodes(Path(folder))


def start_nodes(folder: Path) -> Iterator[SlurmNodes]:
    """Yield the hosts once they wait for work."""
    nodes = SlurmNodes(folder)
    text = CONFIGURATION.format(first=next(iter(HOSTS)), folder=folder)
    text += "".join(f"NodeName={host} NodeAddr={address} CPUs=1\n" for host, address in HOSTS.items())
    (folder / "slurm.conf").write_text(text)
    (folder / "cgroup.conf").write_text("CgroupPlugin=cgroup/v1\n")  # of which nothing is used
    daemons: list[subprocess.Popen[bytes]] = []
    with ExitStack() as stack:
        for host in HOSTS:
            stack.enter_context(network(host))
        join(*HOSTS)
        for host, daemon in [(next(iter(HOSTS)), "slurmctld"), *((host, "slurmd") for host in HOSTS)]:
            (folder / ("state" if daemon == "slurmctld" else host)).mkdir()
            daemons.append(stack.enter_context(subprocess.Popen(nodes.command(host, daemon, "-D"))))
            stack.callback(daemons[-1].terminate)
        while nodes.idle() < len(HOSTS):
            assert all(process.poll() is None for process in daemons), f"a daemon has died\n{nodes.last_words()}"
            time.sleep(0.2)
        yield nodes


@contextmanager
def network(host: str) -> Iterator[None]:
    """A network namespace in which the hosts know each other by name."""
    own = Path("/etc/netns") / host
    own.mkdir(parents=True)
    lines = ["127.0.0.1 localhost", *(f"{address} {name}" for name, address in HOSTS.items())]
    (own / "hosts").write_text("\n".join(lines) + "\n")
    try:
        subprocess.run(["ip", "netns", "add", host], check=True)
        yield
    finally:
        for pid in subprocess.run(["ip", "netns", "pids", host], capture_output=True, check=False).stdout.split():
            os.kill(int(pid), signal.SIGKILL)  # a job that is still there
        subprocess.run(["ip", "netns", "delete", host], check=False)
        shutil.rmtree(own)


def join(first: str, second: str) -> None:
    """Lay a cable between two hosts."""
    ends = ["type", "veth", "peer", "name", "cable", "netns", second]
    subprocess.run(["ip", "-netns", first, "link", "add", "cable", *ends], check=True)
    for host in (first, second):
        subprocess.run(["ip", "-netns", host, "address", "add", f"{HOSTS[host]}/24", "dev", "cable"], check=True)
        for device in ("lo", "cable"):
            subprocess.run(["ip", "-netns", host, "link", "set", device, "up"], check=True)


def is_root() -> bool:
    """Whether hosts can be made here."""
    return hasattr(os, "geteuid") and os.geteuid() == 0
