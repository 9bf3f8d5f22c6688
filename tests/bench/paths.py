"""Where the packets end: `zbx-tcp` beside traceroute, tcptraceroute and mtr, on chains of network namespaces.

    probe 10.77.0.1 -- wire0 -- 10.77.0.2 hop1 10.77.1.1 -- wire1 -- 10.77.1.2 hop2 ... target

All trace to port 25 of the target with TCP SYNs: the packets that they send, their CPU time, their duration, and the
last router that they name. The others need raw sockets, and run as root; zbx-tcp runs as nobody.
"""

import os
import re
import resource
import shutil
import subprocess
import time
from pathlib import Path

import build

ROUTERS = 4
TARGET = f"10.77.{ROUTERS}.2"
LAST = f"10.77.{ROUTERS - 1}.2"
PORT = "25"
NOBODY = ["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups"]
OTHERS = {
    "traceroute -T -q 1": ["traceroute", "-n", "-T", "-p", PORT, "-q", "1", TARGET],
    "traceroute -T": ["traceroute", "-n", "-T", "-p", PORT, TARGET],
    "tcptraceroute": ["tcptraceroute", "-n", TARGET, PORT],
    "mtr -T -c 3": ["mtr", "-n", "-T", "-P", PORT, "-r", "-c", "3", TARGET],
}
OWN = {
    "zbx-tcp check --path": ["check", TARGET, PORT, "--path", "-o", "error"],
    "zbx-tcp path --rounds 1": ["path", TARGET, PORT, "--rounds", "1"],
    "zbx-tcp path": ["path", TARGET, PORT],
}


def measure(_rounds: int, _quick: bool) -> int:
    """Prints the tables; returns the number of programs of ours that gave a wrong answer."""
    return compare(build.released("glibc"))


def compare(program: Path) -> int:
    """Measures this binary and the others."""
    if os.geteuid() or not shutil.which("nft"):
        print("paths: not measured: needs root and nft")
        return 0
    chain = Chain()
    missed = 0
    try:
        for title, rule in (("the target discards SYNs", f"tcp dport {PORT} drop"), ("the port is open", None)):
            chain.target(rule)
            print(f"\npath of {ROUTERS} routers, {title}\n")
            print("| program | SYNs | CPU | time | answer |\n| --- | --: | --: | --: | --- |")
            for name, words in rows(program):
                if not shutil.which(words[0]) and not Path(words[0]).exists():
                    print(f"| {name} | not installed |")
                    continue
                result = chain.run(words)
                print(f"| {name} | {result['syns']} | {result['cpu'] * 1000:.0f} ms | {result['time']:.2f} s | {answer(result['text'], rule)} |")
                missed += name.startswith("zbx-tcp") and not is_right(result["text"], rule)
    finally:
        chain.delete()
    return missed


def rows(program: Path) -> list[tuple[str, list[str]]]:
    # nobody may not enter the directory of the binary.
    own = [(name, [*NOBODY, "/proc/self/fd/0", *words]) for name, words in OWN.items()]
    Chain.program = program
    return own + list(OTHERS.items())


def is_right(text: str, rule: str | None) -> bool:
    if rule:
        return LAST in text and TARGET not in text.replace(f"{TARGET}:{PORT}", "").replace(f"path to {TARGET}", "")
    return text.strip() == "" or f"{ROUTERS + 1}  {TARGET}" in text


def answer(text: str, rule: str | None) -> str:
    """The farthest address that the output names, after its headline."""
    lines = [line for line in text.splitlines() if not re.match(r"traceroute to|Tracing|path to|Start|HOST", line)]
    shown = [address for line in lines for address in re.findall(r"10\.77\.\d+\.\d+", line.replace(f"{TARGET}:{PORT}", ""))]
    if TARGET in shown:
        return "reached"
    if not shown:
        return "up" if rule is None else "nothing"
    return f"hop {max(int(address.split('.')[2]) for address in shown) + 1}"


class Chain:
    """The namespaces; a counter of the SYNs that leave the probe."""

    program: Path

    def __init__(self) -> None:
        self.names = [f"zbx-bench-{os.getpid()}-{node}" for node in range(ROUTERS + 2)]
        self.listener = None
        for name in self.names:
            shell(f"ip netns add {name}")
            self.inside(name, "ip link set lo up; echo 0 > /proc/sys/net/ipv4/icmp_ratelimit; echo 1 > /proc/sys/net/ipv4/ip_forward")
        for wire, (left, right) in enumerate(zip(self.names, self.names[1:])):
            shell(f"ip link add wire{wire} netns {left} type veth peer name wire{wire} netns {right}")
            for name, host in ((left, 1), (right, 2)):
                shell(f"ip -n {name} addr add 10.77.{wire}.{host}/24 dev wire{wire}; ip -n {name} link set wire{wire} up")
        for node, name in enumerate(self.names):
            if node <= ROUTERS:
                shell(f"ip -n {name} route add default via 10.77.{node}.2")
            if node > 1:
                shell(f"ip -n {name} route add 10.77.0.0/24 via 10.77.{node - 1}.1")
        time.sleep(1)

    def inside(self, name: str, script: str) -> str:
        return shell(f"ip netns exec {name} sh -ec '{script}'")

    def target(self, rule: str | None) -> None:
        """What the target does with SYNs to the port: this nftables rule, or it listens."""
        name = self.names[-1]
        self.inside(name, "nft flush ruleset")
        if rule:
            self.inside(name, f"nft add table inet f; nft \"add chain inet f i {{ type filter hook input priority 0; }}\"; nft add rule inet f i {rule}")
        else:
            script = Path(__file__).resolve().parents[1] / "net" / "listeners_on.py"
            self.listener = subprocess.Popen(["ip", "netns", "exec", name, "python3", script, PORT], stdout=subprocess.PIPE)
            self.listener.stdout.readline()

    def run(self, words: list[str]) -> dict:
        """Runs a program in the first namespace."""
        probe = self.names[0]
        self.inside(probe, "nft flush ruleset; nft add table inet f; nft \"add chain inet f o { type filter hook output priority 0; }\"; "
                    f"nft add rule inet f o tcp dport {PORT} \"tcp flags & (syn|ack) == syn\" counter")
        before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
        with open(self.program, "rb") as binary:
            ran = subprocess.run(["ip", "netns", "exec", probe, *words], stdin=binary, capture_output=True, text=True, timeout=300)
        took, after = time.monotonic() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
        syns = re.search(r"packets (\d+)", self.inside(probe, "nft list ruleset"))[1]
        cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        return {"syns": syns, "cpu": cpu, "time": took, "text": ran.stdout}

    def delete(self) -> None:
        if self.listener:
            self.listener.kill()
            self.listener.wait()
        for name in self.names:
            shell(f"ip netns del {name}")


def shell(script: str) -> str:
    return subprocess.run(["sh", "-ec", script], check=True, capture_output=True, text=True).stdout
