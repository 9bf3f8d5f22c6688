"""A UDP name server on ADDRESS. Prints `ready`, then `query NAME TYPE` for each query.

Serves the names below; those that begin with `silent-` get no answer. A first label `slow-MS` delays the answer by MS milliseconds; `forged-N` lets N forged answers precede it.
"""

import ipaddress
import socket
import struct
import sys
import threading
import time

A, AAAA = 1, 28
SERVFAIL, NXDOMAIN, REFUSED = 2, 3, 5
ZONE = {
    "v4.example": ["10.77.0.2"],
    "v6.example": ["fd77::2"],
    "both.example": ["10.77.0.2", "fd77::2"],
    "roaming.example": ["10.77.0.2", "2001:db8::2"],
    "two.example": ["10.77.0.2", "10.77.0.3"],
    "robin.example": ["10.77.0.3", "10.77.0.2"],
    "four.example": ["10.77.0.2", "10.77.0.3", "fd77::2", "fd77::3"],
    "none.example": [],
    "blocked.example": ["0.0.0.0", "::"],
    "partly.example": ["0.0.0.0", "10.77.0.2", "::"],
}
RCODES = {"servfail.example": SERVFAIL, "refused.example": REFUSED}
SILENT = {("silent.example", A), ("silent.example", AAAA), ("half.example", AAAA)}
ZONE["half.example"] = ["10.77.0.2"]


def read_question(message):
    """Returns the name, the type and the offset of the end of the question."""
    labels, offset = [], 12
    while message[offset]:
        labels.append(message[offset + 1 : offset + 1 + message[offset]].decode("ascii").lower())
        offset += 1 + message[offset]
    return ".".join(labels), struct.unpack_from("!H", message, offset + 1)[0], offset + 5


def answer(message, name, kind, end):
    rcode, records = RCODES.get(name, 0), []
    if name in ZONE:
        addresses = [ipaddress.ip_address(text).packed for text in ZONE[name]]
        records = [packed for packed in addresses if len(packed) == {A: 4, AAAA: 16}.get(kind)]
    elif not rcode:
        rcode = NXDOMAIN
    header = message[:2] + struct.pack("!HHHHH", 0x8180 | rcode, 1, len(records), 0, 0)
    rows = [struct.pack("!HHHIH", 0xC00C, kind, 1, 60, len(packed)) + packed for packed in records]
    return header + message[12:end] + b"".join(rows)


def serve(message, client):
    name, kind, end = read_question(message)
    # A single write, because threads share the output.
    sys.stdout.write(f"query {name} {({A: 'A', AAAA: 'AAAA'}).get(kind, kind)}\n")
    if name.startswith("slow-"):
        delay, name = name[5:].split(".", 1)
        time.sleep(int(delay) / 1000)
    if name.startswith("forged-"):
        # Answers with wrong ids, which claim another address, before the right one.
        count, name = name[7:].split(".", 1)
        forged = answer(message, "two.example", kind, end)
        for number in range(1, int(count) + 1):
            identifier = (int.from_bytes(message[:2], "big") + number) % 65536
            server.sendto(identifier.to_bytes(2, "big") + forged[2:], client)
    if (name, kind) not in SILENT and not name.startswith("silent-"):
        server.sendto(answer(message, name, kind, end), client)


address = sys.argv[1]
family, _, _, _, socket_address = socket.getaddrinfo(address, 53, type=socket.SOCK_DGRAM)[0]
server = socket.socket(family, socket.SOCK_DGRAM)
server.bind(socket_address)
print("ready", flush=True)
while True:
    threading.Thread(target=serve, args=server.recvfrom(4096), daemon=True).start()
