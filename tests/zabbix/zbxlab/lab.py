"""Bring a lab up and down. Everything that runs or is mounted lives in namespaces of its own, held by one process."""

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
from .place import Place

HERE = Path(__file__).resolve().parent.parent
TOOLS = ("unshare", "nsenter", "chroot", "mount", "umount", "ip")
BUILD_NAMESPACES = ("--mount", "--pid")
LAB_NAMESPACES = ("--mount", "--pid", "--net", "--ipc", "--uts")
START_TIMEOUT = 90
END_TIMEOUT = 20


def up(release, binary=None):
    """Build the chroot if there is none, start the stack, and return when the frontend answers."""
    require()
    place = Place.of(release.zabbix)
    with place.lock():
        if place.pid():
            raise LabError(f"Zabbix {release.zabbix} is already up; end it with: lab down {release.zabbix}")
        if not built(release, place):
            build(release, place)
        start(release, place)
        try:
            if binary:
                inside.install(release, binary)
        except BaseException:
            end(place)
            raise


def down(release):
    """End the stack. Returns when no process of it is left; the chroot stays."""
    place = Place.of(release.zabbix)
    if place.directory.exists():
        with place.lock():
            end(place)


def purge(release):
    """Remove the chroot and the logs of a lab that is down."""
    place = Place.of(release.zabbix)
    if place.pid():
        raise LabError(f"Zabbix {release.zabbix} is up")
    shutil.rmtree(place.directory, ignore_errors=True)


def built(release, place):
    """Whether the cached chroot is whole and of this recipe."""
    try:
        whole = (place.chroot / "usr/sbin/zabbix_server").exists()
        return whole and (place.chroot / MARKER).read_text() == release.marker
    except OSError:
        return False


def require():
    """What cannot be done without; said in one line."""
    if os.geteuid() != 0:
        raise Unavailable("the Zabbix lab needs root (namespaces and a chroot)")
    for tool in TOOLS:
        if not shutil.which(tool):
            raise Unavailable(f"the Zabbix lab needs the program {tool}")


def build(release, place):
    for tool in ("debootstrap", "apt-config"):
        if not shutil.which(tool):
            raise Unavailable(f"the Zabbix lab needs the program {tool} to build its chroot")
    log = place.log("build")
    builder = spawn(BUILD_NAMESPACES, "zbxlab.build", release.zabbix, place.chroot, log=log)
    try:
        status = builder.wait()
    except BaseException:
        # With unshare dies its child, and with that the PID namespace.
        builder.kill()
        builder.wait()
        raise
    if status != 0:
        show_tail(log)
        kind = Unavailable if status == Unavailable.status else LabError
        raise kind(last_line(log))


def start(release, place):
    place.scratch.mkdir(exist_ok=True)
    place.ready.unlink(missing_ok=True)
    place.pid_file.unlink(missing_ok=True)
    holder = spawn(LAB_NAMESPACES, "zbxlab.init", release.zabbix, place.directory, log=place.log("init"))
    deadline = time.monotonic() + START_TIMEOUT
    try:
        while not place.ready.exists():
            if holder.poll() is not None or time.monotonic() > deadline:
                for name in ("init", *services.names(release)):
                    show_tail(place.log(name), 15)
                raise LabError(f"Zabbix {release.zabbix} did not start")
            time.sleep(0.05)
    except BaseException:
        # Its child is process 1, which may not have said its pid yet.
        holder.kill()
        end(place)
        raise


def end(place):
    """Kill process 1; the kernel does the rest. Returns when the namespace is empty."""
    pid = place.pid()
    if pid:
        os.kill(pid, signal.SIGKILL)
    deadline = time.monotonic() + END_TIMEOUT
    while place.pid() or not childless():
        if time.monotonic() > deadline:
            raise LabError(f"process {pid} of the lab does not end")
        time.sleep(0.02)
    place.pid_file.unlink(missing_ok=True)
    place.ready.unlink(missing_ok=True)
    shutil.rmtree(place.browsers, ignore_errors=True)


def childless():
    """Buries the unshare process, if it was ours, so that nothing is left even as a zombie."""
    try:
        os.waitpid(-1, os.WNOHANG)
    except ChildProcessError:
        return True
    return False


def spawn(namespaces, module, *words, log):
    """A module of this package as process 1 of new namespaces, out of reach of the terminal's Ctrl-C."""
    command = ["unshare", *namespaces, "--fork", "--kill-child", sys.executable, "-m", module, *words]
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
