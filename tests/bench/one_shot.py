"""The cost of one check, as Zabbix starts it, compared with the C floor and with other programs."""

import random
from dataclasses import asdict
from statistics import median

import build
import cases
import counts
import plot
import report
from report import Goal
from runner import Cost, Listener, Spawner


def measure(rounds: int, quick: bool) -> int:
    """Measures, prints and writes the results; returns the number of missed goals."""
    listener = Listener(build.floor("listener", static=True), ["127.0.0.1"])
    address, port = listener.targets[0].split(":")
    known = cases.all_cases(address, port)
    for case in known:
        case.verify()
    costs = run_rounds(known, rounds)
    counted = {case.name: counts.count(case.command()) for case in known if not case.shell}
    listener.close()

    results = {case.name: summary(costs[case.name], costs[cases.FLOOR], counted.get(case.name)) for case in known}
    show(results, rounds)
    wanted = wanted_of(results)
    missed = report.goals(wanted)
    report.save("one-shot", {"rounds": rounds, "quick": quick, "cases": results}, wanted)
    draw(results)
    return missed


def run_rounds(known: list[cases.Case], rounds: int) -> dict[str, list[Cost]]:
    """Runs every case once per round, in a new order each round, so that no case always follows the same one."""
    order, dice = list(known), random.Random(1)
    spawner = Spawner(build.floor("spawn", static=True))
    costs: dict[str, list[Cost]] = {case.name: [] for case in known}
    for number in range(rounds):
        dice.shuffle(order)
        for case in order:
            costs[case.name].append(spawner.run(case.command(number)))
    spawner.close()
    return costs


def summary(costs: list[Cost], floor: list[Cost], counted: counts.Counts | None) -> dict[str, object]:
    """The medians of a case. The ratio is that of medians, which a slow round does not change."""
    cpu = median(cost.cpu_us for cost in costs)
    quarter = sorted(cost.cpu_us for cost in costs)
    return {
        "cpu_us": cpu,
        "cpu_quartiles_us": [quarter[len(quarter) // 4], quarter[len(quarter) * 3 // 4]],
        "ratio": cpu / median(cost.cpu_us for cost in floor),
        "wall_us": median(cost.wall_us for cost in costs),
        "rss_kib": median(cost.rss_kib for cost in costs),
        "faults": median(cost.faults for cost in costs),
        **(asdict(counted) if counted else {}),
    }


def show(results: dict[str, dict], rounds: int) -> None:
    head = ["program", "CPU us", "x floor", "quartiles", "wall us", "via sh -c", "RSS KiB", "faults", "syscalls", "files",
            "threads", "instructions"]  # fmt: skip
    rows = []
    for name, result in results.items():
        if name.startswith("sh -c "):
            continue
        files = result["files"]
        shell = results.get(f"sh -c {name}")
        rows.append([
            name, round(result["cpu_us"]), result["ratio"], "{}-{}".format(*result["cpu_quartiles_us"]),
            round(result["wall_us"]), shell and round(shell["cpu_us"]), round(result["rss_kib"]), round(result["faults"]),
            result["syscalls"], None if files is None else len(files), result["threads"], result["instructions"],
        ])  # fmt: skip
    report.table(f"One check, {rounds} rounds, medians; 1.00 is `{cases.FLOOR}`", head, rows)
    print("\nThe wall time of `zbx-tcp` without `--close rst` includes waiting for the peer's FIN, 100 ms at most.")


def wanted_of(results: dict[str, dict]) -> list[Goal]:
    """The goals of the released build: musl if its target is installed."""
    linking, limit = ("musl", 0.80) if "zbx-tcp musl" in results else ("static", 1.35)
    ours = results[f"zbx-tcp {linking}"]
    peer, peer_shell = results.get("check_tcp"), results.get("sh -c check_tcp")
    up, json = results[f"zbx-tcp {linking}, -o up"], results[f"zbx-tcp {linking}, -o json"]

    def to_peer(mine: dict, theirs: dict | None) -> float | None:
        return mine["cpu_us"] / theirs["cpu_us"] if theirs else None

    files = ours["files"]
    return [
        Goal(f"{linking}: CPU / {cases.FLOOR}", ours["ratio"], limit),
        Goal("CPU / check_tcp, direct", to_peer(ours, peer), 0.35),
        Goal("CPU / check_tcp, through sh -c", to_peer(results[f"sh -c zbx-tcp {linking}"], peer_shell), 0.5),
        Goal("system calls", ours["syscalls"], 60),
        Goal("page faults", ours["faults"], 70),
        Goal("RSS, KiB", ours["rss_kib"], 2560),
        Goal("user instructions", ours["instructions"], 300_000),
        Goal("files opened" + (f": {', '.join(files)}" if files else ""), None if files is None else len(files), 0),
        Goal("threads", ours["threads"], 0),
        Goal("CPU of -o json / -o up", json["cpu_us"] / up["cpu_us"], 1.05),
    ]


def draw(results: dict[str, dict]) -> None:
    rows = [
        (name, result["cpu_us"], plot.colour(name))
        for name, result in results.items()
        if not name.startswith("sh -c ") and name != "python3"  # It would compress the others.
    ]
    plot.bars(build.OUT / "one-shot.svg", "CPU of one check, user + system", "us", rows)
