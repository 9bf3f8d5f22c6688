"""A TCP service on many ports: ADDRESS FIRST_PORT COUNT MANNER. Prints `ready`.

MANNER is `answer` (sends `answer` after each received line), or `deaf` (accepts and reads nothing, with a small
receive buffer).
"""

import selectors
import socket
import sys

address, first, count, manner = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4]
events = selectors.DefaultSelector()


def accept(listener):
    client, _ = listener.accept()
    client.setblocking(False)
    kept.append(client)
    if manner != "deaf":
        events.register(client, selectors.EVENT_READ, answer)


def answer(client):
    try:
        received = client.recv(65536)
        if b"\n" in received:
            client.sendall(b"answer\r\n")
    except OSError:
        received = b""
    if not received:
        events.unregister(client)
        client.close()


kept = []
for port in range(first, first + count):
    listening = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if manner == "deaf":
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    listening.bind((address, port))
    listening.listen(16)
    events.register(listening, selectors.EVENT_READ, accept)
print("ready", flush=True)
while True:
    for key, _ in events.select():
        key.data(key.fileobj)
