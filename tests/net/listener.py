"""A TCP listener: ADDRESS PORT MANNER. Prints `ready`, then `peer ADDRESS` for each client.

MANNER is `hold` (sends nothing until the client closes), `greet`, `answer` (after each received data), or `rst`
(resets at once).
"""

import socket
import struct
import sys
import threading

address, port, manner = sys.argv[1], int(sys.argv[2]), sys.argv[3]


def serve(client):
    if manner == "rst":
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    if manner != "rst":
        # The client may reset.
        try:
            if manner == "greet":
                client.sendall(b"220 hello\r\n")
            while client.recv(1024):
                if manner == "answer":
                    client.sendall(b"answer\r\n")
        except OSError:
            pass
    client.close()


family = socket.AF_INET6 if ":" in address else socket.AF_INET
listener = socket.socket(family)
listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
listener.bind((address, port))
listener.listen(128)
print("ready", flush=True)
while True:
    accepted, peer = listener.accept()
    print("peer", peer[0], flush=True)
    threading.Thread(target=serve, args=(accepted,), daemon=True).start()
