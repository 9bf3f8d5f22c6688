"""Scripted TCP peers, a name server and clients: what the cases of ./run connect to.

Nothing here uses zbx-tcp itself. Each peer runs on threads and records what the other side sent and how it ended the
connection, so that this is compared too.
"""

import ipaddress
import socket
import struct
import threading
import time

# Seconds without data after which something has failed.
TIMEOUT = 10
# A peer stops when a connection comes from this local port: it is the last one in the queue.
LAST_PORT = 20999


def sends(data):
    """Sends these bytes."""
    return ("send", data)


def receives(until=None):
    """Receives until the received data ends with these bytes; without them, reads once."""
    return ("receive", until)


def waits(milliseconds):
    return ("wait", milliseconds)


def sends_fin():
    """Sends FIN, and receives until the other side ends the connection."""
    return ("fin", None)


def sends_rst():
    """Ends the connection with RST."""
    return ("rst", None)


def closes():
    """Closes the socket at once."""
    return ("close", None)


def run_script(stream, script):
    """Does these things in their order, then receives until the end; what was received, and how it ended."""
    received = b""
    stream.settimeout(TIMEOUT)
    try:
        for action, value in script:
            if action == "send":
                stream.sendall(value)
            elif action == "receive":
                while True:
                    more = stream.recv(65536)
                    received += more
                    if not more or value is None or received.endswith(value):
                        break
            elif action == "wait":
                time.sleep(value / 1000)
            elif action == "fin":
                stream.shutdown(socket.SHUT_WR)
            elif action == "rst":
                stream.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                return received, "this side sent RST"
            elif action == "close":
                return received, "this side closed"
        while more := stream.recv(65536):
            received += more
        return received, "FIN came"
    except ConnectionError:
        return received, "RST came"
    except TimeoutError:
        return received, f"nothing came for {TIMEOUT} s"
    finally:
        stream.close()


def listener(address, backlog):
    family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
    opened = socket.socket(family, socket.SOCK_STREAM)
    opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    opened.bind(address)
    opened.listen(backlog)
    return opened


class Scripted:
    """Does a script with each client; with several scripts, the first client gets the first one, and so on."""

    def __init__(self, *scripts):
        self.scripts = scripts or ([],)
        self.connections = []

    def start(self, address):
        self.address = address
        self.listener = listener(address, 128)
        self.thread = threading.Thread(target=self.accept, daemon=True)
        self.thread.start()

    def accept(self):
        while True:
            stream, client = self.listener.accept()
            if client[1] == LAST_PORT:
                return stream.close()
            stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            number = len(self.connections)
            thread = threading.Thread(target=self.serve, args=(number, stream), daemon=True)
            self.connections.append([thread, None])
            thread.start()

    def serve(self, number, stream):
        script = self.scripts[min(number, len(self.scripts) - 1)]
        self.connections[number][1] = run_script(stream, script)

    def finish(self):
        """What each client did, as lines; there are no clients any more."""
        last = socket.socket(self.listener.family, socket.SOCK_STREAM)
        last.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        last.bind((self.address[0], LAST_PORT))
        last.connect(self.address)
        self.thread.join(TIMEOUT)
        last.close()
        for thread, _ in self.connections:
            thread.join(TIMEOUT)
        ends = [end or (b"", "has not ended") for _, end in self.connections]
        lines = [
            f"connection {number}: received {received!r}, then {end}" for number, (received, end) in enumerate(ends, 1)
        ]
        return lines or ["no connection"]


class Full:
    """Its accept queue is full, so the kernel drops each SYN; after `opens_after` seconds it accepts, if that is given."""

    def __init__(self, opens_after=None):
        self.opens_after = opens_after

    def start(self, address):
        self.listener = listener(address, 0)
        self.fillers = [socket.create_connection(address, TIMEOUT)]
        if self.opens_after is not None:
            threading.Thread(target=self.open, daemon=True).start()

    def open(self):
        time.sleep(self.opens_after)
        for filler in self.fillers:
            filler.close()
        while True:
            run_script(self.listener.accept()[0], [])

    def finish(self):
        return []


class Prohibits(Full):
    """Its accept queue is full, and each SYN is answered by an ICMP message from another address of loopback."""

    def __init__(self, code, sender):
        super().__init__()
        self.code, self.sender = code, sender

    def start(self, address):
        super().start(address)
        self.port = address[1]
        self.segments = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_TCP)
        self.messages = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)
        self.messages.bind((self.sender, 0))
        threading.Thread(target=self.answer, daemon=True).start()

    def answer(self):
        while True:
            packet = self.segments.recv(65536)
            header = (packet[0] & 15) * 4
            port, flags = struct.unpack_from("!H", packet, header + 2)[0], packet[header + 13]
            if port == self.port and flags & 0x12 == 0x02:
                message = struct.pack("!BBHI", 3, self.code, 0, 0) + packet[: header + 8]
                message = message[:2] + struct.pack("!H", checksum(message)) + message[4:]
                self.messages.sendto(message, (socket.inet_ntoa(packet[12:16]), 0))


def checksum(data):
    """The Internet checksum of RFC 1071 of an even number of bytes."""
    total = sum(word for (word,) in struct.iter_unpack("!H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


TYPES = {1: "A", 28: "AAAA"}
RCODES = {"SERVFAIL": 2, "NXDOMAIN": 3, "REFUSED": 5}


class NameServer:
    """A name server at 127.0.0.1, port 53, over UDP and TCP.

    The zone has for each name a list of addresses, a word of RCODES, `silent`, or the name that it is an alias of.
    Over UDP a name that begins with `long.` has its answer cut off.
    """

    def __init__(self, zone):
        self.zone = zone
        self.asked = set()

    def start(self):
        self.datagrams = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.datagrams.bind(("127.0.0.1", 53))
        self.streams = listener(("127.0.0.1", 53), 16)
        self.thread = threading.Thread(target=self.over_udp, daemon=True)
        self.thread.start()
        threading.Thread(target=self.over_tcp, daemon=True).start()

    def over_udp(self):
        while True:
            message, client = self.datagrams.recvfrom(4096)
            if not message:
                return
            if answer := self.answer(message, "UDP"):
                self.datagrams.sendto(answer, client)

    def over_tcp(self):
        while True:
            stream, _ = self.streams.accept()
            stream.settimeout(TIMEOUT)
            data = b""
            while len(data) < 2 or len(data) < 2 + struct.unpack_from("!H", data)[0]:
                data += stream.recv(4096)
            answer = self.answer(data[2:], "TCP")
            if answer:
                stream.sendall(struct.pack("!H", len(answer)) + answer)
            stream.close()

    def answer(self, message, over):
        labels, at = [], 12
        while message[at]:
            labels.append(message[at + 1 : at + 1 + message[at]].decode("ascii").lower())
            at += 1 + message[at]
        name, kind = ".".join(labels), struct.unpack_from("!H", message, at + 1)[0]
        self.asked.add(f"{TYPES.get(kind, kind)} of {name} over {over}")
        entry, records = self.zone.get(name, "NXDOMAIN"), []
        if entry == "silent":
            return None
        if isinstance(entry, str) and entry not in RCODES:
            labels = b"".join(bytes([len(label)]) + label.encode() for label in entry.split("."))
            records.append((5, labels + b"\0"))
            entry = self.zone[entry]
        rcode = RCODES.get(entry, 0) if isinstance(entry, str) else 0
        cut = 0x0200 if over == "UDP" and name.startswith("long.") else 0
        for address in [] if rcode or cut else entry:
            packed = ipaddress.ip_address(address).packed
            if TYPES.get(kind) == ("A" if len(packed) == 4 else "AAAA"):
                records.append((kind, packed))
        header = message[:2] + struct.pack("!HHHHH", 0x8180 | cut | rcode, 1, len(records), 0, 0)
        owner, rows = b"\xc0\x0c", b""
        for record, data in records:
            rows += owner + struct.pack("!HHIH", record, 1, 60, len(data)) + data
            if record == 5:
                owner = data
        return header + message[12 : at + 5] + rows

    def finish(self):
        """The queries, each once and sorted, because their number depends on timing."""
        marker = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        marker.sendto(b"", ("127.0.0.1", 53))
        self.thread.join(TIMEOUT)
        return sorted(self.asked) or ["no question"]


def connect_from(port, address, script):
    """A client from this local port; what it received, and how the connection ended."""
    stream = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    stream.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    stream.settimeout(TIMEOUT)
    stream.bind(("127.0.0.1", port))
    try:
        stream.connect(address)
    except ConnectionResetError:
        # The connection was open, and the RST arrived before the poll.
        return b"", "RST came"
    return run_script(stream, script)
