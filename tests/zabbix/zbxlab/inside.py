"""Access to a running lab: its network, its files, its programs."""

import shutil
import subprocess
import time

from .errors import LabError
from .lab_directory import EXTERNAL_SCRIPTS, LabDirectory

# Where the external checks of server and proxy find the program, and where the agents' UserParameters do.
PROGRAMS = (f"{EXTERNAL_SCRIPTS}/zbx-tcp", "/usr/bin/zbx-tcp")
RESTART_TIMEOUT = 15


def network(release):
    """The prefix of a command that runs in the lab's network, with this machine's files."""
    return ["nsenter", f"--target={running(release)}", "--net"]


def chroot(release):
    """The prefix of a command that runs as root in the chroot, with Zabbix's programs."""
    namespaces = ("--mount", "--pid", "--net", "--ipc", "--uts")
    return ["nsenter", f"--target={running(release)}", *namespaces, "chroot", str(LabDirectory.of(release.zabbix).live)]


def output(release, *arguments):
    """What a program of the chroot prints, zabbix_get for example; its exit status does not matter."""
    command = [*chroot(release), *arguments]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace")
    return done.stdout.strip()


def install(release, binary):
    """Put the program where Zabbix looks for it, owned by root, mode 0755."""
    for path in PROGRAMS:
        target = seen(release, path)
        try:
            # Written to another name and renamed: a running program cannot be overwritten.
            shutil.copyfile(binary, target.with_suffix(".new"))
        except OSError as error:
            raise LabError(f"cannot install {binary}: {error.strerror}") from None
        target.with_suffix(".new").chmod(0o755)
        target.with_suffix(".new").rename(target)


def write(release, path, text, mode=0o644):
    """A file of the lab, /etc/zbx-tcp/config.toml for example, owned by root."""
    target = seen(release, path)
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(text)
    target.chmod(mode)


def remove(release, path):
    """A file of the lab that may be missing already."""
    seen(release, path).unlink(missing_ok=True)


def seen(release, path):
    """A path of the lab as this machine reaches it; the path may not lead through an absolute symbolic link."""
    return LabDirectory.of(release.zabbix).seen_from_here(running(release)) / path.lstrip("/")


def restart(release, agent):
    """End "agentd" or "agent2"; process 1 starts it again, with all its drop-ins. Returns when it runs."""
    pid_file = seen(release, f"/run/zabbix/{agent}.pid")
    try:
        pid = pid_file.read_text().strip()
    except OSError:
        raise LabError(f"{agent} does not run") from None
    # Only the pid inside the PID namespace is known.
    subprocess.run(["nsenter", f"--target={running(release)}", "--pid", "kill", "-TERM", pid], check=True)
    deadline = time.monotonic() + RESTART_TIMEOUT
    while not new(pid_file, pid):
        if time.monotonic() > deadline:
            raise LabError(f"{agent} does not start again: see its log in {LabDirectory.of(release.zabbix).directory}")
        time.sleep(0.05)


def new(pid_file, old):
    """Whether another process has written its pid."""
    try:
        return pid_file.read_text().strip() not in ("", old)
    except OSError:
        return False


def running(release):
    """Process 1 of the lab, as this machine sees it."""
    lab_dir = LabDirectory.of(release.zabbix)
    pid = lab_dir.pid()
    if not pid:
        raise LabError(f"the lab in {lab_dir.directory} is down")
    return pid
