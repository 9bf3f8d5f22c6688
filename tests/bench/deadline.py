"""Deadlines: each program gets a timeout of two seconds and a peer that never completes."""

import sys
from pathlib import Path

import batch
import build
import daemons
import network
import plot
import report
from deadline_rows import COLUMNS, NEVER, Row, Took, daemon_rows, our_row, peer_rows
from report import Goal
from runner import Spawner

ASKED = 2.0
ROUNDS, MANY, QUICK_MANY = 3, 10_000, 1_000
CHECK, BATCH = "zbx-tcp check", "zbx-tcp batch, one target"
BATCH_OPTIONS = ["--timeout", "2s", "--deadline", "30s", "--expect", "xyz"]
# Thousands of targets that do not answer the SYN, or accept and send nothing.
CROWDS = [("SYN dropped", network.SILENT_PORT, []), ("silent", network.OPEN_PORT, ["--expect", "xyz"])]


def measure(_rounds: int, quick: bool) -> int:
    """Measures, prints and writes the results; returns the number of missed goals."""
    ours, check = batch.program(), build.released("musl" if build.has_musl() else "glibc")
    for name in ("spawn", "responder"):
        build.floor(name, static=True)
    return network.isolated(lambda: measure_inside(ours, check, quick))


def measure_inside(ours: Path | None, check: Path, quick: bool) -> int:
    scratch, rounds = daemons.scratch(), 1 if quick else ROUNDS
    target = network.Target(build.OUT / "responder-static")
    # Nothing answers UDP there.
    network.resolve_by(f"nameserver {network.NAME_SERVER}\n", scratch)
    hostile = network.start(sys.executable, str(Path(__file__).with_name("hostile.py")))
    ports = [hostile.stdout.readline().strip() for _ in range(3)]
    local = [("127.0.0.1", port) for port in ports]
    places = dict(zip(COLUMNS, [("dead.example", "80"), (network.FIRST, str(network.SILENT_PORT)), *local]))

    rows = {
        CHECK: our_row(lambda host, port: [str(check), "check", host, port, "-t", "2s", "--expect", "xyz"], places, rounds)
    }
    if ours:
        rows[BATCH] = our_row(lambda host, port: [str(ours), "batch", f"{host}:{port}", *BATCH_OPTIONS], places, rounds)
    rows |= peer_rows(places, scratch) | daemon_rows(places, scratch)
    many = QUICK_MANY if quick else MANY
    late = {what: late_in_batch(ours, port, options, many) for what, port, options in CROWDS} if ours else {}
    hostile.stdin.close()
    hostile.wait()
    target.close()

    show(rows, late, rounds)
    wanted = wanted_of(rows, late)
    missed = report.goals(wanted)
    documents = {name: {column: vars(took) for column, took in row.items()} for name, row in rows.items()}
    report.save("deadline", {"asked": ASKED, "never": NEVER, "quick": quick, "rows": documents, "late_us": late}, wanted)
    draw(rows)
    return missed


def late_in_batch(ours: Path, port: int, options: list[str], count: int) -> dict[str, float]:
    """How much later than the timeout verdicts are decided, with this many probes in flight."""
    spawner = Spawner(build.OUT / "spawn-static")
    words = [
        "--timeout",
        f"{ASKED}s",
        "--deadline",
        "30s",
        "--concurrency",
        str(count),
        "-o",
        "ndjson",
        "--close",
        "rst",
        *options,
    ]
    ran = batch.run(spawner, ours, batch.targets(count, port), *words)
    spawner.close()
    late = sorted((line["time"]["total"] - ASKED) * 1e6 for line in ran.lines())
    return {
        "p50": late[len(late) // 2],
        "p99": late[len(late) * 99 // 100],
        "max": late[-1],
        "wall": ran.cost.wall_us - ASKED * 1e6,
    }


def show(rows: dict[str, Row], late: dict[str, dict], rounds: int) -> None:
    def cell(took: Took) -> str:
        return "never" if took.seconds is None else f"{took.seconds:.3f}"

    table = [
        [name, *(cell(row[column]) for column in COLUMNS), row["flood"].rss_kib and round(row["flood"].rss_kib)]
        for name, row in rows.items()
    ]
    title = f"A timeout of {ASKED:.0f} s: wall seconds (ours: the worst of {rounds}; never: more than {NEVER:.0f})"
    report.table(title, ["program", *COLUMNS, "KiB, flood"], table)
    if late:
        head = ["thousands in one batch", "p50", "p99", "max", "whole run"]
        report.table("Verdicts later than the timeout, us", head, [[n, *map(round, of.values())] for n, of in late.items()])


def wanted_of(rows: dict[str, Row], late: dict[str, dict]) -> list[Goal]:
    goals = []
    for name in (CHECK, BATCH):
        row = rows.get(name)
        over = max(took.seconds for took in row.values()) - ASKED if row else None
        goals.append(Goal(f"{name}: overshoot in the worst column, ms", over and over * 1000, 10))
    check = rows[CHECK]
    grown = check["flood"].rss_kib - check["silent"].rss_kib
    goals.append(Goal("zbx-tcp check: memory of the flood over that of silence, KiB", grown, 256 + 256))
    for what, *_ in CROWDS:
        found = late.get(what)
        goals.append(Goal(f"batch, {what}: later than the timeout, p99, ms", found and found["p99"] / 1000, 5))
        goals.append(Goal(f"batch, {what}: later than the timeout, max, ms", found and found["max"] / 1000, 20))
    return goals


def draw(rows: dict[str, Row]) -> None:
    bars = [
        (f"{name}: {column}", took.seconds if took.seconds is not None else NEVER, plot.colour(name))
        for column in COLUMNS
        for name, row in rows.items()
        if (took := row[column])
    ]
    plot.bars(build.OUT / "deadline.svg", f"A timeout of {ASKED:.0f} s ({NEVER:.0f}: never)", "s", bars)
