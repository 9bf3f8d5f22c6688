"""Servers that never send the expected answer, on ports that the kernel chooses: `silent`, `drip` (a byte every 100 ms), `flood`.

Prints the three ports, then serves until standard input ends.
"""

import socket
import sys
import threading
import time


def silent(client: socket.socket) -> None:
    while client.recv(4096):
        pass


def drip(client: socket.socket) -> None:
    while True:
        client.sendall(b"a")
        time.sleep(0.1)


def flood(client: socket.socket) -> None:
    block = b"a" * 65536
    while True:
        client.sendall(block)


def serve(listener: socket.socket, manner) -> None:
    def talk(client: socket.socket) -> None:
        with client:
            try:
                manner(client)
            except OSError:
                pass  # The client has closed.

    while True:
        threading.Thread(target=talk, args=[listener.accept()[0]], daemon=True).start()


def main() -> None:
    for manner in (silent, drip, flood):
        listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        print(listener.getsockname()[1], flush=True)
        threading.Thread(target=serve, args=[listener, manner], daemon=True).start()
    sys.stdin.read()


main()
