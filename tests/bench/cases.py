"""The measured commands: floors, ours, peers."""

import shlex
import shutil
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

import build
from runner import ENVIRONMENT

# The position of a file in the page cache changes a start by up to 150 us, so every program is measured in several copies.
COPIES = 4
FLOOR = "C static glibc, poll"
PYTHON = "import socket,sys; socket.create_connection((sys.argv[1], int(sys.argv[2])), 2.5); print(1)"


@dataclass
class Case:
    """A program and its arguments; `prints` is the expected start of its output, if known."""

    name: str
    program: Path
    words: list[str]
    prints: str | None = None
    shell: bool = False
    copies: list[Path] = field(default_factory=list)

    def command(self, round_number: int = 0) -> list[str]:
        program = self.copies[round_number % len(self.copies)] if self.copies else self.program
        words = [str(program), *self.words]
        return ["/bin/sh", "-c", shlex.join(words)] if self.shell else words

    def verify(self) -> None:
        """Fails if the command does not work; its cost would be meaningless."""
        ran = subprocess.run(self.command(), env=ENVIRONMENT, capture_output=True, text=True, timeout=10, check=False)
        if ran.returncode != 0 or (self.prints is not None and not ran.stdout.startswith(self.prints)):
            raise SystemExit(f"tests/bench: {self.name}: status {ran.returncode}, {ran.stdout!r}, {ran.stderr!r}")


def all_cases(address: str, port: str) -> list[Case]:
    """Every case that this machine can run, with copies; missing programs are reported."""
    direct = floors(address, port) + ours(address, port) + peers(address, port)
    copied = {case.program: copies_of(case) for case in direct}
    for case in direct:
        case.copies = copied[case.program]
    shells = [Case(f"sh -c {c.name}", c.program, c.words, c.prints, True, c.copies) for c in direct if has_shell(c)]
    return direct + shells


def floors(address: str, port: str) -> list[Case]:
    static, dynamic = build.floor("connect", static=True), build.floor("connect", static=False)
    musl = []
    if shutil.which("musl-gcc"):
        program = build.floor("connect", static=True, compiler="musl-gcc")
        musl = [Case("C static musl, poll", program, ["poll", address, port], "1")]
    return musl + [
        Case("true (C, static)", static, ["true"], ""),
        Case(FLOOR, static, ["poll", address, port], "1"),
        Case("C static glibc, blocking", static, ["blocking", address, port], "1"),
        Case("C dynamic, poll", dynamic, ["poll", address, port], "1"),
    ]


def ours(address: str, port: str) -> list[Case]:
    cases = []
    for linking, program in build.programs().items():
        name = f"zbx-tcp {linking}"
        check = ["check", address, port]
        cases.append(Case(name, program, check, "1"))
        cases.append(Case(f"{name}, --close rst", program, [*check, "--close", "rst"], "1"))
        cases.append(Case(f"{name}, -o up", program, [*check, "-o", "up"], "1"))
        cases.append(Case(f"{name}, -o json", program, [*check, "-o", "json"], '{"schema":1,'))
    return cases


def starts(address: str, port: str) -> dict[str, list[str]]:
    """The checks of an address whose instructions are recorded."""
    check = ["check", address, port]
    return {
        "check": check,
        "check -o json": [*check, "-o", "json"],
        "check --close rst": [*check, "--close", "rst"],
        # Nothing listens on port 1 (tcpmux) of an address that only this test uses.
        "check, refused": ["check", "127.254.254.1", "1"],
    }


def peers(address: str, port: str) -> list[Case]:
    wanted = [
        ("nc -z (openbsd)", "nc.openbsd", ["-z", "-w", "2", address, port]),
        ("check_tcp", "/usr/lib/nagios/plugins/check_tcp", ["-H", address, "-p", port, "-t", "2"]),
        ("python3", "python3", ["-c", PYTHON, address, port]),
    ]
    cases = []
    for name, program, words in wanted:
        if found := shutil.which(program, path=ENVIRONMENT["PATH"]):
            cases.append(Case(name, Path(found).resolve(), words))
        else:
            print(f"not measured: {name} (`{program}` is not installed)")
    return cases


def has_shell(case: Case) -> bool:
    """Zabbix starts everything through a shell; our options need no separate rows there."""
    return "," not in case.name or case.name == FLOOR or case.name.startswith("C dynamic")


def copies_of(case: Case) -> list[Path]:
    """Copies on disk; not of an interpreter, which finds its library relative to itself."""
    if case.name == "python3":
        return [case.program]
    directory = build.OUT / "copies"
    directory.mkdir(parents=True, exist_ok=True)
    kind = "-".join(part for part in case.program.parts[-4:] if part != "/")
    copies = [directory / f"{kind}-{number}" for number in range(COPIES)]
    for copy in copies:
        # A new file each time: the old one may be badly placed in the page cache, or still running.
        copy.unlink(missing_ok=True)
        shutil.copy2(case.program, copy)
    return copies
