"""Results of `many`: the table, the goals, the plot."""

import build
import plot
import report
from report import Goal

FLOOR = "C epoll"


def show(results: dict[str, dict], count: int, rounds: int, in_flight: int) -> None:
    head = ["program", "CPU us/probe", "x floor", "probes/s", "peak KiB", "probes"]
    rows = [
        [name, r["cpu_us"], r["ratio"], round(r["per_second"]), r["rss_kib"] and round(r["rss_kib"]), r["probes"]]
        for name, r in results.items()
    ]
    title = f"Many targets: {count} up, {in_flight} in flight; medians of {rounds} interleaved rounds, peers once"
    report.table(title, head, rows)


def wanted_of(results: dict[str, dict]) -> list[Goal]:
    """The goals of this part; None is a value that was not measured."""

    def cpu(ours: str, other: str) -> float | None:
        return results[ours]["cpu_us"] / results[other]["cpu_us"] if {ours, other} <= results.keys() else None

    def speed(ours: str, other: str) -> float | None:
        return results[ours]["per_second"] / results[other]["per_second"] if {ours, other} <= results.keys() else None

    reset, two, processes = "zbx-tcp batch --close rst", "zbx-tcp batch --close rst --threads 2", "check_tcp, a process each"
    return [
        Goal("CPU a probe, --close rst and its JSON / C epoll with RST (reuse allowed)", cpu(reset, FLOOR), 0.80),
        Goal("CPU a probe, default close and its JSON / C epoll with FIN", cpu("zbx-tcp batch", "C epoll, FIN"), 1.10),
        Goal("probes a second, --close rst / C epoll", speed(reset, FLOOR), 0.90, at_least=True),
        Goal(
            "probes a second, default close / C epoll with FIN", speed("zbx-tcp batch", "C epoll, FIN"), 0.90, at_least=True
        ),
        Goal("probes a second of two threads / one", speed(two, reset), 1.6, at_least=True),
        Goal("a batch / as many check_tcp processes, CPU", cpu(reset, processes), 1 / 80),
    ]


def draw(results: dict[str, dict]) -> None:
    rows = [
        (name, result["cpu_us"], plot.colour(name))
        for name, result in results.items()
        if result["cpu_us"] < 1000  # Rows of processes would compress the others.
    ]
    plot.bars(build.OUT / "many.svg", "CPU of one probe among many, user + system", "us", rows)
