"""A TCP service whose behaviour a scenario chooses and may change; its port stays the same.

    service = Service(greeting(b"220 ready\\r\\n"))
    service.behave = hanging
"""

import socket
import struct
import threading
import time

# SO_LINGER switched on with 0 seconds: close sends a RST.
RESET_ON_CLOSE = struct.pack("ii", 1, 0)


class Service:
    """Serves every connection in a thread by `behave`, a function of the connected socket; afterwards it is closed.

    `address` may be IPv6. The sockets belong to the scenario's process and end with it.
    """

    def __init__(self, behave, address="127.0.0.1", port=0):
        self.behave, self.address, self.port = behave, address, port
        self.connections = 0
        self.listener = None
        self.open()

    def open(self):
        """Listen; after `close` again on the same port."""
        family = socket.AF_INET6 if ":" in self.address else socket.AF_INET
        self.listener = socket.create_server((self.address, self.port), family=family, backlog=1024)
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self._accept, args=(self.listener,), daemon=True).start()

    def close(self):
        """The port refuses connections afterwards; open connections stay open."""
        # A shutdown first: it wakes the thread in accept, which close does not.
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()

    def _accept(self, listener):
        try:
            while True:
                client, _ = listener.accept()
                self.connections += 1
                threading.Thread(target=self._serve, args=(client, self.behave), daemon=True).start()
        except OSError:
            return

    @staticmethod
    def _serve(client, behave):
        with client:
            try:
                behave(client)
            except OSError:
                pass


def hanging(client):
    """Accepts, reads, sends nothing, and lets the client close."""
    while client.recv(4096):
        pass


def closing(client):
    """Closes with FIN as soon as it has accepted."""
    client.shutdown(socket.SHUT_WR)


def resetting(client):
    """Accepts and closes with RST."""
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_ON_CLOSE)


def greeting(data):
    """Sends `data` first, then reads until the client closes."""

    def behave(client):
        client.sendall(data)
        hanging(client)

    return behave


def answering(data):
    """Sends `data` after it has received something."""

    def behave(client):
        client.recv(4096)
        client.sendall(data)
        hanging(client)

    return behave


def late(seconds, behave):
    """Behaves like `behave` after a delay."""

    def later(client):
        time.sleep(seconds)
        behave(client)

    return later


def dripping(data, seconds):
    """Sends `data` first, one byte at a time with a pause before each."""

    def behave(client):
        for byte in data:
            time.sleep(seconds)
            client.sendall(bytes([byte]))
        hanging(client)

    return behave
