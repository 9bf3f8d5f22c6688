"""Connect times as programs publish them: ours, the floor and peers, for the same targets, in seconds by address."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import batch
import daemons
import network
import peers
from runner import ENVIRONMENT, Spawner

PORT = str(network.OPEN_PORT)
ASYNCIO = """
import asyncio, sys, time
async def probe(room, address):
    async with room:
        start = time.perf_counter()
        _, writer = await asyncio.wait_for(asyncio.open_connection(address, 80), 5)
        print(address, time.perf_counter() - start)
        writer.close()
async def main():
    room = asyncio.Semaphore(int(sys.argv[2]))
    await asyncio.gather(*(probe(room, a.strip()) for a in open(sys.argv[1])))
asyncio.run(main())
"""
PLAIN = """
import socket, sys, time
for address in map(str.strip, open(sys.argv[1])):
    start = time.perf_counter()
    socket.create_connection((address, 80), 2).close()
    print(address, time.perf_counter() - start)
"""


@dataclass(frozen=True)
class Said:
    """The published times of one connect; `rtt` only if the program reads it from the kernel."""

    connect: float | None
    rtt: float | None = None
    retransmits: int | None = None


Stopwatch = Callable[[list[str]], dict[str, Said]]


def of_document(document: dict) -> Said:
    tcp = document.get("tcp", {})
    return Said(document["time"].get("connect"), tcp.get("rtt"), tcp.get("syn_retransmits"))


def our_check(program: Path) -> Stopwatch:
    def one(address: str) -> Said:
        return of_document(json.loads(output([str(program), "check", address, PORT, "-o", "json"])))

    return lambda addresses: {address: one(address) for address in addresses}


def our_batch(spawner: Spawner, program: Path, in_flight: int, port: int = network.OPEN_PORT, *options: str) -> Stopwatch:
    def all_of(addresses: list[str]) -> dict[str, Said]:
        of = batch.targets(len(addresses), port, addresses[0])
        words = ["--concurrency", str(in_flight), "--close", "rst", "-o", "ndjson", *batch.PATIENT, *options]
        return {line["host"]: of_document(line) for line in batch.run(spawner, program, of, *words).lines()}

    return all_of


def floor(program: Path, in_flight: int) -> Stopwatch:
    def all_of(addresses: list[str]) -> dict[str, Said]:
        words = [str(program), "--in-flight", str(in_flight), "--json", str(len(addresses)), f"{addresses[0]}+:{PORT}"]
        records = map(json.loads, output(words).splitlines()[:-1])
        return {record["host"]: of_document(record) for record in records}

    return all_of


def script(text: str, scratch: Path, *words: str) -> Stopwatch:
    """A Python program that prints ADDRESS SECONDS for each address of a file."""

    def all_of(addresses: list[str]) -> dict[str, Said]:
        file, code = scratch / "addresses", scratch / "stopwatch.py"
        file.write_text("\n".join(addresses), encoding="ascii")
        code.write_text(text, encoding="ascii")
        lines = output([os.path.realpath(sys.executable), str(code), str(file), *words]).splitlines()
        return {address: Said(float(seconds)) for address, seconds in map(str.split, lines)}

    return all_of


def check_tcp() -> Stopwatch | None:
    path = peers.found(peers.CHECK_TCP)
    return path and each(lambda a: re.search(r"time=([0-9.]+)s", output([path, "-H", a, "-p", PORT, "-t", "2"])))


def curl() -> Stopwatch | None:
    path = shutil.which("curl")
    # Otherwise it would wait for an answer until its timeout.
    words = ["-s", "-m", "0.05", "-w", "\n%{time_connect}\n"]
    return path and each(lambda a: re.search(r"\n([0-9.]+)\n", output([path, *words, f"telnet://{a}:{PORT}"])))


def daemon(asked: daemons.Daemon, what: str, pattern: str, at_once: int = 1) -> Stopwatch:
    def all_of(addresses: list[str]) -> dict[str, Said]:
        answers = asked.ask_all([(address, PORT) for address in addresses], at_once, what)
        return {a: Said(float(re.search(pattern, answer)[1])) for a, answer in zip(addresses, answers)}

    return all_of


def each(one: Callable[[str], re.Match[str] | None]) -> Stopwatch:
    return lambda addresses: {address: Said(float(one(address)[1])) for address in addresses}


def output(words: list[str]) -> str:
    ran = subprocess.run(
        words, env=ENVIRONMENT, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=60
    )
    return ran.stdout
