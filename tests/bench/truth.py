"""Accuracy: the connect time that programs publish, compared with a packet capture of the same connect."""

import subprocess
from contextlib import contextmanager
from pathlib import Path

import batch
import build
import daemons
import network
import report
import stopwatches
import truth_report
from capture import Capture, Handshake
from runner import Spawner
from stopwatches import Said, Stopwatch
from truth_report import BUSY_LOOPS, IN_FLIGHT

DELAY_US = 1_000
SINGLE, QUICK_SINGLE = 200, 20
MANY, QUICK_MANY = 10_000, 1_000
RETRANSMITS, QUICK_RETRANSMITS = 2_000, 200


def measure(_rounds: int, quick: bool) -> int:
    """Measures, prints and writes the results; returns the number of missed goals."""
    ours, check = batch.program(), build.released("musl" if build.has_musl() else "glibc")
    for name in ("epoll", "spawn", "delayer"):
        build.floor(name, static=True)
    return network.isolated(lambda: measure_inside(ours, check, quick))


def measure_inside(ours: Path | None, check: Path, quick: bool) -> int:
    far = network.start(build.OUT / "delayer-static", str(DELAY_US))
    if far.stdout.readline() != "ready\n":
        raise network.CannotRun("/dev/net/tun (what the kernel says is above)")
    spawner, blocks = Spawner(build.OUT / "spawn-static"), Blocks()
    results = one_at_a_time(spawner, ours, check, blocks, QUICK_SINGLE if quick else SINGLE)
    results |= many(spawner, ours, blocks, QUICK_MANY if quick else MANY)
    with busy(BUSY_LOOPS):
        results |= under_load(spawner, ours, check, blocks, quick)
    exact = retransmits(spawner, ours, blocks, QUICK_RETRANSMITS if quick else RETRANSMITS) if ours else None
    spawner.close()
    far.stdin.close()
    far.wait()

    truth_report.show(results, exact)
    wanted = truth_report.wanted_of(results, exact)
    missed = report.goals(wanted)
    report.save("truth", {"delay_us": DELAY_US, "quick": quick, "cases": results, "retransmits": exact}, wanted)
    return missed


class Blocks:
    """Returns addresses that were not probed yet, since a capture is read by address."""

    def __init__(self) -> None:
        self.next = 256

    def take(self, count: int) -> list[str]:
        if self.next + count > 0xFFFF:
            self.next = 256  # Captures are separate, so addresses can be reused.
        first = f"10.79.{self.next >> 8}.{self.next & 255}"
        self.next += count
        return network.addresses(count, first)


def one_at_a_time(spawner: Spawner, ours: Path | None, check: Path, blocks: Blocks, count: int) -> dict[str, dict]:
    scratch = daemons.scratch()
    cases: dict[str, Stopwatch | None] = {
        "zbx-tcp check": stopwatches.our_check(check),
        "zbx-tcp batch": ours and stopwatches.our_batch(spawner, ours, 1),
        "C epoll": stopwatches.floor(build.OUT / "epoll-static", 1),
        "check_tcp": stopwatches.check_tcp(),
        "curl": stopwatches.curl(),
        "python": stopwatches.script(stopwatches.PLAIN, scratch),
    }
    results = {f"{name}, one at a time": compare(watch, blocks.take(count)) for name, watch in cases.items() if watch}
    for begin, what, pattern in ((daemons.agentd, "perf", r"^([0-9.]+)$"), (daemons.blackbox, "connect", BLACKBOX)):
        if asked := begin(scratch):
            watch = stopwatches.daemon(asked, what, pattern)
            results[f"{asked.name}, one at a time"] = compare(watch, blocks.take(count))
            asked.close()
    return results


BLACKBOX = r"\nprobe_duration_seconds ([0-9.e+-]+)\n"


def many(spawner: Spawner, ours: Path | None, blocks: Blocks, count: int) -> dict[str, dict]:
    scratch, results = daemons.scratch(), {}
    for in_flight in IN_FLIGHT:
        cases = {
            "zbx-tcp batch": ours and stopwatches.our_batch(spawner, ours, in_flight),
            "C epoll": stopwatches.floor(build.OUT / "epoll-static", in_flight),
            "python asyncio": stopwatches.script(stopwatches.ASYNCIO, scratch, str(in_flight)),
        }
        results |= {
            f"{name}, {in_flight} in flight": compare(watch, blocks.take(count)) for name, watch in cases.items() if watch
        }
    if asked := daemons.blackbox(scratch):
        watch = stopwatches.daemon(asked, "connect", BLACKBOX, at_once=min(count, 1000))
        results["blackbox, 1000 in flight"] = compare(watch, blocks.take(min(count, 2000)))
        asked.close()
    return results


def under_load(spawner: Spawner, ours: Path | None, check: Path, blocks: Blocks, quick: bool) -> dict[str, dict]:
    cases = {
        "zbx-tcp check, one at a time": (stopwatches.our_check(check), QUICK_SINGLE if quick else 100),
        "check_tcp, one at a time": (stopwatches.check_tcp(), QUICK_SINGLE if quick else 100),
        "C epoll, 1000 in flight": (stopwatches.floor(build.OUT / "epoll-static", 1000), QUICK_MANY if quick else MANY),
        "zbx-tcp batch, 1000 in flight": (
            ours and stopwatches.our_batch(spawner, ours, 1000),
            QUICK_MANY if quick else MANY,
        ),
    }
    return {
        f"{name}, {BUSY_LOOPS} busy loops": compare(watch, blocks.take(count))
        for name, (watch, count) in cases.items()
        if watch
    }


@contextmanager
def busy(count: int):
    """This many processes that only use CPU."""
    loops = [subprocess.Popen(["sh", "-c", "while :; do :; done"], preexec_fn=network.dies_with_us) for _ in range(count)]
    try:
        yield
    finally:
        for loop in loops:
            loop.kill()
            loop.wait()


def watched(stopwatch: Stopwatch, addresses: list[str]) -> tuple[dict[str, Handshake], dict[str, Said]]:
    capture = Capture("far0", build.OUT / "capture.pcap")
    said = stopwatch(addresses)
    return capture.handshakes(), said


def compare(stopwatch: Stopwatch, addresses: list[str]) -> dict:
    """Published minus captured times, in us; only of handshakes without a retransmission."""
    true, said = watched(stopwatch, addresses)
    plain = {a: shake.seconds for a, shake in true.items() if a in said and shake.syns == 1 and shake.answered}
    return {
        "probes": len(addresses),
        "compared": len(plain),
        "retransmitted": sum(shake.syns > 1 for shake in true.values()),
        "true_us": spread([seconds * 1e6 for seconds in plain.values()]),
        "rtt_error_us": spread([abs(said[a].rtt - s) * 1e6 for a, s in plain.items() if said[a].rtt is not None]),
        "connect_error_us": spread([(said[a].connect - s) * 1e6 for a, s in plain.items() if said[a].connect is not None]),
    }


def spread(values: list[float]) -> dict | None:
    values = sorted(values)
    at = lambda share: round(values[min(int(len(values) * share), len(values) - 1)], 1)  # noqa: E731
    return {"p50": at(0.5), "p99": at(0.99), "max": at(1)} if values else None


def retransmits(spawner: Spawner, ours: Path, blocks: Blocks, count: int) -> dict:
    """How many counts of SYN retransmissions equal the capture; each port loses a different number of SYNs."""
    exact = total = 0
    for lost in (0, 1, 2):
        watch = stopwatches.our_batch(spawner, ours, 1000, 1000 + lost, "--timeout", "5s")
        true, said = watched(watch, blocks.take(count // 4 if lost < 2 else count - 2 * (count // 4)))
        total += len(said)
        exact += sum(a in true and one.retransmits == true[a].syns - 1 for a, one in said.items())
    return {"probes": total, "exact": exact}
