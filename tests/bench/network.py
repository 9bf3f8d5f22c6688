"""Two network namespaces with a link: the probing machine, and a peer that answers at almost no cost.

    probe 10.77.0.1 -- wire0 -- wire0 10.77.0.2 target, which answers for all of 10.78.0.0/16 (floor/responder.c)

Nothing is left behind: the namespaces belong to processes and go with them. The names of this file are those of
unshare(2): what is measured runs in a child of this process, which has a network and mounts of its own.
"""

import ctypes
import ipaddress
import os
import resource
import signal
import subprocess
import sys
import traceback
from collections.abc import Callable
from pathlib import Path

CLONE_NEWNS, CLONE_NEWNET = 0x20000, 0x40000000
PR_SET_PDEATHSIG = 1
MS_BIND, MS_REC, MS_PRIVATE = 0x1000, 0x4000, 0x40000
FIRST, OPEN_PORT, SILENT_PORT = "10.78.0.1", 80, 9
NAME_SERVER = "10.78.255.53"
# For all programs, floor and peers included: a limit as of a service manager.
DESCRIPTORS = 20_000
LIBC = ctypes.CDLL(None, use_errno=True)


class CannotRun(Exception):
    """A requirement that this machine does not meet."""


def isolated(part: Callable[[], int]) -> int:
    """Runs a part in a child with its own network; returns the number of missed goals."""
    sys.stdout.flush()
    child = os.fork()
    if child == 0:
        os._exit(inside(part))
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    if not 0 <= status < 100:
        raise SystemExit(f"tests/bench: a part ended with status {status}")
    return status


def dies_with_us() -> None:
    """For preexec_fn: the child ends even if this process is killed (prctl(2))."""
    LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


def inside(part: Callable[[], int]) -> int:
    try:
        dies_with_us()
        checked(LIBC.unshare(CLONE_NEWNET | CLONE_NEWNS), "a network namespace (needs root)")
        checked(LIBC.mount(None, b"/", None, MS_REC | MS_PRIVATE, None), "mounts of its own")
        hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        most = DESCRIPTORS if hard == resource.RLIM_INFINITY else min(hard, DESCRIPTORS)
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
        ip("link set lo up")
        missed = part()
    except CannotRun as lack:
        print(f"not measured: this machine has no {lack}")
        missed = 0
    except SystemExit as end:
        print(end, file=sys.stderr)
        missed = 101
    except BaseException:
        traceback.print_exc()
        missed = 102
    sys.stdout.flush()
    return missed


class Target:
    """The other end of the link, and the programs that answer there."""

    def __init__(self, responder: Path):
        self.processes = [start("unshare", "--net", "cat")]
        # Its output proves that it runs in the namespace.
        self.processes[0].stdin.write("there\n")
        self.processes[0].stdin.flush()
        self.processes[0].stdout.readline()
        ip(f"link add wire0 type veth peer name wire0 netns {self.processes[0].pid}")
        # A static neighbour entry, so that the first connects do not wait for ARP.
        self.within("ip link set wire0 address 02:00:00:00:00:02 up && ip addr add 10.77.0.2/24 dev wire0")
        ip(
            "addr add 10.77.0.1/24 dev wire0",
            "link set wire0 up",
            "neigh add 10.77.0.2 lladdr 02:00:00:00:00:02 dev wire0 nud permanent",
            "route add 10.78.0.0/16 via 10.77.0.2",
        )
        self.serve(responder, "--pass", "wire0")
        self.serve("nsenter", f"--net=/proc/{self.processes[0].pid}/ns/net", responder, "wire0")

    def within(self, script: str) -> None:
        """Runs a shell script at the other end."""
        run("nsenter", f"--net=/proc/{self.processes[0].pid}/ns/net", "sh", "-ec", script)

    def serve(self, *words: str | Path) -> None:
        process = start(*words)
        self.processes.append(process)
        if process.stdout.readline() != "ready\n":
            self.close()
            raise CannotRun("XDP on veth (what the kernel says is above)")

    def close(self) -> None:
        for process in reversed(self.processes):
            process.stdin.close()
            process.wait()


def addresses(count: int, first: str = FIRST) -> list[str]:
    """This many consecutive addresses."""
    base = ipaddress.IPv4Address(first)
    return [str(base + number) for number in range(count)]


def resolve_by(text: str, scratch: Path) -> None:
    """Replaces /etc/resolv.conf for this process and its children."""
    file = scratch / "resolv.conf"
    file.write_text(text, encoding="ascii")
    place = os.path.realpath("/etc/resolv.conf").encode()
    checked(LIBC.mount(str(file).encode(), place, None, MS_BIND, None), "bind mounts")


def ip(*commands: str) -> None:
    for command in commands:
        run("ip", *command.split())


def run(*words: str) -> None:
    try:
        subprocess.run(words, check=True, capture_output=True, text=True)
    except FileNotFoundError as error:
        raise CannotRun(f"`{words[0]}`") from error
    except subprocess.CalledProcessError as error:
        raise CannotRun(f"`{' '.join(words)}`: {error.stderr.strip()}") from error


def start(*words: str | Path) -> subprocess.Popen[str]:
    """A process that ends when its standard input is closed."""
    try:
        return subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    except FileNotFoundError as error:
        raise CannotRun(f"`{words[0]}`") from error


def checked(result: int, what: str) -> None:
    if result != 0:
        raise CannotRun(f"{what}: {os.strerror(ctypes.get_errno())}")
