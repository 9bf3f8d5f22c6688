"""Accuracy of time.connect and the cost of a probe among thousands: our engine and the C epoll floor, alternating."""

import json
import subprocess
from pathlib import Path
from statistics import median

import build
import report
from report import Goal
from runner import ENVIRONMENT, Listener

# Several, so that neither accept queues nor the ports of one destination are exhausted.
ADDRESSES = [f"127.0.0.{number}" for number in range(1, 9)]
SINGLE, MANY = 500, (1_000, 10_000)
TURNS, QUICK_TURNS = 7, 2


def measure(_rounds: int, quick: bool) -> int:
    """Measures, prints and writes the results; returns the number of missed goals."""
    ours, floor = build.accuracy_program(), build.floor("epoll", static=True)
    program = build.floor("listener", static=True)
    listener, silent = Listener(program, ADDRESSES), Listener(program, ADDRESSES, "--silent")
    turns = QUICK_TURNS if quick else TURNS
    runs: dict[str, list[dict]] = {}
    for _ in range(turns):
        collect(runs, "single", ours, ["single", SINGLE], listener)
        for count in MANY:
            collect(runs, f"floor {count}", floor, [count], listener)
            collect(runs, f"many {count}", ours, ["many", count], listener)
            collect(runs, f"json {count}", ours, ["json", count], listener)
    for count in MANY:
        collect(runs, f"silent {count}", ours, ["silent", count], silent)
    for peer in (listener, silent):
        peer.close()

    results = {name: middle(of) for name, of in runs.items()}
    check(results)
    show(results, turns)
    wanted = wanted_of(results)
    missed = report.goals(wanted)
    report.save("accuracy", {"turns": turns, "quick": quick, "cases": results}, wanted)
    return missed


def collect(runs: dict[str, list[dict]], name: str, program: Path, words: list[object], peer: Listener) -> None:
    command = [str(program), *map(str, words), *peer.targets]
    ran = subprocess.run(command, env=ENVIRONMENT, capture_output=True, text=True, check=False, timeout=120)
    if ran.returncode != 0:
        raise SystemExit(f"tests/bench: {' '.join(command[:4])}: status {ran.returncode}, {ran.stderr!r}")
    runs.setdefault(name, []).append(json.loads(ran.stdout))


def middle(runs: list[dict]) -> dict:
    """The median of each value over the rounds."""
    first = runs[0]
    return {
        key: middle([run[key] for run in runs]) if isinstance(value, dict) else numbers_middle([r[key] for r in runs])
        for key, value in first.items()
    }


def numbers_middle(values: list[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return median(known) if known else None


def check(results: dict[str, dict]) -> None:
    """Fails if probes did not find all targets up; the cost of such a run would be meaningless."""
    for name, result in results.items():
        wanted = result["probes"] if name.startswith("silent") else 0
        if result["down"] != wanted:
            raise SystemExit(f"tests/bench: {name}: {result['down']} of {result['probes']} are down, not {wanted}")


def show(results: dict[str, dict], turns: int) -> None:
    head = ["case", "time.connect p50", "p99", "max", "- tcp.rtt p50", "p99", "max", "CPU us/probe", "x floor", "probes/s"]
    rows = []
    for name, result in results.items():
        if name.startswith("silent"):
            continue
        floor = results.get("floor " + name.split()[-1])
        spreads = [result[kind][at] for kind in ("connect_us", "excess_us") for at in ("p50", "p99", "max")]
        cpu = result["cpu_us"]
        rows.append([name, *map(round, spreads), cpu, cpu / floor["cpu_us"] if floor else None, round(result["per_second"])])
    report.table(f"time.connect and the kernel's tcp.rtt on loopback, us; medians of {turns} turns", head, rows)
    rows = [
        [name, round(of["bytes_each"]), round(of["process_kib"]), round(of["wall_us"] / 1000)]
        for name, of in results.items()
        if name.startswith("silent")
    ]
    report.table("No target answers: all in flight until the deadline of 2 s", ["case", "user bytes/probe", "KiB", "ms"], rows)


def wanted_of(results: dict[str, dict]) -> list[Goal]:
    single, (few, most) = results["single"], MANY
    goals = [Goal("time.connect - tcp.rtt p50, one at a time, us", single["excess_us"]["p50"], 50)]
    goals.append(Goal(f"time.connect - tcp.rtt p50, {most} targets, us", results[f"many {most}"]["excess_us"]["p50"], 100))
    goals.append(Goal("tcp.rtt p99, one at a time, us", single["rtt_us"]["p99"], 60))
    for count in MANY:
        floor, ours = results[f"floor {count}"], results[f"json {count}"]
        goals.append(Goal(f"CPU a probe with its JSON / C epoll, {count} targets", ours["cpu_us"] / floor["cpu_us"], 1.10))
        speed = ours["per_second"] / floor["per_second"]
        goals.append(Goal(f"probes a second with JSON / C epoll, {count} targets", speed, 0.90, at_least=True))
    goals.append(Goal(f"user bytes a probe in flight, {most}", results[f"silent {most}"]["bytes_each"], 256))
    size = results[f"silent {most}"]["process_kib"]
    goals.append(Goal(f"process with {most} in flight, KiB", size, 3 * 1024 + 0.4 * most))
    late = results[f"silent {most}"]["wall_us"] / 1000 - 2000
    return [*goals, Goal(f"later than the deadline, {most} silent targets, ms", late, most * 0.035 + 30)]
