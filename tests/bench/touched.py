"""Which code a run touches, by callgrind: it does not depend on the load."""

import shutil
import tempfile
from pathlib import Path

import counts

# What the kernel maps around the page of a file that is touched (mm/memory.c, fault_around_bytes).
WINDOW = 64 * 1024
# Programs that are not relocated begin here (GNU ld) or at half of it (lld).
FIRST = 0x400000


def code(program: Path, words: list[str]) -> set[int]:
    """The addresses of the instructions that a run of a program at a fixed address executed."""
    with tempfile.NamedTemporaryFile("r", prefix="zbx-tcp-bench-") as file:
        tool = ["valgrind", "--tool=callgrind", "--dump-instr=yes", "--compress-pos=no", f"--callgrind-out-file={file.name}"]
        counts.run([*tool, str(program), *words])
        addresses = {int(line.split(" ", 1)[0], 16) for line in file if line.startswith("0x")}
    # The rest is valgrind's own.
    return {address for address in addresses if address < FIRST + program.stat().st_size}


def kib_mapped(program: Path, words: list[str]) -> int | None:
    """How much of a program's code a run maps, as the kernel does it; `None` without valgrind."""
    if not shutil.which("valgrind"):
        return None
    return len({address // WINDOW for address in code(program, words)}) * WINDOW // 1024
