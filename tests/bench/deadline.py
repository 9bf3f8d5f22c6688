"""Keeping the deadline: everybody is asked for two seconds, and meets a peer that would take for ever."""

import concurrent.futures
import os
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import batch
import build
import daemons
import network
import peers
import plot
import report
from report import Goal
from runner import Spawner

ASKED = 2.0
# Who is not back by then never comes back; the C library's resolver alone takes 10 s.
NEVER = 12.0
ROUNDS, MANY, QUICK_MANY = 5, 10_000, 1_000
COLUMNS = ("DNS dead", "SYN dropped", "silent", "drip", "flood")
CHECK, BATCH = "zbx-tcp check", "zbx-tcp batch, one target"
NAIVE = """
import socket, sys
peer, heard = socket.create_connection((sys.argv[1], int(sys.argv[2])), 2), b""
while b"xyz" not in heard:
    heard += peer.recv(65536)
"""


@dataclass(frozen=True)
class Took:
    """How long a program took, None for ever; its peak memory."""

    seconds: float | None
    rss_kib: int | None = None


Places = dict[str, tuple[str, str]]
Row = dict[str, Took]


def measure(_rounds: int, quick: bool) -> int:
    """Measures, prints, writes; returns how many goals were missed."""
    ours, check = batch.program(), build.released("musl" if build.has_musl() else "glibc")
    for name in ("spawn", "responder"):
        build.floor(name, static=True)
    return network.isolated(lambda: measure_inside(ours, check, quick))


def measure_inside(ours: Path | None, check: Path, quick: bool) -> int:
    scratch, rounds = daemons.scratch(), 1 if quick else ROUNDS
    target = network.Target(build.OUT / "responder-static")
    # Nobody there answers UDP.
    network.resolve_by(f"nameserver {network.NAME_SERVER}\n", scratch)
    hostile = network.start(sys.executable, str(Path(__file__).with_name("hostile.py")))
    ports = [hostile.stdout.readline().strip() for _ in range(3)]
    local = [("127.0.0.1", port) for port in ports]
    places = dict(zip(COLUMNS, [("dead.example", "80"), (network.FIRST, str(network.SILENT_PORT)), *local]))

    rows = {CHECK: our_row(lambda host, port: [str(check), "check", host, port, "-t", "2s", "--expect", "xyz"], places, rounds)}
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


BATCH_OPTIONS = ["--timeout", "2s", "--deadline", "30s", "--expect", "xyz"]
# Among thousands: no answer to the SYN, and a connection on which nothing comes.
CROWDS = [("SYN dropped", network.SILENT_PORT, []), ("silent", network.OPEN_PORT, ["--expect", "xyz"])]


def our_row(words: Callable[[str, str], list[str]], places: Places, rounds: int) -> Row:
    """Alone on the machine, the worst of some rounds."""
    spawner, row = Spawner(build.OUT / "spawn-static"), {}
    for column, place in places.items():
        costs = [spawner.run(words(*place), may_end=batch.DOWN_OR_UP) for _ in range(rounds)]
        row[column] = Took(max(cost.wall_us for cost in costs) / 1e6, median(cost.rss_kib for cost in costs))
    spawner.close()
    return row


def peer_rows(places: Places, scratch: Path) -> dict[str, Row]:
    """All at once, since they only wait; but the flood, which takes a core, one after the other."""
    python, naive = os.path.realpath(sys.executable), scratch / "naive.py"
    naive.write_text(NAIVE, encoding="ascii")
    wanted = {
        "check_tcp -t 2": (peers.CHECK_TCP, lambda host, port: ["-H", host, "-p", port, "-t", "2", "-e", "xyz"]),
        "nc -w 2": ("nc.openbsd", lambda host, port: ["-w", "2", host, port]),
        "curl -m 2": ("curl", lambda host, port: ["-s", "-m", "2", f"telnet://{host}:{port}"]),
        "python, timeout 2": (python, lambda host, port: [str(naive), host, port]),
    }
    rows: dict[str, Row] = {name: {} for name, (program, _) in wanted.items() if peers.found(program)}

    def one(name: str, column: str) -> None:
        program, words = wanted[name]
        rows[name][column] = killed_after(NEVER, [peers.found(program), *words(*places[column])])

    with concurrent.futures.ThreadPoolExecutor(32) as pool:
        list(pool.map(lambda job: one(*job), [(name, column) for name in rows for column in COLUMNS if column != "flood"]))
    for name in rows:
        one(name, "flood")
    return rows


def killed_after(seconds: float, words: list[str]) -> Took:
    spawner = Spawner(build.OUT / "spawn-static")
    cost = spawner.run(["/usr/bin/timeout", "-s", "KILL", str(seconds), *words], writes=Path("/dev/null"), may_end=range(256))
    spawner.close()
    # Of what was killed the kernel tells no peak.
    return Took(cost.wall_us / 1e6, cost.rss_kib) if cost.wall_us < seconds * 1e6 else Took(None)


def daemon_rows(places: Places, scratch: Path) -> dict[str, Row]:
    rows = {}
    for begin in (daemons.blackbox, daemons.agentd, daemons.agent2):
        if daemon := begin(scratch):
            rows[f"{daemon.name}, 2 s"] = {column: asked(daemon, *place) for column, place in places.items()}
            daemon.close()
    return rows


def asked(daemon: daemons.Daemon, host: str, port: str) -> Took:
    start = time.monotonic()
    try:
        daemon.ask("expect", host, port)
    except TimeoutError:
        return Took(None, daemon.peak_kib())
    return Took(time.monotonic() - start, daemon.peak_kib())


def late_in_batch(ours: Path, port: int, options: list[str], count: int) -> dict[str, float]:
    """How much later than the timeout the verdicts stood, of so many under way at once."""
    spawner = Spawner(build.OUT / "spawn-static")
    words = ["--timeout", f"{ASKED}s", "--deadline", "30s", "--concurrency", str(count), "-o", "ndjson", "--close", "rst", *options]
    ran = batch.run(spawner, ours, batch.targets(count, port), *words)
    spawner.close()
    late = sorted((line["time"]["total"] - ASKED) * 1e6 for line in ran.lines())
    return {"p50": late[len(late) // 2], "p99": late[len(late) * 99 // 100], "max": late[-1], "wall": ran.cost.wall_us - ASKED * 1e6}


def show(rows: dict[str, Row], late: dict[str, dict], rounds: int) -> None:
    def cell(took: Took) -> str:
        return "never" if took.seconds is None else f"{took.seconds:.3f}"

    table = [
        [name, *(cell(row[column]) for column in COLUMNS), row["flood"].rss_kib and round(row["flood"].rss_kib)]
        for name, row in rows.items()
    ]
    title = f"Asked for {ASKED:.0f} s: wall seconds (ours: the worst of {rounds}; never: more than {NEVER:.0f})"
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
    plot.bars(build.OUT / "deadline.svg", f"Asked for {ASKED:.0f} s ({NEVER:.0f}: never)", "s", bars)
