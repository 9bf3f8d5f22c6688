"""Values that do not depend on the load: system calls, files, threads, instructions of one run."""

import re
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from runner import ENVIRONMENT


@dataclass(frozen=True)
class Counts:
    """Of the whole process tree; `None` if the tool is not installed."""

    syscalls: int | None
    files: tuple[str, ...] | None
    threads: int | None
    instructions: int | None


CALL = re.compile(r"^(?:\d+ +)?(\w+)\(")
OPENED = re.compile(r'(?:open|openat|openat2)\(.*?"([^"]*)".*= \d+')


def count(words: list[str]) -> Counts:
    """Counts one command; instructions only if it is not a shell."""
    syscalls = files = threads = None
    if shutil.which("strace"):
        lines = trace(words)
        names = [match[1] for line in lines if (match := CALL.match(line))]
        syscalls = len(names)
        files = tuple(match[1] for line in lines if (match := OPENED.search(line)))
        threads = sum(name in ("clone", "clone3", "fork", "vfork") for name in names)
    return Counts(syscalls, files, threads, None if words[0] == "/bin/sh" else instructions(words))


def trace(words: list[str]) -> list[str]:
    """The lines of strace(1); a call that is interrupted by another process counts once, at its start."""
    with tempfile.NamedTemporaryFile("r", prefix="zbx-tcp-bench-") as file:
        run(["strace", "-f", "-qq", "-e", "signal=none", "-o", file.name, *words])
        return file.read().splitlines()


def instructions(words: list[str], rounds: int = 3, reads: Path | None = None) -> int | None:
    """User instructions by callgrind: the median, since the number of polls depends on the network."""
    if not shutil.which("valgrind"):
        return None
    tool = ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null"]
    counted = []
    for _ in range(rounds):
        found = re.search(r"Collected : (\d+)", run(tool + words, reads).stderr)
        if not found:
            return None
        counted.append(int(found[1]))
    return int(median(counted))


def run(words: list[str], reads: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Runs a command under a tool, with the environment of the measured ones."""
    with open(reads or "/dev/null", "rb") as stdin:
        return subprocess.run(words, env=ENVIRONMENT, stdin=stdin, capture_output=True, text=True, check=False)
