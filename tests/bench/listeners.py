"""The cost of a snapshot of many listeners: `discover listeners`, `ss`, and a script around `ss`."""

import os
import resource
import shutil
import socket
from contextlib import contextmanager
from pathlib import Path
from statistics import median

import batch
import build
import network
import report
from report import Goal
from runner import Spawner

COUNTS = (10, 1_000, 10_000)
ROUNDS, QUICK_ROUNDS = 31, 3
# Milliseconds of CPU for a snapshot of 1,000 listeners.
MOST_MS = 5.0
# What people use instead: rows for a discovery rule from the output of ss.
SCRIPT = (
    """ss -Hltn | awk 'BEGIN { printf "[" } { n = split($4, a, ":"); printf "%s{\\"{#PORT}\\":\\"%s\\"}", s, a[n]; s = "," } """
    """END { print "]" }'"""
)


def measure(_rounds: int, quick: bool) -> int:
    """Measures, prints and writes the results; returns the number of missed goals."""
    ours = batch.program()
    build.floor("spawn", static=True)
    return network.isolated(lambda: measure_inside(ours, QUICK_ROUNDS if quick else ROUNDS))


def measure_inside(ours: Path | None, rounds: int) -> int:
    spawner = Spawner(build.OUT / "spawn-static")
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    kept, results = [], {}
    with own_cgroup() as has_own:
        for count in COUNTS:
            while len(kept) < count:
                kept.append(listener(len(kept)))
            for name, one in measured(spawner, ours, rounds).items():
                results[f"{name} {count}"] = one
    spawner.close()
    rows = [[name, one["cpu_ms"], one["wall_ms"], one["rss_kib"]] for name, one in results.items()]
    report.table(f"Listeners: a snapshot, medians of {rounds} rounds", ["program, listeners", "CPU ms", "wall ms", "peak KiB"], rows)
    wanted = [Goal("CPU ms of a snapshot of 1,000 listeners", results.get("zbx-tcp json 1000", {}).get("cpu_ms"), MOST_MS)]
    missed = report.goals(wanted)
    processes = sum(name.isdigit() for name in os.listdir("/proc"))
    print(f"\n{processes} processes on this machine, own control group: {has_own}")
    report.save("listeners", {"rounds": rounds, "processes": processes, "own_cgroup": has_own, "results": results}, wanted)
    return missed


@contextmanager
def own_cgroup():
    """Sockets are made in a control group of version 2 of this process, as those of a service are; whether it could be made."""
    mounts = [line.split()[1:3] for line in Path("/proc/self/mounts").read_text(encoding="utf-8").splitlines()]
    mount = next((Path(path) for path, kind in mounts if kind == "cgroup2"), None)
    before = next((line[3:] for line in Path("/proc/self/cgroup").read_text(encoding="ascii").splitlines() if line.startswith("0::")), "/")
    group = mount and mount / f"zbx-tcp-bench-{os.getpid()}"
    try:
        group.mkdir()
        (group / "cgroup.procs").write_text(str(os.getpid()), encoding="ascii")
    except (AttributeError, OSError):
        yield False
        return
    try:
        yield True
    finally:
        (mount / before.lstrip("/") / "cgroup.procs").write_text(str(os.getpid()), encoding="ascii")
        group.rmdir()


def listener(number: int) -> socket.socket:
    """The listener with this number, of each family in turn."""
    host, family = (("127.0.0.1", socket.AF_INET), ("::1", socket.AF_INET6))[number % 2]
    made = socket.socket(family)
    made.bind((host, 1_024 + number))
    made.listen(128)
    return made


def measured(spawner: Spawner, ours: Path | None, rounds: int) -> dict[str, dict]:
    """The costs of each program, in turn."""
    cases = {}
    if ours:
        cases["zbx-tcp rows"] = [str(ours), "discover", "listeners"]
        cases["zbx-tcp json"] = [str(ours), "discover", "listeners", "-o", "json"]
    if shutil.which("ss"):
        cases |= {"ss -ltn": ["ss", "-Hltn"], "ss -ltnmpe": ["ss", "-Hltnmpe"], "ss and awk": ["/bin/sh", "-c", SCRIPT]}
        cases = {name: [shutil.which(words[0]), *words[1:]] for name, words in cases.items()}
    out = build.OUT / "listeners.out"
    runs = {name: [] for name in cases}
    for _ in range(rounds):
        for name, words in cases.items():
            runs[name].append(spawner.run(words, writes=out))
    return {
        name: {
            "cpu_ms": median(cost.cpu_us for cost in costs) / 1000,
            "wall_ms": median(cost.wall_us for cost in costs) / 1000,
            "rss_kib": median(cost.rss_kib for cost in costs),
        }
        for name, costs in runs.items()
    }
