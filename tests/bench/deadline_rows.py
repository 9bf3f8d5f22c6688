"""The time that each program with a timeout of two seconds takes in each case: ours, peers, daemons."""

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
import peers
from runner import Spawner

# A program that has not ended by then is counted as `never`; the resolver of the C library alone takes 10 s.
NEVER = 11.0
COLUMNS = ("DNS dead", "SYN dropped", "silent", "drip", "flood")
NAIVE = """
import socket, sys
peer, heard = socket.create_connection((sys.argv[1], int(sys.argv[2])), 2), b""
while b"xyz" not in heard:
    heard += peer.recv(65536)
"""


@dataclass(frozen=True)
class Took:
    """The time a program took, None for `never`, and its peak memory."""

    seconds: float | None
    rss_kib: int | None = None


Places = dict[str, tuple[str, str]]
Row = dict[str, Took]


def our_row(words: Callable[[str, str], list[str]], places: Places, rounds: int) -> Row:
    """Each program alone; the worst of several rounds."""
    spawner, row = Spawner(build.OUT / "spawn-static"), {}
    for column, place in places.items():
        costs = [spawner.run(words(*place), may_end=batch.DOWN_OR_UP) for _ in range(rounds)]
        row[column] = Took(max(cost.wall_us for cost in costs) / 1e6, median(cost.rss_kib for cost in costs))
    spawner.close()
    return row


def peer_rows(places: Places, scratch: Path) -> dict[str, Row]:
    """In parallel, since they only wait; the flood, which uses a core, sequentially."""
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
        list(pool.map(lambda job: one(*job), waits(rows)))
    for name in rows:
        one(name, "flood")
    return rows


def killed_after(seconds: float, words: list[str]) -> Took:
    spawner = Spawner(build.OUT / "spawn-static")
    cost = spawner.run(
        ["/usr/bin/timeout", "-s", "KILL", str(seconds), *words], writes=Path("/dev/null"), may_end=range(256)
    )
    spawner.close()
    # The kernel reports no peak for a killed process.
    return Took(cost.wall_us / 1e6, cost.rss_kib) if cost.wall_us < seconds * 1e6 else Took(None)


def daemon_rows(places: Places, scratch: Path) -> dict[str, Row]:
    """In parallel, and the flood sequentially."""
    begun = [begin(scratch) for begin in (daemons.blackbox, daemons.agentd, daemons.agent2)]
    known = {f"{daemon.name}, 2 s": daemon for daemon in begun if daemon}
    rows: dict[str, Row] = {name: {} for name in known}

    def one(name: str, column: str) -> None:
        rows[name][column] = asked(known[name], *places[column])

    with concurrent.futures.ThreadPoolExecutor(32) as pool:
        list(pool.map(lambda job: one(*job), waits(rows)))
    for name in rows:
        one(name, "flood")
    for daemon in known.values():
        daemon.close()
    return rows


def waits(rows: dict[str, Row]) -> list[tuple[str, str]]:
    """Every case that takes time but no CPU."""
    return [(name, column) for name in rows for column in COLUMNS if column != "flood"]


def asked(daemon: daemons.Daemon, host: str, port: str) -> Took:
    start = time.monotonic()
    try:
        daemon.ask("expect", host, port)
    except TimeoutError:
        return Took(None, daemon.peak_kib())
    return Took(time.monotonic() - start, daemon.peak_kib())
