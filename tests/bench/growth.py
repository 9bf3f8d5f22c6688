"""Growth: the cost of a batch from 100 to 60,000 targets, if all are up and if none answers."""

from pathlib import Path

import batch
import build
import many
import network
import plot
import report
from report import Goal
from runner import Spawner

COUNTS, QUICK_COUNTS = (100, 1_000, 10_000, 60_000), (100, 1_000, 10_000)
# Every size is measured in every round, because the ratios are compared.
ROUNDS = 7
# One thread with its descriptors, compared with the additional threads that start automatically.
ALONE = ", one thread"
# The timeout of probes that are not answered.
TIMEOUT = 1.0
# Memory per probe in flight: the difference between all in flight and this many in flight.
FEW_IN_FLIGHT = 100


def measure(_rounds: int, quick: bool) -> int:
    """Measures, prints and writes the results; returns the number of missed goals."""
    ours, floor = batch.program(), build.floor("epoll", static=True)
    build.floor("spawn", static=True)
    build.floor("responder", static=True)
    return network.isolated(lambda: measure_inside(ours, floor, quick))


def measure_inside(ours: Path | None, floor: Path, quick: bool) -> int:
    target = network.Target(build.OUT / "responder-static")
    spawner = Spawner(build.OUT / "spawn-static")
    counts = QUICK_COUNTS if quick else COUNTS
    cases = {f"C epoll {count}": many.floor_case(spawner, floor, [], count) for count in counts}
    if ours:
        cases |= {f"zbx-tcp {count}": many.batch_case(spawner, ours, many.RESET, count) for count in counts}
    up, silent = in_turn(cases, 1 if quick else ROUNDS), {}
    for count in counts if ours else ():
        silent[str(count)] = silent_case(spawner, ours, count)
        if count > network.DESCRIPTORS:
            silent[f"{count}{ALONE}"] = silent_case(spawner, ours, count, "--threads", "1")
    spawner.close()
    target.close()

    show(up, silent)
    wanted = wanted_of(up, silent, max(counts))
    missed = report.goals(wanted)
    report.save("growth", {"quick": quick, "in_flight": many.IN_FLIGHT, "up": up, "silent": silent}, wanted)
    draw(up)
    return missed


def in_turn(cases: dict[str, many.Case], rounds: int) -> dict[str, dict]:
    runs = [{name: case() for name, case in cases.items()} for _ in range(rounds)]
    by_size = sorted(cases, key=lambda name: int(name.split()[-1]))
    return {name: many.middle([run[name] for run in runs]) for name in by_size}


def silent_case(spawner: Spawner, program: Path, count: int, *threads: str) -> dict:
    """No target answers: all in flight at once if possible, then few in flight for the difference in memory."""
    of = batch.targets(count, network.SILENT_PORT)
    patience = ["--timeout", f"{TIMEOUT}s", "--close", "rst", "-o", "ndjson"]
    ran = batch.run(spawner, program, of, *patience, "--concurrency", str(count), *batch.PATIENT, *threads)
    more = count - FEW_IN_FLIGHT
    statuses = [line["status_name"] for line in ran.lines()]
    few = batch.run(spawner, program, of, *patience, "--concurrency", str(FEW_IN_FLIGHT), "--deadline", f"{TIMEOUT + 0.5}s")
    return {
        "wall_us": ran.cost.wall_us,
        "late_us": ran.cost.wall_us - TIMEOUT * 1e6,
        "cpu_us": ran.cost.cpu_us / count,
        "rss_kib": ran.cost.rss_kib,
        "bytes_in_flight": (ran.cost.rss_kib - few.cost.rss_kib) * 1024 / more if more > 0 else None,
        "connect_timeout": statuses.count("connect_timeout"),
        "others": sorted(set(statuses) - {"connect_timeout"}),
    }


def show(up: dict[str, dict], silent: dict[str, dict]) -> None:
    rows = [
        [
            name,
            r["cpu_us"],
            r["cpu_us"] / up["C epoll " + name.split()[-1]]["cpu_us"],
            round(r["per_second"]),
            round(r["probes"] * 1000 / r["per_second"]),
            round(r["rss_kib"]),
        ]
        for name, r in up.items()
    ]
    head = ["program, targets", "CPU us/probe", "x floor", "probes/s", "wall ms", "peak KiB"]
    report.table(f"Growth: all up, RST close, {many.IN_FLIGHT} in flight, JSON document", head, rows)
    rows = [
        [
            name,
            round(r["wall_us"] / 1000),
            round(r["late_us"] / 1000),
            r["cpu_us"],
            r["rss_kib"],
            r["bytes_in_flight"] and round(r["bytes_in_flight"]),
            f"{r['connect_timeout']} {' '.join(r['others'])}".strip(),
        ]
        for name, r in silent.items()
    ]
    head = [
        "targets",
        "wall ms",
        "wall - timeout ms",
        "CPU us/probe",
        "peak KiB",
        "user bytes/probe in flight",
        "connect_timeout",
    ]
    title = f"Growth: no target answers, timeout {TIMEOUT} s, as many in flight as targets, {network.DESCRIPTORS} descriptors"
    report.table(title, head, rows)


def wanted_of(up: dict[str, dict], silent: dict[str, dict], most: int) -> list[Goal]:
    first, last = up.get("zbx-tcp 1000"), up.get(f"zbx-tcp {most}")
    goals = [Goal(f"CPU a probe at {most} / at 1000", last["cpu_us"] / first["cpu_us"] if first and last else None, 1.15)]
    for name, result in silent.items():
        if not name.isdigit():
            continue
        count = int(name)
        goals.append(Goal(f"wall - timeout, {count} silent targets, ms", result["late_us"] / 1000, count * 0.035 + 30))
        goals.append(Goal(f"process with {count} silent targets, KiB", result["rss_kib"], 3 * 1024 + 0.4 * count))
    if ten := silent.get("10000"):
        goals.append(Goal("user bytes a probe in flight, 10000", ten["bytes_in_flight"], 256))
    return goals


def draw(up: dict[str, dict]) -> None:
    rows = [(name, result["cpu_us"], plot.colour(name)) for name, result in up.items()]
    plot.bars(build.OUT / "growth.svg", "CPU of one probe by the number of targets, user + system", "us", rows)
