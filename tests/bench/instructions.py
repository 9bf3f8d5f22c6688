"""The record of how many instructions a start costs: it does not depend on the machine's mood."""

import json
import platform
from pathlib import Path

import build
import counts
from runner import Listener, machine

RECORD = Path(__file__).resolve().parent / "instructions.json"
TOLERANCE = 0.05


def count_all() -> dict[str, int | None]:
    """Instructions of each recorded case, of the static build."""
    program = build.released("glibc")
    listener = Listener(build.floor("listener", static=True), ["127.0.0.1"])
    address, port = listener.targets[0].split(":")
    check = [str(program), "check", address, port]
    cases = {
        "check": check,
        "check -o json": [*check, "-o", "json"],
        "check --close rst": [*check, "--close", "rst"],
        # Nothing listens on port 1 (tcpmux) of an address that only this test uses.
        "check, refused": [str(program), "check", "127.254.254.1", "1"],
    }
    counted = {name: counts.instructions(words, rounds=5) for name, words in cases.items()}
    listener.close()
    return counted


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
        within = abs(change) <= TOLERANCE
        off += not within
        print(f"{name:20} {before:9} -> {now:9}  {change:+.1%}{'' if within else '  beyond the tolerance'}")
    if off:
        print("better or accepted: record it with `tests/bench/run --record-instructions`, and say why in the commit")
    return 1 if off else 0


def toolchain() -> dict[str, str]:
    """What else the count depends on."""
    here = machine()
    return {"rustc": str(here["rustc"]), "libc": str(here["libc"]), "machine": platform.machine()}
