"""Listeners whose accept queue a scenario controls: processes that it stops, and sockets that accept on command.

Addresses are those of the lab's network.
"""

import os
import random
import signal
import socket
import subprocess
import sys
import threading
import time
from contextlib import contextmanager

# Accepts in a loop; sends the greeting and reads until the client closes, each connection in a thread.
SERVER = """
import socket, sys, threading
address, port, backlog, shared, greeting = sys.argv[1:]
listener = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET)
listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
if shared == "yes":
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
listener.bind((address, int(port)))
listener.listen(int(backlog))
print("listens", flush=True)
def serve(client):
    try:
        client.sendall(greeting.encode())
        while client.recv(4096):
            pass
    except OSError:
        pass
    client.close()
while True:
    threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()
"""


class Program:
    """A server that is a process of its own, with a greeting. `shared`: others may listen on the same port."""

    def __init__(self, address, port, backlog=5, greeting="", shared=False):
        self.address, self.port, self.backlog, self.shared = address, port, backlog, shared
        self.clients = []
        self._start(greeting)

    def _start(self, greeting):
        self.greeting = greeting
        words = [self.address, str(self.port), str(self.backlog), "yes" if self.shared else "no", greeting]
        self.process = subprocess.Popen([sys.executable, "-c", SERVER, *words], stdout=subprocess.PIPE, text=True)
        if self.process.stdout.readline() != "listens\n":
            raise RuntimeError(f"the server on {self.address}:{self.port} does not listen")

    def end(self):
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()

    def restart(self, greeting=None):
        self.end()
        self._start(self.greeting if greeting is None else greeting)

    def stop(self):
        """The process does nothing until `go_on`; the kernel accepts for it."""
        os.kill(self.process.pid, signal.SIGSTOP)

    def go_on(self):
        os.kill(self.process.pid, signal.SIGCONT)
        for client in self.clients:
            client.close()
        self.clients.clear()

    def fill(self, number):
        """Connect until the queue holds this many, or is full."""
        for _ in range(number):
            client = socket.socket()
            client.settimeout(0.2)
            self.clients.append(client)
            try:
                client.connect(("127.0.0.1", self.port))
            except TimeoutError:
                return


class Queue:
    """A listener of the scenario itself. A thread accepts everything, except while the queue is kept long."""

    def __init__(self, address, port, backlog):
        self.address, self.port, self.capacity = address, port, backlog + 1
        self.listener = socket.socket()
        self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.listener.bind((address, port))
        self.listener.listen(backlog)
        self.accepting = threading.Lock()
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        # Not blocked in accept, so that it does not take a connection while the lock is held by others.
        self.listener.settimeout(0)
        while True:
            with self.accepting:
                self._accept_one()
            time.sleep(0.01)

    def _accept_one(self):
        try:
            self.listener.accept()[0].close()
        except BlockingIOError:
            return False
        return True

    @contextmanager
    def nearly_full(self):
        """The queue is always nearly full, and connections are accepted."""
        with self.accepting:
            done = threading.Event()
            filler = threading.Thread(target=self._keep_full, args=(done,))
            filler.start()
            try:
                yield
            finally:
                done.set()
                filler.join()

    def _keep_full(self, done):
        """Never full, so that no probe is dropped: several come at once. The length varies, because connections are
        accepted."""
        clients = []
        while not done.is_set():
            self._fill_to(self.capacity - random.choice((6, 7, 8)), clients)
            time.sleep(0.05)
        for client in clients:
            client.close()

    def _fill_to(self, wanted, clients):
        length = queue_length(self.port)
        for _ in range(wanted - length):
            client = socket.socket()
            client.setblocking(False)
            client.connect_ex((self.address, self.port))
            clients.append(client)
        for _ in range(length - wanted):
            self._accept_one()

    def drop_some(self):
        """More connections at once than the queue holds, for a moment."""
        with self.accepting:
            clients = [socket.socket() for _ in range(self.capacity + 3)]
            for client in clients:
                client.setblocking(False)
                client.connect_ex((self.address, self.port))
            time.sleep(0.3)
            for client in clients:
                client.close()


def queue_length(port):
    """The accept queue of a listener: `rx_queue` of its line in /proc/net/tcp (proc(5))."""
    listening = "0A"
    with open("/proc/net/tcp") as file:
        rows = [line.split() for line in file.readlines()[1:]]
    lengths = [int(row[4].split(":")[1], 16) for row in rows if row[3] == listening and row[1].endswith(f":{port:04X}")]
    return lengths[0]
