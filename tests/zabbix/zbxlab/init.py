"""Process 1 of a running lab: mounts the chroot with a throw-away layer on top, starts database, server and
frontend, and lives as long as all of them do. It needs no way to stop: when `lab` kills it, the kernel ends every
process of the PID namespace and with them go the mounts and the network.

    python3 -m zbxlab.init RELEASE PLACE      (inside fresh mount, PID, network, IPC and UTS namespaces)
"""

import os
import socket
import subprocess
import sys
import time
from pathlib import Path

from .place import Place
from .release import RELEASES

FRONTEND_PORT = 8080
SERVER_PORT = 10051
SERVER_CONF = f"""LogType=console
# Empty, not absent: the Unix socket.
DBHost=
DBName=zabbix
DBUser=zabbix
SocketDir=/run/zabbix
PidFile=/run/zabbix/server.pid
ExternalScripts=/usr/lib/zabbix/externalscripts
# The shortest Timeout Zabbix has by default: a check that needs more shows here.
Timeout=3
CacheUpdateFrequency=1
StartPollers=20
StartPingers=0
StartDiscoverers=0
StartHTTPPollers=0
StartTrappers=2
HousekeepingFrequency=0
"""
FRONTEND_CONF = """<?php
$DB = ['TYPE' => 'POSTGRESQL', 'SERVER' => '', 'PORT' => '0', 'DATABASE' => 'zabbix', 'USER' => 'zabbix',
    'PASSWORD' => '', 'SCHEMA' => '', 'ENCRYPTION' => false, 'DOUBLE_IEEE754' => true];
$ZBX_SERVER = '127.0.0.1';
$ZBX_SERVER_PORT = '10051';
$ZBX_SERVER_NAME = 'zbx-tcp lab';
$IMAGE_FORMAT_DEFAULT = IMAGE_FORMAT_PNG;
"""
ENVIRONMENT = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8"}


def main(name, place):
    """Runs until a service ends; only then it returns, and that is a failure."""
    release = RELEASES[name]
    # Still the outer /proc: this is our pid as the machine sees it.
    place.write_pid(int(os.readlink("/proc/self")))
    mount(place)
    run("ip", "link", "set", "lo", "up")
    services = start_database(release, place) | start_zabbix(place)
    wait_until(lambda: listens(SERVER_PORT), "the server does not listen")
    wait_until(lambda: listens(FRONTEND_PORT), "the frontend does not listen")
    place.ready.touch()
    # Process 1 is also the parent of every orphan and has to bury it.
    while True:
        pid, status = os.wait()
        if pid in services:
            print(f"{services[pid]} ended with status {os.waitstatus_to_exitcode(status)}", flush=True)
            return 1


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
    for directory, owner in (("postgresql", "postgres"), ("zabbix", "zabbix")):
        run("chroot", place.live, "install", "-d", "-o", owner, "-g", owner, f"/run/{directory}")
    run("chroot", place.live, "install", "-d", place.EXTERNAL_SCRIPTS)


def start_database(release, place):
    data = "/var/lib/zbx-tcp-lab/postgresql"
    services = start(place, "database", "postgres", f"{release.postgresql_bin}/postgres", "-D", data)
    pg_isready = f"{release.postgresql_bin}/pg_isready"
    ready = ["chroot", place.live, pg_isready, "--quiet", "--username=zabbix", "--dbname=zabbix"]
    wait_until(lambda: subprocess.run(ready, env=ENVIRONMENT).returncode == 0, "the database did not start")
    return services


def start_zabbix(place):
    (place.live / "etc/zabbix/lab.conf").write_text(SERVER_CONF)
    (place.live / "etc/zabbix/zabbix.conf.php").write_text(FRONTEND_CONF)
    (place.live / "tmp/php.ini").write_text(
        "max_execution_time=300\nmax_input_time=300\npost_max_size=16M\nmemory_limit=256M\ndate.timezone=UTC\n"
    )
    listen = f"127.0.0.1:{FRONTEND_PORT}"
    frontend = ["php", "-d", "log_errors=1", "-c", "/tmp/php.ini", "-S", listen, "-t", "/usr/share/zabbix"]
    workers = {"PHP_CLI_SERVER_WORKERS": "4"}
    server = start(place, "server", "zabbix", "zabbix_server", "--foreground", "--config", "/etc/zabbix/lab.conf")
    return server | start(place, "frontend", "www-data", *frontend, extra_env=workers)


def start(place, name, user, *command, extra_env=None):
    """One service in the chroot, as {pid: name}; its log outlives the lab."""
    with place.log(name).open("w") as log:
        process = subprocess.Popen(
            ["chroot", f"--userspec={user}:{user}", place.live, *command],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            env=ENVIRONMENT | (extra_env or {}),
            start_new_session=True,
        )
    return {process.pid: name}


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
