"""Programs that are compared or used for measuring, with their Debian packages."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PACKAGES = {
    "/usr/lib/nagios/plugins/check_tcp": "monitoring-plugins-basic",
    "cc": "gcc",
    "curl": "curl",
    "ip": "iproute2",
    "mtr": "mtr-tiny",
    "nc.openbsd": "netcat-openbsd",
    "nginx": "nginx-light",
    "nmap": "nmap",
    "openssl": "openssl",
    "perf": "linux-perf",
    "prometheus-blackbox-exporter": "prometheus-blackbox-exporter",
    "strace": "strace",
    "tcpdump": "tcpdump",
    "tcptraceroute": "tcptraceroute",
    "traceroute": "traceroute",
    "valgrind": "valgrind",
    "zabbix_agent2": "zabbix-agent2",
    "zabbix_agentd": "zabbix-agent",
}
POLICY = Path("/usr/sbin/policy-rc.d")


def missing() -> list[str]:
    """The packages of missing programs."""
    path = os.environ.get("PATH", "") + ":/usr/sbin:/sbin"
    return [package for program, package in PACKAGES.items() if not shutil.which(program, path=path)]


def say_missing() -> None:
    if lacking := missing():
        print(f"not installed, so what needs them is not measured: {' '.join(lacking)} (as root on Debian: --install)")


def install() -> int:
    """Installs them; returns 0 if none is missing then."""
    if lacking := missing():
        environment = dict(os.environ, DEBIAN_FRONTEND="noninteractive")
        with nothing_starts():
            words = ["apt-get", "install", "-y", "-qq", "--no-install-recommends", *lacking]
            subprocess.run(words, env=environment, stdout=subprocess.DEVNULL, check=False)
    say_missing()
    return 1 if missing() else 0


@contextmanager
def nothing_starts() -> Iterator[None]:
    """Prevents services from starting during installation (invoke-rc.d(8)); they are started here, on loopback."""
    ours = not POLICY.exists()
    if ours:
        POLICY.write_text("#!/bin/sh\nexit 101\n", encoding="ascii")
        POLICY.chmod(0o755)
    try:
        yield
    finally:
        if ours:
            POLICY.unlink()
