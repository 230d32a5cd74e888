"""Filter for system calls. It blocks calls that reach beyond the sandbox or into rarely reviewed parts of the kernel.

bubblewrap isolates only what has a namespace. Keyrings and some socket families have none and are therefore blocked
here. The filter is a BPF program for seccomp(2). libseccomp's Python binding could generate it too, but takes longer to
load than bubblewrap takes to start.
"""

import errno
import os
import platform
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple


class SystemCallNumbers(NamedTuple):
    arch: int
    socket_calls: tuple[int, ...]
    ioctl: int
    fcntl: int
    setsockopt: int
    send_calls: tuple[tuple[int, int], ...]
    """Numbers of sendto, sendmsg and sendmmsg, each with the index of its `flags` argument."""
    denied_calls: tuple[int, ...]
    """Numbers of the calls in DENIED_CALLS, in the same order."""


DENIED_CALLS = (
    "add_key", "request_key", "keyctl",  # keyrings of the user who runs Hallmark
    "bpf", "perf_event_open", "userfaultfd",  # useful to debuggers, and to attacks on the kernel
    "io_uring_setup", "io_uring_enter", "io_uring_register",  # make other calls that no filter sees
    "ptrace", "process_vm_readv", "process_vm_writev", "kcmp",  # memory of other processes
    "fanotify_init", "name_to_handle_at", "open_by_handle_at",  # files without a path
    "inotify_init", "inotify_init1",  # limited to 128 for the user who runs Hallmark
)  # fmt: skip
GENERIC_DENIED_NUMBERS = (217, 218, 219, 280, 241, 282, 425, 426, 427, 117, 270, 271, 272, 262, 264, 265, 26, 26)
NUMBERS_BY_MACHINE = {
    "x86_64": SystemCallNumbers(
        arch=0xC000003E, socket_calls=(41, 53), ioctl=16, fcntl=72, setsockopt=54,
        send_calls=((44, 3), (46, 2), (307, 3)),
        denied_calls=(248, 249, 250, 321, 298, 323, 425, 426, 427, 101, 310, 311, 312, 300, 303, 304, 253, 294),
    ),
    "aarch64": SystemCallNumbers(
        arch=0xC00000B7, socket_calls=(198, 199), ioctl=29, fcntl=25, setsockopt=208,
        send_calls=((206, 3), (211, 2), (269, 3)), denied_calls=GENERIC_DENIED_NUMBERS,
    ),
}  # fmt: skip
"""System call numbers by architecture. Both architectures are little-endian. Other architectures have no filter."""
ALLOWED_SOCKET_FAMILIES = (1, 2, 10, 16)
"""Allowed socket families: Unix, IPv4, IPv6, and netlink, with which programs query the machine's addresses. AF_VSOCK
is blocked: it connects to the host of a virtual machine and belongs to no namespace."""
TERMINAL_INPUT_IOCTLS = (0x5412, 0x541C)
"""TIOCSTI and TIOCLINUX of ioctl(2), which can insert text as if a user had typed it at the terminal."""
OTHER_TCP_PROTOCOLS = (256, 262)
"""IPPROTO_SMC and IPPROTO_MPTCP, socket protocols that bypass Landlock's rules for TCP ports."""
MSG_FASTOPEN = 0x20000000
"""MSG_FASTOPEN, a flag that lets a send operation also open a connection."""
SOL_SOCKET, SO_REUSEPORT = 1, 15
"""Level and option of setsockopt(2) that let two servers of one user listen on the same port and share its
connections."""
LEASE_COMMANDS = (1024, 1026)
"""F_SETLEASE and F_NOTIFY of fcntl(2). With a lease on a read-only file, a stage could prevent other processes from
opening the file."""
FIRST_X32_NUMBER = 0x40000000
"""First system call number of x32, the second set of system calls on x86-64."""

LOAD_WORD, JUMP_IF_EQUAL, JUMP_IF_AT_LEAST, JUMP_IF_BITS_SET, RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
"""BPF instructions: load a word; jump if the word equals, is at least, or has a bit in common with a value; return."""
NUMBER_OFFSET, ARCHITECTURE_OFFSET, ARGUMENTS_OFFSET = 0, 4, 16
"""Offsets of the system call's number, architecture and arguments in the input of the filter. Only the lower word of an
argument is read, because the kernel also ignores the upper word."""
ALLOW, KILL, ERROR = 0x7FFF0000, 0x80000000, 0x00050000

BpfStep = tuple[int, int, int, int]
"""BPF instruction: code, number of instructions to skip if its condition is true, number to skip if it is false, and
value."""


@contextmanager
def open_filter() -> Iterator[int | None]:
    """Yield a file descriptor from which `bwrap --seccomp` can read the filter once.

    The value is None if the machine's architecture has no filter.
    """
    known = NUMBERS_BY_MACHINE.get(platform.machine())
    if known is None:
        yield None
        return
    handle = os.memfd_create("calls")
    try:
        os.write(handle, bpf_program(known))
        os.lseek(handle, 0, os.SEEK_SET)
        yield handle
    finally:
        os.close(handle)


def bpf_program(numbers: SystemCallNumbers) -> bytes:
    steps: list[BpfStep] = [
        (LOAD_WORD, 0, 0, ARCHITECTURE_OFFSET),
        (JUMP_IF_EQUAL, 1, 0, numbers.arch),
        (RETURN, 0, 0, KILL),
        (LOAD_WORD, 0, 0, NUMBER_OFFSET),
        (JUMP_IF_AT_LEAST, 0, 1, FIRST_X32_NUMBER),
        (RETURN, 0, 0, KILL),
        *(
            step
            for number in numbers.denied_calls
            for step in _if_number(number, [(RETURN, 0, 0, ERROR | errno.EPERM)])
        ),
        *(step for number in numbers.socket_calls for step in _if_number(number, _socket_steps())),
        *(
            step
            for number, place in numbers.send_calls
            for step in _if_number(number, _flag_steps(place, MSG_FASTOPEN))
        ),
        *_if_number(numbers.setsockopt, _port_sharing_steps()),
        *_if_number(numbers.fcntl, _argument_steps(1, LEASE_COMMANDS, ERROR | errno.EPERM, ALLOW)),
        *_if_number(numbers.ioctl, _argument_steps(1, TERMINAL_INPUT_IOCTLS, ERROR | errno.EPERM, ALLOW)),
        (RETURN, 0, 0, ALLOW),
    ]
    return b"".join(struct.pack("<HBBI", *step) for step in steps)


def _if_number(number: int, then: list[BpfStep]) -> list[BpfStep]:
    return [(JUMP_IF_EQUAL, 0, len(then), number), *then]


def _socket_steps() -> list[BpfStep]:
    denied = [
        step
        for it in OTHER_TCP_PROTOCOLS
        for step in ((JUMP_IF_EQUAL, 0, 1, it), (RETURN, 0, 0, ERROR | errno.EPROTONOSUPPORT))
    ]
    return [
        (LOAD_WORD, 0, 0, ARGUMENTS_OFFSET + 8 * 2),
        *denied,
        *_argument_steps(0, ALLOWED_SOCKET_FAMILIES, ALLOW, ERROR | errno.EAFNOSUPPORT),
    ]


def _flag_steps(argument_index: int, bit: int) -> list[BpfStep]:
    return [
        (LOAD_WORD, 0, 0, ARGUMENTS_OFFSET + 8 * argument_index),
        (JUMP_IF_BITS_SET, 0, 1, bit),
        (RETURN, 0, 0, ERROR | errno.EPERM),
        (RETURN, 0, 0, ALLOW),
    ]


def _port_sharing_steps() -> list[BpfStep]:
    shared = _argument_steps(2, (SO_REUSEPORT,), ERROR | errno.ENOPROTOOPT, ALLOW)
    return [(LOAD_WORD, 0, 0, ARGUMENTS_OFFSET + 8), (JUMP_IF_EQUAL, 1, 0, SOL_SOCKET), (RETURN, 0, 0, ALLOW), *shared]


def _argument_steps(argument_index: int, values: tuple[int, ...], if_listed: int, otherwise: int) -> list[BpfStep]:
    known = [step for value in values for step in ((JUMP_IF_EQUAL, 0, 1, value), (RETURN, 0, 0, if_listed))]
    return [(LOAD_WORD, 0, 0, ARGUMENTS_OFFSET + 8 * argument_index), *known, (RETURN, 0, 0, otherwise)]
