"""TCP peers for scenarios, each on a port of its own: one that accepts, one that refuses, one that ignores SYNs.

They are sockets of the scenario's process and end with it.
"""

import socket

from .scripted import Service, hanging


class Open(Service):
    """Accepts and lets the client close; `close` and `reopen` keep the port."""

    def __init__(self, address="127.0.0.1", port=0):
        super().__init__(hanging, address, port)

    reopen = Service.open


class Closed:
    """Binds a port without listening: the kernel refuses connections, and no other process can take the port."""

    def __init__(self, address="127.0.0.1", port=0):
        self.socket = socket.socket()
        self.socket.bind((address, port))
        self.port = self.socket.getsockname()[1]


class Silent:
    """Drops SYNs: its accept queue (backlog 0 holds one) is full and nothing accepts."""

    def __init__(self, address="127.0.0.1"):
        self.listener = socket.socket()
        self.listener.bind((address, 0))
        self.listener.listen(0)
        self.port = self.listener.getsockname()[1]
        self.filler = socket.create_connection((address, self.port), timeout=5)
        try:
            socket.create_connection((address, self.port), timeout=0.5).close()
        except TimeoutError:
            return
        raise RuntimeError("the silent peer answers a SYN: its accept queue is not full")


class PortsExhausted:
    """Uses every local port of this network namespace for connections to one peer, so that the next connect
    to it fails locally (EADDRNOTAVAIL). Connections to other peers still find a port."""

    RANGE = "/proc/sys/net/ipv4/ip_local_port_range"
    FIRST, LAST = 60000, 60199

    def __init__(self, peer):
        with open(self.RANGE, "w") as limits:
            limits.write(f"{self.FIRST} {self.LAST}")
        self.held = []
        try:
            while len(self.held) <= self.LAST - self.FIRST + 1:
                self.held.append(socket.create_connection((peer.address, peer.port), timeout=5))
        except OSError as error:
            self.error = error
            return
        raise RuntimeError("the local ports do not run out")
