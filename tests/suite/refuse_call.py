"""Runs a command whose system call CALL fails with ERRNO: refuse_call.py CALL ERRNO COMMAND..."""

import ctypes
import errno
import os
import platform
import struct
import sys

PR_SET_NO_NEW_PRIVS, PR_SET_SECCOMP, SECCOMP_MODE_FILTER = 38, 22, 2
SECCOMP_RET_ERRNO, SECCOMP_RET_ALLOW = 0x00050000, 0x7FFF0000
LOAD_WORD, JUMP_IF_EQUAL, RETURN = 0x20, 0x15, 0x06

NUMBERS = {
    "x86_64": {
        "socket": 41,
        "connect": 42,
        "sendto": 44,
        "recvfrom": 45,
        "getsockopt": 55,
        "epoll_ctl": 233,
        "getrandom": 318,
        "clone3": 435,
    },
    "aarch64": {
        "socket": 198,
        "connect": 203,
        "sendto": 206,
        "recvfrom": 207,
        "getsockopt": 209,
        "epoll_ctl": 21,
        "getrandom": 278,
        "clone3": 435,
    },
}


def main(call, name, *command):
    if platform.machine() not in NUMBERS:
        sys.exit("no filter for this processor")
    refusal = SECCOMP_RET_ERRNO | getattr(errno, name)
    instructions = [
        (LOAD_WORD, 0, 0, 0),  # the number of the call
        (JUMP_IF_EQUAL, 0, 1, NUMBERS[platform.machine()][call]),
        (RETURN, 0, 0, refusal),
        (RETURN, 0, 0, SECCOMP_RET_ALLOW),
    ]
    code = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *each) for each in instructions))
    program = ctypes.create_string_buffer(struct.pack("HxxxxxxP", len(instructions), ctypes.addressof(code)))
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) or libc.prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, program, 0, 0):
        sys.exit(f"no filter here: {os.strerror(ctypes.get_errno())}")
    os.execv(command[0], command)


main(*sys.argv[1:])
