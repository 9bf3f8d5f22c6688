#!/usr/bin/env python3
"""Attacks zbx-tcp as a hostile peer, name server, list or reader, and prints a Markdown table of the cost.

usage: unshare -n -m tests/bench/abuse.py [PROGRAM]     PROGRAM: target/release/zbx-tcp by default

For each attack: the CPU time of the process after its deadline or signal and in total, its peak memory, the bytes that it sent, and
its result. CPU times are exact to 10 ms. It needs a network and mount namespace of its own, because it is a name server and replaces
/etc/resolv.conf.
"""

import json
import os
import random
import resource
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = sys.argv[1] if len(sys.argv) > 1 else str(ROOT / "target/release/zbx-tcp")
# The deadline of each attack, in seconds.
DEADLINE = 2.0


class Peer:
    """A listener whose clients are served by `talk`; counts the bytes that they send."""

    def __init__(self, talk, address="127.0.0.1", drains=True):
        self.received, self.talk, self.drains = 0, talk, drains
        self.listener = socket.create_server((address, 0), backlog=4096)
        self.port = str(self.listener.getsockname()[1])
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            client, _ = self.listener.accept()
            threading.Thread(target=self.serve, args=[client], daemon=True).start()

    def serve(self, client):
        with client:
            if self.drains:
                threading.Thread(target=self.drain, args=[client], daemon=True).start()
            try:
                self.talk(client)
                time.sleep(5)
            except OSError:
                pass  # The client has closed.

    def drain(self, client):
        try:
            while part := client.recv(65536):
                self.received += len(part)
        except OSError:
            pass


def sends(data):
    return lambda client: client.sendall(data)


def flood(block):
    def talk(client):
        while True:
            client.sendall(block)

    return talk


def drip(data):
    def talk(client):
        while True:
            client.sendall(data)
            time.sleep(0.05)

    return talk


def reset(client):
    client.sendall(b"220 hi\r\n")
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    client.close()


def server_hello_then(rest):
    """A TLS record of handshake type, with a message that claims to be 16 MB long."""

    def talk(client):
        client.sendall(b"\x16\x03\x03\x40\x00" + b"\x0b\xff\xff\xff" + b"\x00" * (0x4000 - 4))
        rest(client)

    return talk


class NameServer:
    """Answers `manner-N.example`."""

    def __init__(self):
        self.received = 0
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8 << 20)
        self.socket.bind(("127.0.0.1", 53))
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            query, client = self.socket.recvfrom(4096)
            self.received += len(query)
            manner = query[13 : 13 + query[12]].split(b"-")[0]
            header = query[:2] + b"\x81\x80\0\1"
            if manner == b"forged":
                for number in range(2000):
                    other = ((query[0] << 8 | query[1]) + 1 + number) % 65536
                    self.socket.sendto(other.to_bytes(2, "big") + query[2:], client)
            elif manner == b"loop":
                self.socket.sendto(header + b"\x0f\xff\0\0\0\0" + query[12:] + b"\xc0\x0c" * 2000, client)
            elif manner == b"many":
                record = b"\xc0\x0c\0\1\0\1\0\0\0\x3c\0\4"
                records = b"".join(record + bytes([127, 0, n >> 8, n & 255]) for n in range(1, 4001))
                self.socket.sendto(header + struct.pack("!HHH", 4000, 0, 0) + query[12:] + records, client)
            elif manner == b"host":
                record = b"\xc0\x0c\0\1\0\1\0\0\0\x3c\0\4\x7f\0\0\1" if query[-3] == 1 else b""
                count = b"\0\1" if record else b"\0\0"
                self.socket.sendto(header + count + b"\0\0\0\0" + query[12:] + record, client)


class Run:
    """A process: how it ended, and what it cost."""

    def __init__(self, words, stdin=b"", stop_after=None, unread=None, endless=False):
        streams = {"stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
        if unread is not None:
            streams[unread] = full_pipe()
        # `time` is small: the peak memory of a child begins with that of its parent.
        with tempfile.NamedTemporaryFile("r") as cost:
            start = time.monotonic()
            command = ["time", "-q", "-o", cost.name, "-f", "%U %S %M", PROGRAM, *words]
            child = subprocess.Popen(command, stdin=subprocess.PIPE, **streams)
            feeder = threading.Thread(target=self.feed, args=[child, stdin, endless], daemon=True)
            feeder.start()
            # Read at once, and in a thread: the process may end before its deadline.
            out = []
            reader = threading.Thread(target=lambda: out.append(child.stdout.read() if child.stdout else b""))
            reader.start()
            expected = DEADLINE if stop_after is None else stop_after
            while time.monotonic() - start < expected and child.poll() is None:
                time.sleep(0.005)
            pids = [] if child.poll() is not None else children(child.pid)
            before = sum(map(cpu_time, pids))
            for pid in pids if stop_after is not None else []:
                os.kill(pid, signal.SIGTERM)
            child.wait()
            reader.join()
            user, system, peak = cost.read().split("\n")[-2].split()
        self.cpu, self.peak = float(user) + float(system), int(peak) / 1024
        # `time` counts in steps of 10 ms.
        self.cpu_after = max(0.0, self.cpu - before) if pids else 0.0
        out = out[0]
        self.result = self.read_result(out, child.returncode) if unread is None else f"exit status {child.returncode}"

    @staticmethod
    def feed(child, stdin, endless):
        try:
            child.stdin.write(stdin)
            while endless:
                child.stdin.write(b"# a comment\n" * 1000)
            child.stdin.close()
        except OSError:
            pass

    @staticmethod
    def read_result(out, code):
        try:
            document = json.loads(out)
        except ValueError:
            return "refused, nothing is sent" if code == 2 else f"exit status {code}"
        if "summary" in document:
            summary = document["summary"]
            return ", ".join(f"{summary[key]} {key}" for key in ("up", "down", "unknown") if summary[key])
        return document["status_name"]


def children(pid):
    try:
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []


def cpu_time(pid):
    """The CPU time of all threads of a process so far, in seconds."""
    try:
        return sum(int((task / "schedstat").read_text().split()[0]) for task in Path(f"/proc/{pid}/task").iterdir()) / 1e9
    except OSError:
        return 0.0


def full_pipe():
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    try:
        while True:
            os.write(writing, b"." * 4096)
    except BlockingIOError:
        os.set_blocking(writing, True)
    full_pipe.kept.append(reading)
    return writing


full_pipe.kept = []


def attacks():
    """Rows: attack, peer or name server, test that shows it, arguments, and options of the run."""
    names = NameServer()
    a = b"a" * 262_143
    rng = random.Random(1)
    ab = bytes(rng.choice(b"ab") for _ in range(1 << 20))
    check = ["check", "127.0.0.1", None, "-t", "2", "-o", "json"]
    batch = ["batch", "-", "-t", "2", "--deadline", "2", "--per-host", "0", "-o", "json"]
    hostile, own = "tests/suite/hostile.rs", []

    def row(what, peer, test, words, **options):
        own.append((what, peer, test, words, options))

    quiet_a = Peer(sends(a))
    endless_a = Peer(flood(b"a" * 65536))
    refused = ["--expect-regex", "(?<v>(?:a+b?){300})"]
    slow = ["--expect-regex", "(?<v>(?:a+b?){120})"]
    row("`(?<v>(?:a+b?){300})` over 262,143 `a`, 20 connects (C1)", quiet_a, "tests/suite/bad_input_dialogue.rs", check + ["-n", "20", "-i", "0.001"] + refused)
    row("the same with `{120}` (C1)", quiet_a, hostile, check + ["-n", "20", "-i", "0.001"] + slow)
    row("the same over an endless stream, `--max-bytes` 64 KiB (C1)", endless_a, hostile, check + ["--max-bytes", "65536"] + slow)
    row("an expression with 2^200 states, random bytes (C1)", Peer(flood(ab)), hostile, check + ["--max-bytes", "1048576", "--expect-regex", "[ab]*a[ab]{200}c"])
    many = [word for number in range(34) for word in ("--reject-regex", f"a+b{number}")]
    many += [word for number in range(34) for word in ("--expect-regex", f"(a|aa)+c{number}")]
    row("34 rejects for 34 expects (C1)", quiet_a, "tests/suite/bad_input_dialogue.rs", check + many)
    many = [word for number in range(300) for word in ("--reject", f"b{number}")]
    many += [word for number in range(300) for word in ("--expect", f"c{number}")]
    row("300 rejects for 300 expects, 90,000 patterns (C1)", quiet_a, "tests/suite/bad_input_dialogue.rs", check + many)
    lines = "".join(f'{{"host":"127.0.0.1","port":{quiet_a.port},"id":"t{number}"}}\n' for number in range(300)).encode()
    compare = ["--expect-regex", "(?<v>(?:a+b?){120})c"]
    row("300 answers that take a second each to compare (C1)", quiet_a, hostile, batch + compare, stdin=lines)
    row("SIGTERM while 300 answers are compared (C1)", quiet_a, hostile, batch[:3] + ["30", "--deadline", "30", *batch[6:]] + compare, stdin=lines, stop_after=1.0)
    row("`${v}` sent 400 times, with a capture of 1 MiB (C2)", Peer(sends(b"x" * 1_048_575 + b"\n")), "tests/suite/dialogue_options.rs", check + ["--max-bytes", "1048576", "--expect-regex", "(?<v>x+)\n", "--send", "${v}" * 400, "--expect", "y"])
    wide = Peer(sends(b"x" * 262_144), "0.0.0.0")
    hosts = "".join(f"127.0.{n >> 8}.{n & 255} {wide.port}\n" for n in range(1, 1501)).encode()
    row("1,500 hosts that send 256 KiB each (C2)", wide, "tests/suite/limits/floods.rs", batch + ["--expect", "never"], stdin=hosts)
    row("`--max-targets` of 16 million in a key (C2)", None, "tests/suite/batch_targets.rs", ["batch", "10.0.0.0/8:1", "--max-targets", "16777216", "-o", "json"])
    groups = "".join(f"(?<g{number}>a?)" for number in range(12))
    row("12 named groups over 262,143 `a`", quiet_a, hostile, check + ["--expect-regex", groups + "c"])
    nested = "".join(f"(?<n{number}>" for number in range(60)) + "a+" + ")" * 60
    row("60 nested groups: 64 KiB are captured 60 times", quiet_a, "src/engine/dialogue/tests.rs", check + ["--max-bytes", "65536", "--expect-regex", nested])
    row("a byte every 50 ms, endless", Peer(drip(b"x")), hostile, check + ["--expect", "220"])
    row("endless GBK characters, matched as characters", Peer(flood("你好服务".encode("gbk") * 8192)), hostile, check + ["--encoding", "gbk", "--max-bytes", "1048576", "--expect-regex", "(?<v>(?:你好?)+端)"])
    row("control, bidi and NUL bytes in the error", Peer(sends("\x1b[2J\u202e\u200b\0".encode() * 30_000)), "tests/suite/check.rs", check + ["--expect", "220"])
    row("a peer that reads none of the 512 KiB sent to it", Peer(lambda client: time.sleep(5), drains=False), "tests/suite/session.rs", check + ["--send", "x" * 120_000, "--send", "y" * 120_000, "--send", "z" * 120_000, "--send", "x" * 120_000, "--expect", "220"])
    row("answer and RST at once, 1,000 connects", Peer(reset), "tests/suite/session.rs", check + ["-n", "1000", "-i", "0.001"])
    row("TLS: a handshake message of 16 MB", Peer(server_hello_then(flood(b"\x16\x03\x03\x40\x00" + b"\0" * 0x4000))), "tests/suite/tls/hello_hostile.rs", check + ["--tls"])
    row("TLS: a byte every 50 ms", Peer(drip(b"\x16")), "tests/suite/tls/hello_hostile.rs", check + ["--tls"])
    row("TLS: an endless stream of `a`", endless_a, "tests/suite/tls/hello_hostile.rs", check + ["--tls"])
    row("banner of 256 KiB, `--service ssh`, 500 targets", Peer(sends(b"x" * 262_144)), "tests/suite/limits/floods.rs", batch + ["-s", "ssh"], stdin=None)
    silent = "".join(f"silent-{number}.example 1\n" for number in range(2000)).encode()
    row("2,000 names without an answer", names, "tests/suite/dns/many.rs", batch, stdin=silent)
    row("a name with 2,000 forged answers to each query", names, "tests/suite/dns/hostile.rs", ["check", "forged-1.example", "1", "-t", "2", "-o", "json"])
    row("a name with endless compression pointers", names, "tests/suite/dns/hostile.rs", ["check", "loop-1.example", "1", "-t", "2", "-o", "json"])
    row("a name with 4,000 addresses, `--addresses all`", names, "tests/suite/addresses.rs", ["check", "many-1.example", "1", "-t", "2", "-o", "json", "--addresses", "all"])
    row("a list that never ends", None, "tests/suite/batch_targets.rs", batch, endless=True)
    row("a list of 65,000 targets, each line 1,900 bytes long", None, "tests/suite/batch_targets.rs", batch, stdin=b"".join(b"127.1.%d.%d 1 %s\n" % (n >> 8 & 255, n & 255, b" " * 1880) for n in range(65_000)))
    row("standard output that nobody reads", quiet_a, "tests/suite/unread_output.rs", check, unread="stdout")
    row("`-o text -v` with a standard error that nobody reads", endless_a, "tests/suite/unread_output.rs", check[:-1] + ["text", "-v", "--expect", "b"], unread="stderr")
    return own


def main():
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    with tempfile.NamedTemporaryFile("w") as resolv_conf:
        resolv_conf.write("nameserver 127.0.0.1\n")
        resolv_conf.flush()
        subprocess.run(["mount", "--bind", resolv_conf.name, "/etc/resolv.conf"], check=True)
        print("| attack | CPU after the deadline, ms | CPU in total, ms | peak, MiB | bytes sent | result | test |")
        print("| --- | ---: | ---: | ---: | ---: | --- | --- |")
        for what, peer, test, words, options in attacks():
            words = [peer.port if word is None else word for word in words]
            if options.get("stdin", b"") is None:
                options["stdin"] = "".join(f'{{"host":"127.0.0.1","port":{peer.port},"id":"t{n}"}}\n' for n in range(500)).encode()
            before = peer.received if peer else 0
            run = Run(words, **options)
            time.sleep(0.1)
            sent = f"{peer.received - before:,}" if peer else "0"
            print(f"| {what} | {run.cpu_after * 1000:.0f} | {run.cpu * 1000:.0f} | {run.peak:.1f} | {sent} | {run.result} | `{test}` |", flush=True)


resource.setrlimit(resource.RLIMIT_NOFILE, (20_000, 20_000))
main()
