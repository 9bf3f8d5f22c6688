"""Runs the released `zbx-tcp batch`: its arguments and its results."""

import json
import subprocess
from dataclasses import dataclass
from pathlib import Path

import build
import network
from runner import ENVIRONMENT, Cost, Spawner

# The deadline of the whole run must not cut a batch unless a case tests that.
PATIENT = ["--deadline", "60s"]
# callgrind slows a program down about fifty times.
UNDER_A_TOOL = ["--timeout", "30s", "--deadline", "120s"]
DOWN_OR_UP = (0, 1)


def program() -> Path | None:
    """The released build, or None if it has no `batch`."""
    path = build.released("musl" if build.has_musl() else "glibc")
    known = subprocess.run([path, "batch", "--help"], env=ENVIRONMENT, capture_output=True, check=False).returncode == 0
    if not known:
        print("not measured: `zbx-tcp batch` does not exist in this build")
    return path if known else None


def targets(count: int, port: int, first: str = network.FIRST) -> Path:
    """A file with this many targets, each with its own address."""
    path = build.OUT / f"targets-{first}-{port}-{count}"
    lines = (f"{address}:{port}\n" for address in network.addresses(count, first))
    path.write_text("".join(lines), encoding="ascii")
    return path


@dataclass(frozen=True)
class Ran:
    """The cost of a batch, and its document if the output is `json`."""

    cost: Cost
    output: Path

    def document(self) -> dict:
        return json.loads(self.output.read_text(encoding="utf-8"))

    def lines(self) -> list[dict]:
        """The records of `ndjson`."""
        return [json.loads(line) for line in self.output.read_text(encoding="utf-8").splitlines()]


def run(spawner: Spawner, path: Path, of: Path, *options: str) -> Ran:
    """Runs a batch with the targets of a file; the output goes to a file, since a pipe would slow it down."""
    output = build.OUT / "batch-output"
    words = [str(path), "batch", "-", *options]
    return Ran(spawner.run(words, reads=of, writes=output, may_end=DOWN_OR_UP), output)
