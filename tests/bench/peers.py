"""Other programs with many targets: a process for each, a scanner, a script, a daemon that is queried."""

import os
import shutil
import time
from pathlib import Path

import daemons
import network
from runner import ENVIRONMENT, Spawner

CHECK_TCP = "/usr/lib/nagios/plugins/check_tcp"
NMAP_BLOCK = 4096
ASYNCIO = """
import asyncio, sys
async def probe(room, address):
    async with room:
        _, writer = await asyncio.wait_for(asyncio.open_connection(address, int(sys.argv[2])), 2)
        writer.close()
async def main():
    room = asyncio.Semaphore(1000)
    await asyncio.gather(*(probe(room, a.strip()) for a in open(sys.argv[1])))
asyncio.run(main())
"""


def each_a_process(spawner: Spawner, count: int) -> dict[str, dict]:
    """One process for each target, one after the other."""
    port = str(network.OPEN_PORT)
    wanted = {
        "check_tcp, a process each": (CHECK_TCP, lambda a: ["-H", a, "-p", port, "-t", "2"]),
        "nc -z, a process each": ("nc.openbsd", lambda a: ["-z", "-w", "2", a, port]),
    }
    results = {}
    for name, (program, words) in wanted.items():
        if path := found(program):
            costs = [spawner.run([path, *words(address)]) for address in network.addresses(count)]
            results[name] = {
                "cpu_us": sum(cost.cpu_us for cost in costs) / count,
                "per_second": count * 1e6 / sum(cost.wall_us for cost in costs),
                "rss_kib": max(cost.rss_kib for cost in costs),
                "probes": count,
            }
    return results


def in_one_process(spawner: Spawner, count: int, scratch: Path) -> dict[str, dict]:
    """Programs that take all targets at once."""
    results = {}
    if path := found("nmap"):
        port = str(network.OPEN_PORT)
        words = [path, "-sT", "-Pn", "-n", "-T5", "--min-parallelism", "256", "-p", port, "-oG", "-", "10.78.16.0/20"]
        results["nmap -sT"] = one(spawner, words, NMAP_BLOCK)
    if path := found("python3"):
        addresses = scratch / "addresses"
        addresses.write_text("\n".join(network.addresses(count)), encoding="ascii")
        script = scratch / "many_asyncio.py"
        script.write_text(ASYNCIO, encoding="ascii")
        words = [os.path.realpath(path), str(script), str(addresses), str(network.OPEN_PORT)]
        results["python asyncio"] = one(spawner, words, count)
    return results


def one(spawner: Spawner, words: list[str], count: int) -> dict:
    cost = spawner.run(words, writes=daemons.scratch() / "peer-output")
    return {
        "cpu_us": cost.cpu_us / count,
        "per_second": count * 1e6 / cost.wall_us,
        "rss_kib": cost.rss_kib,
        "probes": count,
    }


def asked(count: int, at_once: int, scratch: Path) -> dict[str, dict]:
    """Daemons, queried in parallel; only their own CPU time is counted."""
    targets = [(address, str(network.OPEN_PORT)) for address in network.addresses(count)]
    results = {}
    for begin in (daemons.blackbox, daemons.agentd, daemons.agent2):
        daemon = begin(scratch)
        if daemon is None:
            continue
        daemon.ask_all(targets[:at_once], at_once)  # Creates threads and memory before the measurement.
        cpu, start = daemon.cpu_us(), time.monotonic()
        answers = daemon.ask_all(targets, at_once)
        wall = time.monotonic() - start
        results[f"{daemon.name}, {at_once} at a time"] = {
            "cpu_us": (daemon.cpu_us() - cpu) / count,
            "per_second": count / wall,
            "rss_kib": daemon.peak_kib(),
            "probes": count,
        }
        daemon.close()
        if wrong := [answer for answer in answers if not is_up(answer)]:
            raise SystemExit(f"tests/bench: {daemon.name}: {len(wrong)} of {count} are not up, as {wrong[0]!r}")
    return results


def is_up(answer: str) -> bool:
    return answer == "1" or "\nprobe_success 1\n" in answer


def found(program: str) -> str | None:
    path = shutil.which(program, path=ENVIRONMENT["PATH"])
    if path is None:
        print(f"not measured: `{program}` is not installed")
    return path
