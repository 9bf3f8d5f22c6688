"""Starts and stops a lab. All its processes and mounts are in namespaces that one process holds."""

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

from . import inside, services
from .build import MARKER
from .errors import LabError, Unavailable
from .lab_directory import LabDirectory

HERE = Path(__file__).resolve().parent.parent
TOOLS = ("unshare", "nsenter", "chroot", "mount", "umount", "ip")
BUILD_NAMESPACES = ("--mount", "--pid")
LAB_NAMESPACES = ("--mount", "--pid", "--net", "--ipc", "--uts")
START_TIMEOUT = 90
END_TIMEOUT = 20


def up(release, binary=None):
    """Build the chroot if needed and start all services; returns when the frontend answers."""
    require()
    lab_dir = LabDirectory.of(release.zabbix)
    with lab_dir.lock():
        if lab_dir.pid():
            raise LabError(f"Zabbix {release.zabbix} is already up; end it with: lab down {release.zabbix}")
        if not built(release, lab_dir):
            build(release, lab_dir)
        start(release, lab_dir)
        try:
            if binary:
                inside.install(release, binary)
        except BaseException:
            end(lab_dir)
            raise


def down(release):
    """Stop all services. Returns when no process is left; the chroot is kept."""
    lab_dir = LabDirectory.of(release.zabbix)
    if lab_dir.directory.exists():
        with lab_dir.lock():
            end(lab_dir)


def purge(release):
    """Remove the chroot and the logs of a lab that is down."""
    lab_dir = LabDirectory.of(release.zabbix)
    if lab_dir.pid():
        raise LabError(f"Zabbix {release.zabbix} is up")
    shutil.rmtree(lab_dir.directory, ignore_errors=True)


def built(release, lab_dir):
    """Whether the cached chroot is complete and of this recipe."""
    try:
        whole = (lab_dir.chroot / "usr/sbin/zabbix_server").exists()
        return whole and (lab_dir.chroot / MARKER).read_text() == release.marker
    except OSError:
        return False


def require():
    """Raises `Unavailable` if this machine lacks something that every lab needs."""
    if os.geteuid() != 0:
        raise Unavailable("the Zabbix lab needs root (namespaces and a chroot)")
    for tool in TOOLS:
        if not shutil.which(tool):
            raise Unavailable(f"the Zabbix lab needs the program {tool}")


def build(release, lab_dir):
    for tool in ("debootstrap", "apt-config"):
        if not shutil.which(tool):
            raise Unavailable(f"the Zabbix lab needs the program {tool} to build its chroot")
    log = lab_dir.log("build")
    builder = spawn(BUILD_NAMESPACES, "zbxlab.build", release.zabbix, lab_dir.chroot, log=log)
    try:
        status = builder.wait()
    except BaseException:
        # Its child ends with unshare, and with that the PID namespace.
        builder.kill()
        builder.wait()
        raise
    if status != 0:
        show_tail(log)
        kind = Unavailable if status == Unavailable.status else LabError
        raise kind(last_line(log))


def start(release, lab_dir):
    lab_dir.scratch.mkdir(exist_ok=True)
    lab_dir.ready.unlink(missing_ok=True)
    lab_dir.pid_file.unlink(missing_ok=True)
    holder = spawn(LAB_NAMESPACES, "zbxlab.init", release.zabbix, lab_dir.directory, log=lab_dir.log("init"))
    deadline = time.monotonic() + START_TIMEOUT
    try:
        while not lab_dir.ready.exists():
            if holder.poll() is not None or time.monotonic() > deadline:
                for name in ("init", *services.names(release)):
                    show_tail(lab_dir.log(name), 15)
                raise LabError(f"Zabbix {release.zabbix} did not start")
            time.sleep(0.05)
    except BaseException:
        # Its child is process 1, which may not have written its pid yet.
        holder.kill()
        end(lab_dir)
        raise


def end(lab_dir):
    """Kill process 1; the kernel ends the others. Returns when the namespace is empty."""
    pid = lab_dir.pid()
    if pid:
        os.kill(pid, signal.SIGKILL)
    deadline = time.monotonic() + END_TIMEOUT
    while lab_dir.pid() or not childless():
        if time.monotonic() > deadline:
            raise LabError(f"process {pid} of the lab does not end")
        time.sleep(0.02)
    lab_dir.pid_file.unlink(missing_ok=True)
    lab_dir.ready.unlink(missing_ok=True)
    shutil.rmtree(lab_dir.browsers, ignore_errors=True)


def childless():
    """Reaps the unshare process if it is our child, so that no zombie is left."""
    try:
        os.waitpid(-1, os.WNOHANG)
    except ChildProcessError:
        return True
    return False


def spawn(namespaces, module, *arguments, log):
    """Starts a module of this package as process 1 of new namespaces, in a session without the terminal."""
    command = ["unshare", *namespaces, "--fork", "--kill-child", sys.executable, "-m", module, *arguments]
    env = dict(os.environ, PYTHONPATH=str(HERE), PYTHONDONTWRITEBYTECODE="1")
    with log.open("w") as out:
        return subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=out, stderr=out, cwd="/", env=env, start_new_session=True
        )


def show_tail(log, lines=40):
    if log.exists():
        print(f"--- last lines of {log}", file=sys.stderr)
        print("\n".join(log.read_text(errors="replace").splitlines()[-lines:]), file=sys.stderr)


def last_line(log):
    return (log.read_text(errors="replace").splitlines() or ["the build left no log"])[-1]
