"""Many targets in one process: the cost of a probe compared with the C floor and the peers. The probed end of the connections
uses almost no CPU time."""

from collections.abc import Callable
from pathlib import Path
from statistics import median

import batch
import build
import daemons
import many_report
import network
import peers
import report
from many_report import FLOOR
from runner import Spawner

COUNT, QUICK_COUNT = 10_000, 2_000
IN_FLIGHT = 1_000
ROUNDS, QUICK_ROUNDS = 7, 1
# Fewer probes for processes and daemons, which cost much more.
PEER_COUNT, QUICK_PEER_COUNT = 400, 50
DAEMON_COUNT, QUICK_DAEMON_COUNT = 2_000, 200
AT_ONCE = 100
FLOORS = {
    FLOOR: [],
    "C epoll, JSON printed": ["--json"],
    "C epoll, FIN": ["--fin"],
    "C epoll, connect(AF_UNSPEC)": ["--reuse"],
    "C epoll, 2 threads": ["--threads", "2"],
    "C epoll, connect(AF_UNSPEC), 2 threads": ["--reuse", "--threads", "2"],
}
RESET = ["--close", "rst"]
OURS = {
    "zbx-tcp batch": [],
    "zbx-tcp batch --close rst": RESET,
    "zbx-tcp batch --close rst -o ndjson": [*RESET, "-o", "ndjson"],
    "zbx-tcp batch --close rst -o sender": [*RESET, "-o", "sender"],
    "zbx-tcp batch --close rst -o text": [*RESET, "-o", "text"],
    "zbx-tcp batch --close rst --threads 2": [*RESET, "--threads", "2"],
}
# The library alone (accuracy.rs), without arguments and document.
ENGINE = {"zbx-tcp engine alone, RST": "many", "zbx-tcp engine and JSON records, RST": "json"}

Case = Callable[[], dict]


def measure(_rounds: int, quick: bool) -> int:
    """Measures, prints and writes the results; returns the number of missed goals."""
    ours, floor, engine = batch.program(), build.floor("epoll", static=True), build.accuracy_program()
    build.floor("spawn", static=True)
    build.floor("responder", static=True)
    return network.isolated(lambda: measure_inside(ours, floor, engine, quick))


def measure_inside(ours: Path | None, floor: Path, engine: Path, quick: bool) -> int:
    target = network.Target(build.OUT / "responder-static")
    spawner = Spawner(build.OUT / "spawn-static")
    count = QUICK_COUNT if quick else COUNT
    rounds = QUICK_ROUNDS if quick else ROUNDS
    cases = {name: floor_case(spawner, floor, words, count) for name, words in FLOORS.items()}
    cases |= {name: engine_case(spawner, engine, mode, count) for name, mode in ENGINE.items()}
    if ours:
        cases |= {name: batch_case(spawner, ours, words, count) for name, words in OURS.items()}
    runs: dict[str, list[dict]] = {name: [] for name in cases}
    for _ in range(rounds):
        for name, case in cases.items():
            runs[name].append(case())
    results = {name: middle(of) for name, of in runs.items()}
    results |= of_peers(spawner, quick)
    spawner.close()
    target.close()

    for result in results.values():
        result["ratio"] = result["cpu_us"] / results[FLOOR]["cpu_us"]
    many_report.show(results, count, rounds, IN_FLIGHT)
    wanted = many_report.wanted_of(results)
    missed = report.goals(wanted)
    report.save(
        "many", {"targets": count, "in_flight": IN_FLIGHT, "rounds": rounds, "quick": quick, "cases": results}, wanted
    )
    many_report.draw(results)
    return missed


def floor_case(spawner: Spawner, program: Path, words: list[str], count: int) -> Case:
    command = [str(program), "--in-flight", str(IN_FLIGHT), *words, str(count), f"{network.FIRST}+:{network.OPEN_PORT}"]
    output = build.OUT / "floor-output"

    def run() -> dict:
        cost = spawner.run(command, writes=output)
        said = report.last_json(output)
        found_all(command, count, said["down"])
        return per_probe(cost.cpu_us, cost.wall_us, cost.rss_kib, count)

    return run


def engine_case(spawner: Spawner, program: Path, mode: str, count: int) -> Case:
    places = [f"{address}:{network.OPEN_PORT}" for address in network.addresses(32)]
    output = build.OUT / "engine-output"

    def run() -> dict:
        cost = spawner.run([str(program), mode, str(count), *places], writes=output)
        found_all(["accuracy", mode], count, report.last_json(output)["down"])
        return per_probe(cost.cpu_us, cost.wall_us, cost.rss_kib, count)

    return run


def batch_case(spawner: Spawner, program: Path, words: list[str], count: int) -> Case:
    of = batch.targets(count, network.OPEN_PORT)
    options = ["--concurrency", str(IN_FLIGHT), *batch.PATIENT, *words]

    def run() -> dict:
        ran = batch.run(spawner, program, of, *options)
        found_all(["batch", *options], count, 0 if ran.cost.status == 0 else count)
        return per_probe(ran.cost.cpu_us, ran.cost.wall_us, ran.cost.rss_kib, count)

    return run


def found_all(words: list[str], count: int, down: int) -> None:
    """Fails if probes did not find all targets up; the cost of such a run would be meaningless."""
    if down:
        raise SystemExit(f"tests/bench: `{' '.join(words)}`: {down} of {count} are down")


def per_probe(cpu_us: float, wall_us: float, rss_kib: int | None, count: int) -> dict:
    return {"cpu_us": cpu_us / count, "per_second": count * 1e6 / wall_us, "rss_kib": rss_kib, "probes": count}


def middle(runs: list[dict]) -> dict:
    return {key: median(run[key] for run in runs) for key in runs[0]} | {"cpu_us_all": [run["cpu_us"] for run in runs]}


def of_peers(spawner: Spawner, quick: bool) -> dict[str, dict]:
    scratch = daemons.scratch()
    results = peers.in_one_process(spawner, QUICK_COUNT if quick else COUNT, scratch)
    results |= peers.each_a_process(spawner, QUICK_PEER_COUNT if quick else PEER_COUNT)
    return results | peers.asked(QUICK_DAEMON_COUNT if quick else DAEMON_COUNT, AT_ONCE, scratch)
