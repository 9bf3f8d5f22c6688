"""A far machine behind a tun device of this namespace: every address of 10.77.9.0/24 but the first, TCP over IPv4.

The port selects the behaviour:
    1 to 999     the SYN-ACK comes after this number of milliseconds
    1000 + N     N SYNs are lost, the next is answered at once
    2000 + MS    the RST comes after MS milliseconds
    3000 + CODE  10.77.9.254 sends ICMP type 3 with this code; from 3100 on type 11, from 3200 on type 12
Data is acknowledged and discarded; a FIN is answered by ACK and FIN. Prints `ready`.
"""

import fcntl
import heapq
import os
import select
import struct
import subprocess
import time

FIN, SYN, RST, ACK = 1, 2, 4, 16
MSS = 1400


def checksum(data):
    if len(data) % 2:
        data += b"\0"
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def segment(source, target, sport, dport, sequence, acknowledged, flags):
    options = struct.pack("!BBH", 2, 4, MSS) if flags & SYN else b""
    offset = (20 + len(options)) // 4 << 4
    fields = [sport, dport, sequence, acknowledged, offset, flags, 65535]
    tcp = struct.pack("!HHIIBBHHH", *fields, 0, 0) + options
    pseudo = source + target + struct.pack("!BBH", 0, 6, len(tcp))
    tcp = struct.pack("!HHIIBBHHH", *fields, checksum(pseudo + tcp), 0) + options
    ip = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(tcp), 0, 0, 64, 6, 0) + source + target
    return ip[:10] + struct.pack("!H", checksum(ip)) + ip[12:] + tcp


def icmp(original, kind, code):
    """RFC 792: the message quotes the IP header and eight bytes."""
    body = struct.pack("!BBHI", kind, code, 0, 0) + original[:28]
    body = body[:2] + struct.pack("!H", checksum(body)) + body[4:]
    router = bytes([10, 77, 9, 254])
    ip = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(body), 0, 0, 64, 1, 0) + router + original[12:16]
    return ip[:10] + struct.pack("!H", checksum(ip)) + ip[12:] + body


def answer(packet, syns):
    """The milliseconds to wait and the segment to send then; None for no answer."""
    if packet[0] != 0x45 or packet[9] != 6:
        return None
    source, target = packet[12:16], packet[16:20]
    sport, dport, sequence, acknowledged, offset, flags = struct.unpack("!HHIIBB", packet[20:34])
    size = struct.unpack("!H", packet[2:4])[0] - 20 - (offset >> 4) * 4

    def back(answer_flags, consumed, own=acknowledged):
        heard = (sequence + consumed) & 0xFFFFFFFF
        return segment(target, source, dport, sport, own, heard, answer_flags)

    if flags & RST:
        return None
    if flags & SYN:
        number = syns.setdefault((source, sport, dport), 0)
        syns[source, sport, dport] += 1
        if dport >= 3000:
            kind = (3, 11, 12)[(dport - 3000) // 100]
            return 0, icmp(packet, kind, dport % 100)
        if dport >= 2000:
            return dport - 2000, back(RST | ACK, 1, 0)
        if dport >= 1000:
            return None if number < dport - 1000 else (0, back(SYN | ACK, 1, 1))
        # Only the first SYN of a slow connect is answered, so that no answer belongs to a retransmission.
        return (dport, back(SYN | ACK, 1, 1)) if number == 0 else None
    if flags & FIN:
        return 0, back(FIN | ACK, size + 1)
    return (0, back(ACK, size)) if size else None


tun = os.open("/dev/net/tun", os.O_RDWR)
fcntl.ioctl(tun, 0x400454CA, struct.pack("16sH22x", b"far0", 0x1001))  # TUNSETIFF, IFF_TUN | IFF_NO_PI
for words in ("addr add 10.77.9.1/24 dev far0", "link set far0 up"):
    subprocess.run(["ip", *words.split()], check=True)
print("ready", flush=True)

due, seen, order = [], {}, 0
while True:
    wait = max(0, due[0][0] - time.monotonic()) if due else None
    if select.select([tun], [], [], wait)[0]:
        reply = answer(os.read(tun, 2048), seen)
        if reply:
            order += 1
            heapq.heappush(due, (time.monotonic() + reply[0] / 1000, order, reply[1]))
    while due and due[0][0] <= time.monotonic():
        os.write(tun, heapq.heappop(due)[2])
