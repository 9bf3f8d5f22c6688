"""Process 1 of a running lab: mounts the chroot with a throw-away layer on top, starts the services, and lives as
long as all of them do. It needs no way to stop: when `lab` kills it, the kernel ends every process of the PID
namespace and with them go the mounts and the network.

    python3 -m zbxlab.init RELEASE DIRECTORY      (inside fresh mount, PID, network, IPC and UTS namespaces)
"""

import os
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path

from . import conf, services
from .lab_directory import EXTERNAL_SCRIPTS, REPOSITORY, LabDirectory
from .release import RELEASES

RUN_DIRECTORIES = {"postgresql": "postgres", "zabbix": "zabbix", "zabbix-proxy": "zabbix"}
ENVIRONMENT = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8"}
# In seconds.
SHORT_LIFE = 1


def main(name, lab_dir):
    """Runs until a service ends unexpectedly, which is a failure."""
    release = RELEASES[name]
    # Still the outer /proc: this is our pid as the machine sees it.
    lab_dir.write_pid(int(os.readlink("/proc/self")))
    mount(lab_dir)
    drop_ins(lab_dir)
    run("ip", "link", "set", "lo", "up")
    running = start(lab_dir, services.database(release))
    pg_isready = f"{release.postgresql_bin}/pg_isready"
    ready = ["chroot", lab_dir.live, pg_isready, "--quiet", "--username=zabbix", "--dbname=zabbix"]
    wait_until(lambda: subprocess.run(ready, env=ENVIRONMENT).returncode == 0, "the database did not start")
    for stage in services.zabbix(release):
        for service in stage:
            running |= start(lab_dir, service)
        for service in stage:
            wait_until(lambda port=service.port: listens(port), f"the {service.name} does not listen")
    lab_dir.ready.touch()
    return supervise(lab_dir, running)


def supervise(lab_dir, running):
    """Process 1 adopts every orphan and has to reap it. `running`: {pid: (service, its start)}."""
    while True:
        pid, status = os.wait()
        if pid not in running:
            continue
        service, began = running.pop(pid)
        code = os.waitstatus_to_exitcode(status)
        print(f"{service.name} ended with status {code}", flush=True)
        # A service that fails at once would fail again.
        if not service.restarts or (code != 0 and time.monotonic() - began < SHORT_LIFE):
            return 1
        running |= start(lab_dir, service)


def mount(lab_dir):
    """The cached chroot is read-only; what the lab writes is in memory and discarded."""
    run("mount", "-t", "tmpfs", "-o", "mode=755", "tmpfs", lab_dir.scratch)
    for layer in ("upper", "work", "root"):
        (lab_dir.scratch / layer).mkdir()
    layers = f"lowerdir={lab_dir.chroot},upperdir={lab_dir.scratch}/upper,workdir={lab_dir.scratch}/work"
    run("mount", "-t", "overlay", "-o", layers, "overlay", lab_dir.live)
    run("mount", "-t", "proc", "proc", lab_dir.live / "proc")
    run("mount", "--rbind", "/dev", lab_dir.live / "dev")
    run("mount", "-t", "tmpfs", "-o", "mode=1777", "tmpfs", lab_dir.live / "dev/shm")
    run("mount", "-t", "tmpfs", "-o", "mode=755", "tmpfs", lab_dir.live / "run")
    for directory, owner in RUN_DIRECTORIES.items():
        run("chroot", lab_dir.live, "install", "-d", "-o", owner, "-g", owner, f"/run/{directory}")
    run("chroot", lab_dir.live, "install", "-d", EXTERNAL_SCRIPTS, services.CONF)


def drop_ins(lab_dir):
    """Copies the project's UserParameters to where a user would put them."""
    for source in sorted((REPOSITORY / "zabbix/agentd").glob("*.conf")):
        for directory in conf.AGENT_DROP_INS.values():
            shutil.copy(source, lab_dir.live / directory.lstrip("/"))


def start(lab_dir, service):
    """One service in the chroot, as {pid: (service, now)}; its log outlives the lab."""
    for path, text in service.files.items():
        (lab_dir.live / path.lstrip("/")).write_text(text)
    with lab_dir.log(service.name).open("a" if service.restarts else "w") as log:
        process = subprocess.Popen(
            ["chroot", f"--userspec={service.user}:{service.user}", lab_dir.live, *service.command],
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
    sys.exit(main(sys.argv[1], LabDirectory(Path(sys.argv[2]))))
