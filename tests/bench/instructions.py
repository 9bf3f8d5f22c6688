"""The record of how many instructions a start and a probe cost: it does not depend on the machine's mood."""

import json
import platform
from pathlib import Path

import batch
import build
import cases
import counts
import touched
from runner import Listener, machine

RECORD = Path(__file__).resolve().parent / "instructions.json"
TOLERANCE = 0.05
MAPPED = "check, KiB of code mapped"
# In windows of 64 KiB, and compilers lay out code differently.
MAPPED_TOLERANCE = 0.3
# What one more target costs is the difference of two batches.
FEW, MORE = 200, 1_200
PER_TARGET = {
    "batch, per target": ["-o", "json"],
    "batch --close rst, per target": ["-o", "json", "--close", "rst"],
    "batch --close rst -o ndjson, per target": ["-o", "ndjson", "--close", "rst"],
    "batch --close rst -o sender, per target": ["-o", "sender", "--close", "rst"],
    "batch --close rst -o text, per target": ["-o", "text", "--close", "rst"],
}


def count_all() -> dict[str, int | None]:
    """Instructions of each recorded case, of the static build, and how much of its code a start maps."""
    program = build.released("glibc")
    listener = Listener(build.floor("listener", static=True), ["127.0.0.1"])
    address, port = listener.targets[0].split(":")
    known = cases.starts(address, port)
    counted = {name: counts.instructions([str(program), *words], rounds=5) for name, words in known.items()}
    counted[MAPPED] = touched.kib_mapped(program, known["check"])
    listener.close()
    return counted | per_target()


def per_target() -> dict[str, int | None]:
    """What one more target costs a batch, from its line on standard input to its record; each has its own address."""
    program = batch.program()
    if program is None:
        return {}
    # One listener answers for all of 127.0.0.0/8.
    listener = Listener(build.floor("listener", static=True), ["0.0.0.0"])
    port = int(listener.targets[0].split(":")[1])
    few, more = (batch.targets(count, port, "127.1.0.1") for count in (FEW, MORE))
    counted = {name: difference(program, options, few, more) for name, options in PER_TARGET.items()}
    listener.close()
    few.unlink()
    more.unlink()
    return counted


def difference(program: Path, options: list[str], few: Path, more: Path) -> int | None:
    words = [str(program), "batch", "-", "--concurrency", "100", *batch.UNDER_A_TOOL, *options]
    least, most = (counts.instructions(words, reads=of) for of in (few, more))
    return None if least is None or most is None else round((most - least) / (MORE - FEW))


def record() -> int:
    """Writes the record."""
    counted = count_all()
    if None in counted.values():
        print("valgrind is not installed: nothing was counted")
        return 2
    RECORD.write_text(json.dumps({"counted_with": toolchain(), "cases": counted}, indent=1) + "\n", encoding="utf-8")
    print(RECORD.read_text(encoding="utf-8"), end="")
    return 0


def check() -> int:
    """0: within the tolerance; 1: not; 2: could not be counted."""
    recorded = json.loads(RECORD.read_text(encoding="utf-8"))
    if recorded["counted_with"] != toolchain():
        print(f"note: recorded with {recorded['counted_with']}, here {toolchain()}")
    off = 0
    counted = count_all()
    for name, before in recorded["cases"].items():
        now = counted.get(name)
        if now is None:
            print("valgrind is not installed: nothing was counted")
            return 2
        change = now / before - 1
        within = abs(change) <= (MAPPED_TOLERANCE if name == MAPPED else TOLERANCE)
        off += not within
        print(f"{name:40} {before:9} -> {now:9}  {change:+.1%}{'' if within else '  beyond the tolerance'}")
    if off:
        print("better or accepted: record it with `tests/bench/run --record-instructions`, and say why in the commit")
    return 1 if off else 0


def toolchain() -> dict[str, str]:
    """What else the count depends on."""
    here = machine()
    return {"rustc": str(here["rustc"]), "libc": str(here["libc"]), "machine": platform.machine()}
