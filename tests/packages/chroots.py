"""Creates the chroots of a Debian suite: `bare`, the overlay layers `zabbix` and `linker`, and `debs`, the agent's packages.

    python3 chroots.py SUITE DIRECTORY

Runs as root in mount and PID namespaces of its own. Chroots that are up to date are kept. Exit status 77: it cannot run here.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "zabbix"))

from zbxlab import apt, build  # noqa: E402
from zbxlab.errors import LabError, Unavailable  # noqa: E402

# Increase it when this script creates chroots differently, so that cached ones are created again.
RECIPE = 2
LAYERS = {
    # Debian's zabbix_get comes with the server. No server runs here, so no database is needed.
    "zabbix": ["zabbix-server-pgsql", "zabbix-agent", "zabbix-agent2"],
    # Needed by a Rust toolchain.
    "linker": ["gcc", "libc6-dev"],
}


def main(suite, place):
    """Creates the chroots of a suite, unless they are up to date."""
    marker = f"recipe {RECIPE}, {suite}: {LAYERS}\n"
    ready = place / "ready"
    if ready.exists() and ready.read_text() == marker:
        return
    shutil.rmtree(place, ignore_errors=True)
    bare = place / "bare"
    build.unpack(SimpleNamespace(suite=suite), bare)
    build.configure(bare)
    # The lab excludes documentation, but these tests check it.
    (bare / "etc/dpkg/dpkg.cfg.d/lab").write_text("force-unsafe-io\n")
    agent_packages(bare, place / "debs")
    for name, packages in LAYERS.items():
        layer(name, packages, bare, place)
    ready.write_text(marker)


def agent_packages(bare, debs):
    """Downloads the agent and its dependencies, for cases that install them."""
    debs.mkdir()
    with build.mounted_files(apt.files_to_mount(), bare):
        inside(bare, "apt-get update")
        inside(bare, "apt-get install --yes --download-only zabbix-agent")
    for deb in (bare / "var/cache/apt/archives").glob("*.deb"):
        shutil.move(deb, debs / deb.name)


def layer(name, packages, bare, place):
    """Creates an overlay layer with these packages on top of the bare chroot."""
    root, work = place / "mount", place / "work"
    for directory in (place / name, root, work):
        directory.mkdir(exist_ok=True)
    options = f"lowerdir={bare},upperdir={place / name},workdir={work}"
    subprocess.run(["mount", "-t", "overlay", "overlay", "-o", options, root], check=True)
    with build.mounted_files(apt.files_to_mount(), root):
        inside(root, f"apt-get install --yes {' '.join(packages)}")
    inside(root, "apt-get clean")
    subprocess.run(["umount", root], check=True)
    shutil.rmtree(work)


def inside(root, command):
    env = dict(os.environ, DEBIAN_FRONTEND="noninteractive", LC_ALL="C.UTF-8", PATH="/usr/sbin:/usr/bin:/sbin:/bin")
    if subprocess.run(["chroot", root, "/bin/sh", "-euc", command], env=env, stdin=subprocess.DEVNULL).returncode != 0:
        raise Unavailable(f"failed in the chroot: {command}")


if __name__ == "__main__":
    try:
        main(sys.argv[1], Path(sys.argv[2]))
    except LabError as error:
        print(error)
        sys.exit(error.status)
