"""Network faults by nftables rules in the lab's network namespace. Each rule is removed after its block:

    with dropping_syns(port):
        ...
"""

import subprocess
from contextlib import contextmanager
from itertools import count

TABLES = count()
# A SYN that opens a connection, not the SYN+ACK that answers it.
SYN = "tcp flags & (syn | ack) == syn"


def dropping_syns(port):
    """New connections get no answer: the probe times out. Established connections go on."""
    return rule(port, f"{SYN} drop")


def dropping_every_other_syn(port):
    """The first SYN of each connection is lost and its retransmission, 1 s later, arrives (one client at a time)."""
    return rule(port, f"{SYN} numgen inc mod 2 == 0 drop")


def losing_syns(port, percent):
    """Lose 1 to 99 percent of all SYNs, at random."""
    return rule(port, f"{SYN} numgen random mod 100 < {percent} drop")


def resetting(port):
    """A firewall that answers a SYN with a RST: refused, as from a closed port."""
    return rule(port, f"{SYN} reject with tcp reset")


def prohibiting(port):
    """A firewall that answers a SYN with ICMP "administratively prohibited"."""
    return rule(port, f"{SYN} reject with icmpx admin-prohibited")


def unreachable(port):
    """A router that answers a SYN with ICMP "host unreachable"."""
    return rule(port, f"{SYN} reject with icmpx host-unreachable")


@contextmanager
def rule(port, what):
    """One rule for packets to a port, IPv4 and IPv6, in a table of its own."""
    table = f"inet zbx_tcp_lab_{next(TABLES)}"
    nft(f"table {table} {{ chain input {{ type filter hook input priority 0; tcp dport {port} {what}\n}}\n}}")
    try:
        yield
    finally:
        nft(f"delete table {table}")


def nft(text):
    done = subprocess.run(["nft", "-f", "-"], input=text, text=True, capture_output=True)
    if done.returncode != 0:
        raise RuntimeError(f"nft refuses {text!r}: {done.stderr.strip()}")
