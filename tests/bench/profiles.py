"""The cost by cause: system calls of a probe (strace), kernel and user time (perf), instructions by function (callgrind).

Not part of a run of everything: it builds zbx-tcp once more, with symbols.
"""

import re
import shutil
import subprocess
from pathlib import Path

import batch
import build
import counts
import many
import network
import report

COUNT, QUICK_COUNT = 10_000, 1_000
# callgrind is slow, and the result of a few hundred probes equals that of thousands.
UNDER_CALLGRIND = 1_000
ROWS = 20


def measure(_rounds: int, quick: bool) -> int:
    """Measures, prints and writes the results; this part has no goals."""
    ours, floor = build.with_symbols() if batch.program() else None, build.floor("epoll", static=True)
    build.floor("responder", static=True)
    return network.isolated(lambda: measure_inside(ours, floor, QUICK_COUNT if quick else COUNT))


def measure_inside(ours: Path | None, floor: Path, count: int) -> int:
    target = network.Target(build.OUT / "responder-static")
    place = f"{network.FIRST}+:{network.OPEN_PORT}"
    commands = {many.FLOOR: ([str(floor), "--in-flight", str(many.IN_FLIGHT), str(count), place], None)}
    if ours:
        words = [str(ours), "batch", "-", "--concurrency", str(many.IN_FLIGHT), *batch.UNDER_A_TOOL]
        of = batch.targets(count, network.OPEN_PORT)
        commands |= {"zbx-tcp batch": (words, of), "zbx-tcp batch --close rst": ([*words, *many.RESET], of)}
    calls = {name: calls_per_probe(words, of, count) for name, (words, of) in commands.items()}
    times = {name: time_by_function(words, of) for name, (words, of) in commands.items()}
    by_function = {}
    if ours:
        few = batch.targets(UNDER_CALLGRIND, network.OPEN_PORT)
        by_function = instructions_by_function([*commands["zbx-tcp batch --close rst"][0]], few, UNDER_CALLGRIND)
    target.close()

    show(calls, times, by_function)
    report.save("profile", {"targets": count, "calls": calls, "times": times, "instructions": by_function}, [])
    return 0


def calls_per_probe(words: list[str], reads: Path | None, count: int) -> dict[str, float]:
    """System calls of a probe; empty if strace is not installed."""
    file = build.OUT / "strace-output"
    if not shutil.which("strace"):
        return {}
    counts.run(["strace", "-f", "-c", "-U", "name,calls", "-o", str(file), *words], reads)
    rows = (line.split() for line in file.read_text(encoding="ascii").splitlines())
    called = {row[0]: int(row[1]) / count for row in rows if len(row) == 2 and row[1].isdigit() and row[0] != "total"}
    return {name: share for name, share in called.items() if share >= 0.01}


def time_by_function(words: list[str], reads: Path | None) -> dict[str, float]:
    """Per cent of the CPU time, by `kernel` and by our functions; empty if perf does not work."""
    data = build.OUT / "perf.data"
    if (
        not shutil.which("perf")
        or counts.run(["perf", "record", "-q", "-e", "cpu-clock", "-F", "9000", "-o", str(data), *words], reads).returncode
        > 1
    ):
        return {}
    words = ["perf", "report", "-i", str(data), "--stdio", "-g", "none", "--sort", "sym"]
    lines = subprocess.run(words, capture_output=True, text=True, check=False).stdout
    rows = re.findall(r"^ +([0-9.]+)% +\[(k|\.)\] (.+?) *$", lines, re.MULTILINE)
    shares = {"kernel": sum(float(share) for share, where, _ in rows if where == "k")}
    shares["user"] = sum(float(share) for share, where, _ in rows if where == ".")
    for kind in ("k", "."):
        top = [(name, float(share)) for share, where, name in rows if where == kind][: ROWS // 2]
        shares |= {f"{'kernel' if kind == 'k' else 'user'}: {name}": share for name, share in top}
    return {name: round(share, 2) for name, share in shares.items()}


def instructions_by_function(words: list[str], reads: Path, count: int) -> dict[str, int]:
    """User instructions of a probe by function, without its callees; empty without valgrind."""
    file = build.OUT / "callgrind.out"
    if not shutil.which("valgrind"):
        return {}
    counts.run(["valgrind", "--tool=callgrind", f"--callgrind-out-file={file}", *words], reads)
    said = counts.run(["callgrind_annotate", "--show-percs=no", str(file)]).stdout
    rows = re.findall(r"^ *([0-9,]+)  (?:\?\?\?|[^:]*):(.+?)(?: \[.*\])?$", said, re.MULTILINE)
    # The column header is on the line of the total.
    named = [("all of it" if name == "function" else short_name(name), number) for number, name in rows[:ROWS]]
    return {name: int(number.replace(",", "")) // count for name, number in named}


def short_name(name: str) -> str:
    """The name of a Rust symbol without its hash."""
    return re.sub(r"::h[0-9a-f]{16}", "", name)


def show(calls: dict[str, dict], times: dict[str, dict], by_function: dict[str, int]) -> None:
    names = sorted({call for of in calls.values() for call in of})
    report.table("System calls of a probe", ["call", *calls], [[n, *(of.get(n) for of in calls.values())] for n in names])
    for name, shares in times.items():
        report.table(f"Where the CPU time of `{name}` goes", ["", "per cent"], [list(row) for row in shares.items()])
    title = "User instructions of a probe by function: `zbx-tcp batch --close rst`, the start shared by all"
    report.table(title, ["function", "instructions"], [list(row) for row in by_function.items()])
