"""Builds the chroot of a release. Runs as root in mount and PID namespaces of its own, so that everything
that debootstrap or a package mounts or starts ends with it. Started by `lab`; the log is its stdout.

    python3 -m zbxlab.build RELEASE ROOT
"""

import os
import shutil
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

from . import apt
from .errors import LabError, Unavailable
from .release import PROXY_PACKAGE, RELEASES

MARKER = ".zbx-tcp-lab"
PROVISION = Path(__file__).with_name("provision.sh")

DPKG = """force-unsafe-io
path-exclude=/usr/share/doc/*
path-exclude=/usr/share/man/*
path-exclude=/usr/share/info/*
path-exclude=/usr/share/locale/*
path-exclude=/usr/share/zabbix/locale/*
"""

APT_CONF = """APT::Install-Recommends "false";
Acquire::Languages "none";
Dpkg::Use-Pty "false";
"""


def main(name, root):
    """Exit status of the whole build, as `lab` understands it."""
    release = RELEASES[name]
    try:
        unpack(release, root)
        configure(root)
        with mounted_files(apt.files_to_mount(), root):
            provision(release, root, "download", Unavailable("could not download the Zabbix packages"))
        provision(release, root, "install", LabError("the Zabbix packages did not install"))
        (root / MARKER).write_text(release.marker)
    except LabError as error:
        print(error, flush=True)
        return error.status
    return 0


def unpack(release, root):
    """A minimal Debian, its packages unpacked but not yet configured."""
    mirror = apt.mirror()
    if not mirror:
        raise Unavailable("no http(s) Debian mirror in the apt sources of this machine")
    shutil.rmtree(root, ignore_errors=True)
    root.mkdir(parents=True)
    command = ["debootstrap", "--foreign", "--force-check-gpg", "--variant=minbase", release.suite, root, mirror]
    env = dict(os.environ)
    for scheme in ("http", "https"):
        # debootstrap's downloader reads the environment, not apt's settings.
        if apt.proxy(scheme):
            env.setdefault(f"{scheme}_proxy", apt.proxy(scheme))
    if subprocess.run(command, env=env).returncode != 0:
        raise Unavailable(f"could not download Debian {release.suite} from {mirror}")
    write(root / "etc/apt/sources.list", f"deb {mirror} {release.suite} main\n")


def configure(root):
    """Second stage of debootstrap, with dpkg and apt told to be quick and to start nothing."""
    write(root / "etc/dpkg/dpkg.cfg.d/lab", DPKG)
    write(root / "etc/apt/apt.conf.d/lab", APT_CONF + apt.settings())
    write(root / "etc/postgresql-common/createcluster.conf", "create_main_cluster = false\n")
    policy = write(root / "usr/sbin/policy-rc.d", "#!/bin/sh\nexit 101\n")
    policy.chmod(0o755)
    if subprocess.run(["chroot", root, "/debootstrap/debootstrap", "--second-stage"]).returncode != 0:
        raise LabError("debootstrap did not finish")


def provision(release, root, step, error):
    """One step of provision.sh inside the chroot."""
    script = ["/bin/sh", "-eu", "-s", step, release.postgresql_bin, PROXY_PACKAGE, release.proxy_sql, *release.packages]
    env = dict(os.environ, DEBIAN_FRONTEND="noninteractive", LC_ALL="C.UTF-8", PATH="/usr/sbin:/usr/bin:/sbin:/bin")
    with PROVISION.open() as source:
        if subprocess.run(["chroot", root, *script], stdin=source, env=env).returncode != 0:
            raise error


@contextmanager
def mounted_files(paths, root):
    """Mount files of this machine into the chroot while a block runs; they are never copied."""
    mounted = []
    try:
        for path in paths:
            inside = root / path.relative_to("/")
            if path.is_dir():
                inside.mkdir(parents=True, exist_ok=True)
            else:
                inside.parent.mkdir(parents=True, exist_ok=True)
                inside.touch()
            subprocess.run(["mount", "--bind", "-o", "ro", path, inside], check=True)
            mounted.append(inside)
        yield
    finally:
        for inside in reversed(mounted):
            subprocess.run(["umount", inside], check=True)


def write(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], Path(sys.argv[2])))
