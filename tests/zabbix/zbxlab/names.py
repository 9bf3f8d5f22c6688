"""A name server for scenarios, on 127.0.0.1:53 of the lab's network, which every resolv.conf of the lab names.

Without it (and after `close`) names do not resolve. RFC 1035, one question per packet.
"""

import ipaddress
import socket
import struct
import threading

A, AAAA = 1, 28
IN = 1
NO_ERROR, SERVER_FAILURE, NO_SUCH_NAME = 0, 2, 3
# QR, RD, RA: an answer from a recursive server.
ANSWER = 0x8180
TTL = 1


class NameServer:
    """`hosts`: addresses by name, changeable at any time; a name in `mute` is never answered, one in `broken`
    with SERVFAIL, and any other with NXDOMAIN."""

    def __init__(self, hosts):
        self.hosts = {name: list(addresses) for name, addresses in hosts.items()}
        self.mute, self.broken = set(), set()
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 53))
        threading.Thread(target=self._serve, args=(self.socket,), daemon=True).start()

    def close(self):
        """Questions are answered by the kernel afterwards: port unreachable."""
        listening, self.socket = self.socket, None
        # Wakes the thread, which is blocked in recvfrom.
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as last:
            last.sendto(b"", ("127.0.0.1", 53))
        listening.close()

    def _serve(self, listening):
        while self.socket is listening:
            try:
                packet, client = listening.recvfrom(4096)
                reply = self.reply(packet)
                if reply:
                    listening.sendto(reply, client)
            except (OSError, ValueError, struct.error, IndexError):
                continue

    def reply(self, packet):
        """The answer to one question, or None for no answer."""
        identifier, _, questions = struct.unpack_from("!HHH", packet)
        name, end = read_name(packet, 12)
        kind, _ = struct.unpack_from("!HH", packet, end)
        if name in self.mute or questions != 1:
            return None
        code = NO_ERROR if name in self.hosts else NO_SUCH_NAME
        if name in self.broken:
            code = SERVER_FAILURE
        records = [record(kind, text) for text in self.hosts.get(name, ()) if code == NO_ERROR and fits(kind, text)]
        head = struct.pack("!HHHHHH", identifier, ANSWER | code, 1, len(records), 0, 0)
        return head + packet[12 : end + 4] + b"".join(records)


def fits(kind, text):
    return kind == {4: A, 6: AAAA}[ipaddress.ip_address(text).version]


def record(kind, text):
    """A resource record whose name is a pointer to the question's."""
    data = ipaddress.ip_address(text).packed
    return struct.pack("!HHHIH", 0xC00C, kind, IN, TTL, len(data)) + data


def read_name(packet, at):
    """A name in lower case without its last dot, and where it ends."""
    labels = []
    while packet[at]:
        length = packet[at]
        labels.append(packet[at + 1 : at + 1 + length].decode("ascii", "replace").lower())
        at += 1 + length
    return ".".join(labels), at + 1
