"""`zbx-tcp batch` as it is released: whether it is there, its words, and what it said."""

import json
import subprocess
from dataclasses import dataclass
from pathlib import Path

import build
import network
from runner import ENVIRONMENT, Cost, Spawner

# Nothing here is to be cut by the whole run's deadline unless it says so.
PATIENT = ["--deadline", "60s"]
# Callgrind slows everything down some fifty times.
UNDER_A_TOOL = ["--timeout", "30s", "--deadline", "120s"]
DOWN_OR_UP = (0, 1)


def program() -> Path | None:
    """The released build, if it knows `batch` yet."""
    path = build.released("musl" if build.has_musl() else "glibc")
    known = subprocess.run([path, "batch", "--help"], env=ENVIRONMENT, capture_output=True, check=False).returncode == 0
    if not known:
        print("not measured: `zbx-tcp batch` does not exist in this build")
    return path if known else None


def targets(count: int, port: int, first: str = network.FIRST) -> Path:
    """A file of so many targets, an address each."""
    path = build.OUT / f"targets-{first}-{port}-{count}"
    lines = (f"{address}:{port}\n" for address in network.addresses(count, first))
    path.write_text("".join(lines), encoding="ascii")
    return path


@dataclass(frozen=True)
class Ran:
    """What a batch cost, and its document where that is `json`."""

    cost: Cost
    output: Path

    def document(self) -> dict:
        return json.loads(self.output.read_text(encoding="utf-8"))

    def lines(self) -> list[dict]:
        """The records of `ndjson`."""
        return [json.loads(line) for line in self.output.read_text(encoding="utf-8").splitlines()]


def run(spawner: Spawner, path: Path, of: Path, *options: str) -> Ran:
    """Runs a batch over the targets of a file; the output goes into another, since a pipe would hold it up."""
    output = build.OUT / "batch-output"
    words = [str(path), "batch", "-", *options]
    return Ran(spawner.run(words, reads=of, writes=output, may_end=DOWN_OR_UP), output)
