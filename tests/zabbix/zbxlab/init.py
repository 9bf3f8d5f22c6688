"""Process 1 of a running lab: mounts the chroot with a throw-away layer on top, starts the services, and lives as
long as all of them do. It needs no way to stop: when `lab` kills it, the kernel ends every process of the PID
namespace and with them go the mounts and the network.

    python3 -m zbxlab.init RELEASE PLACE      (inside fresh mount, PID, network, IPC and UTS namespaces)
"""

import os
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path

from . import conf, services
from .place import EXTERNAL_SCRIPTS, REPOSITORY, Place
from .release import RELEASES

RUN_DIRECTORIES = {"postgresql": "postgres", "zabbix": "zabbix", "zabbix-proxy": "zabbix"}
ENVIRONMENT = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8"}
# In seconds.
SHORT_LIFE = 1


def main(name, place):
    """Runs until a service ends that should not; only then it returns, and that is a failure."""
    release = RELEASES[name]
    # Still the outer /proc: this is our pid as the machine sees it.
    place.write_pid(int(os.readlink("/proc/self")))
    mount(place)
    drop_ins(place)
    run("ip", "link", "set", "lo", "up")
    running = start(place, services.database(release))
    pg_isready = f"{release.postgresql_bin}/pg_isready"
    ready = ["chroot", place.live, pg_isready, "--quiet", "--username=zabbix", "--dbname=zabbix"]
    wait_until(lambda: subprocess.run(ready, env=ENVIRONMENT).returncode == 0, "the database did not start")
    for stage in services.zabbix(release):
        for service in stage:
            running |= start(place, service)
        for service in stage:
            wait_until(lambda port=service.port: listens(port), f"the {service.name} does not listen")
    place.ready.touch()
    return supervise(place, running)


def supervise(place, running):
    """Process 1 is also the parent of every orphan and has to bury it. `running`: {pid: (service, its start)}."""
    while True:
        pid, status = os.wait()
        if pid not in running:
            continue
        service, began = running.pop(pid)
        code = os.waitstatus_to_exitcode(status)
        print(f"{service.name} ended with status {code}", flush=True)
        # One that fails at once would only fail again.
        if not service.restarts or (code != 0 and time.monotonic() - began < SHORT_LIFE):
            return 1
        running |= start(place, service)


def mount(place):
    """The cached chroot is only read; what the lab writes is in memory and forgotten."""
    run("mount", "-t", "tmpfs", "-o", "mode=755", "tmpfs", place.scratch)
    for layer in ("upper", "work", "root"):
        (place.scratch / layer).mkdir()
    layers = f"lowerdir={place.chroot},upperdir={place.scratch}/upper,workdir={place.scratch}/work"
    run("mount", "-t", "overlay", "-o", layers, "overlay", place.live)
    run("mount", "-t", "proc", "proc", place.live / "proc")
    run("mount", "--rbind", "/dev", place.live / "dev")
    run("mount", "-t", "tmpfs", "-o", "mode=1777", "tmpfs", place.live / "dev/shm")
    run("mount", "-t", "tmpfs", "-o", "mode=755", "tmpfs", place.live / "run")
    for directory, owner in RUN_DIRECTORIES.items():
        run("chroot", place.live, "install", "-d", "-o", owner, "-g", owner, f"/run/{directory}")
    run("chroot", place.live, "install", "-d", EXTERNAL_SCRIPTS, services.CONF)


def drop_ins(place):
    """The project's UserParameters, where a user would put them."""
    for source in sorted((REPOSITORY / "zabbix/agentd").glob("*.conf")):
        for directory in conf.AGENT_DROP_INS.values():
            shutil.copy(source, place.live / directory.lstrip("/"))


def start(place, service):
    """One service in the chroot, as {pid: (service, now)}; its log outlives the lab."""
    for path, text in service.files.items():
        (place.live / path.lstrip("/")).write_text(text)
    with place.log(service.name).open("a" if service.restarts else "w") as log:
        process = subprocess.Popen(
            ["chroot", f"--userspec={service.user}:{service.user}", place.live, *service.command],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            env=ENVIRONMENT | service.env,
            start_new_session=True,
        )
    return {process.pid: (service, time.monotonic())}


def listens(port):
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


def wait_until(condition, failure, seconds=60):
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            sys.exit(failure)
        time.sleep(0.05)


def run(*command):
    subprocess.run(command, check=True, env=ENVIRONMENT)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], Place(Path(sys.argv[2]))))
