"""Opens many listeners of each kind in this network namespace: COUNT MODE.

MODE is `all`, or `unprivileged`, without binding to devices. Prints `ready` when all of them listen.
Port numbers: the kind's base and below it COUNT ports.
"""

import socket
import sys
import time

count, mode = int(sys.argv[1]), sys.argv[2]
kept = []


def listener(address, port, backlog=16, v6_only=None, group=False, device=None):
    one = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET)
    if v6_only is not None:
        one.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, v6_only)
    if group:
        one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    if device:
        one.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, device.encode())
    one.bind((address, port))
    one.listen(backlog)
    kept.append(one)
    return one


for number in range(count):
    listener("0.0.0.0", 2000 + number)
    listener("127.0.0.1", 4000 + number, backlog=number)
    listener("::1", 6000 + number)
    listener("::", 8000 + number, v6_only=0)
    listener("::", 10000 + number, v6_only=1)
    listener("0.0.0.0", 12000 + number)
    listener("::", 12000 + number, v6_only=1)
    for _ in range(3):
        listener("0.0.0.0", 14000 + number, group=True)
    if mode == "all":
        listener("0.0.0.0", 16000 + number, device="wire0")
        listener("::", 16000 + number, v6_only=1, device="wire0")

# A queue with three connections of at most five, and one that is full and dropped a connection.
some, full = listener("127.0.0.1", 20001, backlog=4), listener("127.0.0.1", 20002, backlog=1)
for port, clients, accepted in [(20001, 3, 3), (20002, 4, 2)]:
    for number in range(clients):
        client = socket.socket()
        client.setblocking(False)
        client.connect_ex(("127.0.0.1", port))
        time.sleep(0.05)
        if number < accepted:
            kept.append(client)
        else:
            # It would retransmit its SYN, and the number of drops would change.
            client.close()

print("ready", flush=True)
time.sleep(600)
