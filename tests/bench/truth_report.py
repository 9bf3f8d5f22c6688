"""Results of `truth`: the table and the goals."""

import report
from report import Goal

IN_FLIGHT = (1_000, 10_000)
BUSY_LOOPS = 4


def show(results: dict[str, dict], exact: dict | None) -> None:
    def cells(of: dict | None) -> list[object]:
        return [of and of[at] for at in ("p50", "p99", "max")]

    rows = [
        [name, r["compared"], r["true_us"] and r["true_us"]["p50"], *cells(r["rtt_error_us"]), *cells(r["connect_error_us"])]
        for name, r in results.items()
    ]
    head = ["case", "compared", "true p50", "tcp.rtt error p50", "p99", "max", "time.connect error p50", "p99", "max"]
    report.table("Accuracy: published minus captured, SYN to SYN-ACK, us", head, rows)
    if exact:
        print(f"\nSYN retransmissions counted exactly: {exact['exact']} of {exact['probes']}")


def wanted_of(results: dict[str, dict], exact: dict | None) -> list[Goal]:
    def error(case: str, kind: str, at: str) -> float | None:
        found = results.get(case, {}).get(kind)
        return found[at] if found else None

    goals = [
        Goal("tcp.rtt error p99, one at a time, us", error("zbx-tcp check, one at a time", "rtt_error_us", "p99"), 60),
        Goal(
            "time.connect error p50, one at a time, us", error("zbx-tcp check, one at a time", "connect_error_us", "p50"), 50
        ),
    ]
    for in_flight in IN_FLIGHT:
        case = f"zbx-tcp batch, {in_flight} in flight"
        goals.append(Goal(f"tcp.rtt error p99, {in_flight} in flight, us", error(case, "rtt_error_us", "p99"), 20))
    goals.append(Goal("time.connect error p50, 10000 in flight, us", error(case, "connect_error_us", "p50"), 100))
    case = f"zbx-tcp batch, 1000 in flight, {BUSY_LOOPS} busy loops"
    goals.append(Goal("tcp.rtt error p99, 1000 in flight under load, us", error(case, "rtt_error_us", "p99"), 20))
    wrong = exact["probes"] - exact["exact"] if exact else None
    return [*goals, Goal("SYN retransmissions miscounted of 2000", wrong, 0)]
