"""Runs commands and measures their cost; owns the listener that they connect to."""

import os
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

# glibc reads every environment variable at start, so the environment is always the same.
ENVIRONMENT = {"PATH": "/usr/local/bin:/usr/bin:/bin", "LC_ALL": "C"}


@dataclass(frozen=True)
class Cost:
    """The cost of one run: CPU is user and system time of the whole process tree."""

    cpu_us: int
    wall_us: int
    rss_kib: int
    faults: int
    status: int


class Spawner:
    """floor/spawn.c: a small static process that starts the measured ones; its header explains why."""

    def __init__(self, program: Path):
        pipe = subprocess.PIPE
        self.process = subprocess.Popen([program], stdin=pipe, stdout=pipe, text=True, bufsize=1, env=ENVIRONMENT)

    def run(
        self, words: list[str], *, reads: Path | None = None, writes: Path | None = None, may_end: Sequence[int] = (0,)
    ) -> Cost:
        """Runs a command that must end with one of these statuses."""
        files = ([f"<{reads}"] if reads else []) + ([f">{writes}"] if writes else [])
        self.process.stdin.write("\t".join(files + words) + "\n")
        cost = Cost(*map(int, self.process.stdout.readline().split()))
        if cost.status not in may_end:
            raise SystemExit(f"tests/bench: `{' '.join(words)}` ended with status {cost.status}")
        return cost

    def close(self) -> None:
        self.process.stdin.close()
        self.process.wait()


class Listener:
    """floor/listener.c: serves until its standard input is closed."""

    def __init__(self, program: Path, addresses: list[str], *options: str):
        words = [program, *options, *addresses]
        self.process = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.targets = [self.process.stdout.readline().strip() for _ in addresses]

    def close(self) -> None:
        self.process.stdin.close()
        self.process.wait()


def machine() -> dict[str, object]:
    """The properties of this machine that results depend on."""
    system = os.uname()
    with open("/proc/cpuinfo", encoding="utf-8") as lines:
        models = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    with open("/proc/cpuinfo", encoding="utf-8") as lines:
        virtual = any(line.startswith("flags") and " hypervisor" in line for line in lines)
    return {
        "cores": os.cpu_count(),
        "model": models[0] if models else system.machine,
        "virtual": virtual,
        "kernel": f"{system.sysname} {system.release}",
        "rustc": subprocess.run(["rustc", "--version"], capture_output=True, text=True, check=False).stdout.strip(),
        "libc": os.confstr("CS_GNU_LIBC_VERSION"),
        "load": round(os.getloadavg()[0], 2),
    }
