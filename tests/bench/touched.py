"""Which code a run executes, by callgrind: independent of the load."""

import shutil
import tempfile
from pathlib import Path

import counts

# The kernel maps this much around each page of a file that is touched (mm/memory.c, fault_around_bytes).
WINDOW = 64 * 1024
# Programs without relocation start here (GNU ld) or at half of it (lld).
FIRST = 0x400000


def code(program: Path, words: list[str]) -> set[int]:
    """The addresses of the instructions that a run executes; the program must be linked at a fixed address."""
    with tempfile.NamedTemporaryFile("r", prefix="zbx-tcp-bench-") as file:
        tool = ["valgrind", "--tool=callgrind", "--dump-instr=yes", "--compress-pos=no", f"--callgrind-out-file={file.name}"]
        counts.run([*tool, str(program), *words])
        addresses = {int(line.split(" ", 1)[0], 16) for line in file if line.startswith("0x")}
    # The others are those of valgrind.
    return {address for address in addresses if address < FIRST + program.stat().st_size}


def kib_mapped(program: Path, words: list[str]) -> int | None:
    """How much code the kernel maps for a run, in KiB; `None` without valgrind."""
    if not shutil.which("valgrind"):
        return None
    return len({address // WINDOW for address in code(program, words)}) * WINDOW // 1024
