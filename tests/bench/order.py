"""Which code a check runs: read from callgrind, written as packaging/start.ld, which puts it side by side."""

import re
import subprocess
from bisect import bisect_right
from collections.abc import Iterable
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import build
import cases
import touched
from runner import ENVIRONMENT, Listener

SCRIPT = build.REPOSITORY / "packaging" / "start.ld"
GREETING = "SSH-2.0-bench\\r\\n"

HEAD = """\
/*
 * Puts the code that a check runs side by side, and the tables that it does not read out of its way. The kernel maps
 * 64 KiB around each page that is touched, so what lies scattered costs a start page faults and memory.
 *
 * Names are without what differs from build to build. One that is no longer met changes nothing, and what is not named
 * stays where it was. Written by `tests/bench/run --record-order`.
 */
SECTIONS
{
    .text.start :
    {
"""
TAIL = """\
    }
}
INSERT AFTER .text;

SECTIONS
{
    .rodata.tables :
    {
%s
    }
}
INSERT AFTER .eh_frame;
"""
# What callgrind does not see: glibc chooses its string functions by the processor, which under valgrind is another one, and
# reads the kernel's vDSO, which valgrind hides.
UNSEEN = [
    "*libc.a:*(.text.avx .text.avx512 .text.evex .text.evex512)",
    "*libc.a:dl-lookup.o(.text)",
    "*libc.a:dl-object.o(.text)",
    "*libc.a:dl-setup_hash.o(.text)",
]
# Only encodings, patterns, files, name servers and stack traces read these.
TABLES = [
    *(f"*(.rodata.*{crate}*)" for crate in ("encoding_rs", "gimli", "regex_", "serde_json", "simple_dns", "toml", "zmij")),
    "*libc.a:C-ctype.o(.rodata)",
    "*libc.a:fpioconst.o(.rodata)",
]


@dataclass(frozen=True, order=True)
class Section:
    """A piece of code as the linker got it: mostly one function."""

    start: int
    size: int
    file: str
    name: str

    def pattern(self) -> str:
        """What matches it in any build: no hash of a crate or an instance, no directory."""
        name = re.sub(r"17h[0-9a-f]{16}E", "17h*E", self.name)
        name = re.sub(r"Cs[0-9A-Za-z]+_", "Cs*_", name)
        name = re.sub(r"B[0-9A-Za-z]*_", "B*_", name)
        name = re.sub(r"\.(llvm\.)?\d+$", "*", name)
        if name.startswith(".text._") or name.startswith(".text.unlikely._") or name == ".text.main":
            return f"*({name})"
        archive = re.search(r"([^/]*\.a)\(([^()]+)\)$", self.file)
        return f"*{archive[1]}:{archive[2]}({name})" if archive else f"*/{Path(self.file).name}({name})"


def record() -> int:
    """Writes packaging/start.ld anew."""
    program, sections = build_with_map()
    with every_check() as words:
        every = named(sections, (touched.code(program, case) for case in words))
    with some_checks(program) as words:
        some = named(sections, (touched.code(program, case) for case in words)) - every
    code = ["/* Only services, dialogues and names. */", *sorted(some), "/* Every check. */", *sorted(every), *UNSEEN]
    SCRIPT.write_text(HEAD + listed(code) + TAIL % listed(TABLES).rstrip("\n"), encoding="ascii")
    print(f"{SCRIPT}: {len(every)} pieces of code that every check runs, {len(some)} that some run")
    return 0


def listed(lines: list[str]) -> str:
    return "".join(f"        {line}\n" for line in lines)


def build_with_map() -> tuple[Path, list[Section]]:
    """The released build without an order, and where the linker (lld) put what."""
    table = build.OUT / "link.map"
    program = build.cargo_build(build.OUT / "order", build.host(), f"{build.STATIC} -C link-arg=-Wl,-Map={table}")
    line = re.compile(r"\s*([0-9a-f]+)\s+[0-9a-f]+\s+([0-9a-f]+)\s+\d+\s+(\S+):\((\.text[^)]*)\)$")
    found = map(line.match, table.read_text(encoding="utf-8").splitlines())
    sections = sorted(Section(int(m[1], 16), int(m[2], 16), m[3], m[4]) for m in found if m)
    if not sections:
        raise SystemExit(f"tests/bench: {table} is not a map of lld: record the order where rustc links with lld")
    return program, sections


def named(sections: list[Section], runs: Iterable[set[int]]) -> set[str]:
    """The pieces of code that any of these runs went through."""
    starts = [section.start for section in sections]
    found = set()
    for address in set().union(*runs):
        section = sections[bisect_right(starts, address) - 1]
        if address < section.start + section.size:
            found.add(section.pattern())
    return found


@contextmanager
def every_check():
    """The words of checks of an address."""
    listener = Listener(build.floor("listener", static=True), ["127.0.0.1"])
    host, port = listener.targets[0].split(":")
    yield list(cases.starts(host, port).values())
    listener.close()


@contextmanager
def some_checks(program: Path):
    """The words of checks that resolve a name or talk."""
    words = [program, "serve", "127.0.0.1:0", "--greeting", GREETING]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True, env=ENVIRONMENT) as server:
        port = server.stdout.readline().split()[-1].rsplit(":", 1)[1]
        yield [
            ["check", "127.0.0.1", port, "-s", "ssh", "-o", "json"],
            ["check", "localhost", port, "--send", "x", "--expect", "bench"],
            ["check", "127.0.0.1", port, "--expect", "never", "--timeout", "1"],
        ]
        server.terminate()
