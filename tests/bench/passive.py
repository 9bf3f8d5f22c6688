"""Passive checks of a Zabbix agent, many at once, in one thread."""

import select
import socket
import struct

# The agent itself answers after its timeout at the latest.
PATIENCE = 20


def ask_all(port: int, keys: list[str], at_once: int) -> list[str]:
    """The value of each key, in their order; at most `at_once` requests are open."""
    poll, open_ones, answers = select.epoll(), {}, [""] * len(keys)
    waiting = iter(enumerate(keys))

    def start() -> None:
        for number, key in waiting:
            peer = socket.socket()
            peer.setblocking(False)
            peer.connect_ex(("127.0.0.1", port))
            data = key.encode("ascii")
            open_ones[peer.fileno()] = [peer, number, b"ZBXD\1" + struct.pack("<Q", len(data)) + data, b""]
            poll.register(peer, select.EPOLLOUT)
            return

    for _ in range(at_once):
        start()
    while open_ones:
        events = poll.poll(PATIENCE)
        if not events:
            raise SystemExit(f"tests/bench: no answer of the agent in {PATIENCE} s")
        for descriptor, _ in events:
            one = open_ones[descriptor]
            peer, number, request, answer = one
            if request:
                peer.send(request)
                one[2] = b""
                poll.modify(peer, select.EPOLLIN)
                continue
            part = peer.recv(65536)
            if part:
                one[3] = answer + part
                continue
            answers[number] = answer[13:].decode("utf-8", "replace")
            del open_ones[descriptor]
            peer.close()
            start()
    poll.close()
    return answers
