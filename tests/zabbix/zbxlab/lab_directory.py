"""The directory of a lab: its files, its lock, and the process that holds it."""

import fcntl
import os
from pathlib import Path

from .errors import LabError

DEFAULT = "/var/tmp/zbx-tcp-lab"
EXTERNAL_SCRIPTS = "/usr/lib/zabbix/externalscripts"
REPOSITORY = Path(__file__).resolve().parents[3]


class LabDirectory:
    """The directory of one release's lab: `chroot` is the cache, `log` explains failures."""
    def __init__(self, directory):
        self.directory = Path(directory)
        self.chroot = self.directory / "chroot"
        # Mount points; outside the lab's own namespaces they are empty directories.
        self.scratch = self.directory / "scratch"
        self.live = self.scratch / "root"
        # Browser profiles; `lab down` removes those of killed scenarios.
        self.browsers = self.directory / "browsers"
        self.ready = self.directory / "ready"
        self.pid_file = self.directory / "pid"

    @classmethod
    def of_this_lab(cls):
        """The directory of the lab whose network a scenario runs in."""
        return cls.of(os.environ["ZBX_TCP_LAB"])

    @classmethod
    def of(cls, release):
        """The directory of a release below ZBX_TCP_LAB_DIR."""
        return cls(Path(os.environ.get("ZBX_TCP_LAB_DIR") or DEFAULT).absolute() / release)

    def log(self, name):
        """Log file of a service, of the build, or of process 1 ("init")."""
        return self.directory / f"{name}.log"

    def write_pid(self, pid):
        """Record process 1 by pid and start time, since a pid may be reused."""
        self.pid_file.write_text(f"{pid} {start_time(pid)}\n")

    def pid(self):
        """Process 1 of the lab as this machine sees it, or None when the lab is down."""
        try:
            pid, started = self.pid_file.read_text().split()
            return int(pid) if start_time(pid) == started else None
        except (OSError, ValueError):
            return None

    def seen_from_here(self, pid):
        """The path of the running lab's root directory outside its mount namespace."""
        return Path(f"/proc/{pid}/root/{self.live.relative_to('/')}")

    def lock(self):
        """Held while this lab is built, started or stopped; keep the returned file open."""
        self.directory.mkdir(parents=True, exist_ok=True)
        held = (self.directory / "lock").open("w")
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise LabError(f"another lab command is running in {self.directory}") from None
        return held


def start_time(pid):
    """Field 22 of /proc/PID/stat (proc(5)), in clock ticks since boot; OSError when the process has ended."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    if fields[0] in "ZX":
        raise ProcessLookupError(f"process {pid} has ended")
    return fields[19]
