"""Accepts on a port of every address of this machine, and closes at once, until standard input is closed."""

import selectors
import socket
import sys

BACKLOG = 4096


def main(port: int) -> None:
    listener = socket.create_server(("0.0.0.0", port), backlog=BACKLOG)
    listener.setblocking(False)
    selector = selectors.DefaultSelector()
    selector.register(listener, selectors.EVENT_READ)
    selector.register(sys.stdin, selectors.EVENT_READ)
    while True:
        for ready, _ in selector.select():
            if ready.fileobj is not listener:
                return
            accept_all(listener)


def accept_all(listener: socket.socket) -> None:
    try:
        while True:
            listener.accept()[0].close()
    except BlockingIOError:
        pass


if __name__ == "__main__":
    main(int(sys.argv[1]))
