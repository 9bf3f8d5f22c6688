"""Reference times: each handshake as tcpdump captured it."""

import shutil
import signal
import struct
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

import network

SYN, ACK = 2, 16
NANOSECONDS = 0xA1B23C4D
# tcpdump writes captured packets at least once a second (pcap_set_timeout(3PCAP)).
HANDED_OVER = 1.2


@dataclass
class Handshake:
    """Of one address: the time of the first SYN, the number of SYNs, the time of the first SYN-ACK."""

    first_syn: int
    syns: int = 1
    answered: int | None = None

    @property
    def seconds(self) -> float | None:
        return None if self.answered is None else (self.answered - self.first_syn) / 1e9


class Capture:
    """Captures a device until `handshakes` is called."""

    def __init__(self, device: str, file: Path):
        tcpdump = shutil.which("tcpdump")
        if tcpdump is None:
            raise network.CannotRun("`tcpdump`")
        self.file = file
        words = [
            tcpdump,
            "-i",
            device,
            "-n",
            "-Z",
            "root",
            "-s",
            "64",
            "-B",
            "65536",
            "--time-stamp-precision=nano",
            "-w",
            file,
            "tcp",
        ]
        self.process = subprocess.Popen(words, stderr=subprocess.PIPE, text=True, preexec_fn=network.dies_with_us)
        self.heard = self.process.stderr.readline()
        if "listening" not in self.heard:
            raise SystemExit(f"tests/bench: tcpdump: {self.heard}{self.process.stderr.read()}")

    def handshakes(self) -> dict[str, Handshake]:
        """Ends the capture and returns the handshakes by probed address."""
        time.sleep(HANDED_OVER)
        self.process.send_signal(signal.SIGINT)
        said = self.process.communicate()[1]
        if "\n0 packets dropped by kernel" not in said:
            raise SystemExit(f"tests/bench: tcpdump lost packets: {said}")
        return parse(self.file.read_bytes())


def parse(pcap: bytes) -> dict[str, Handshake]:
    """Reads a capture of raw IPv4 packets (pcap-savefile(5))."""
    if struct.unpack_from("<I", pcap)[0] != NANOSECONDS:
        raise SystemExit("tests/bench: tcpdump wrote another format than was asked for")
    seen: dict[bytes, Handshake] = {}
    at = 24
    while at < len(pcap):
        seconds, nanos, length = struct.unpack_from("<III", pcap, at)
        packet, at = pcap[at + 16 : at + 16 + length], at + 16 + length
        flags, now = packet[33] & (SYN | ACK), seconds * 10**9 + nanos
        if flags == SYN:
            if packet[16:20] in seen:
                seen[packet[16:20]].syns += 1
            else:
                seen[packet[16:20]] = Handshake(now)
        elif flags == SYN | ACK and packet[12:16] in seen and seen[packet[12:16]].answered is None:
            seen[packet[12:16]].answered = now
    return {".".join(map(str, address)): handshake for address, handshake in seen.items()}
