"""Filter of system calls that reach past the sandbox, or into parts of the kernel that are rarely examined.

bubblewrap isolates everything that has a namespace; keyrings and some families of sockets have none. The filter is a
BPF program for seccomp(2). libseccomp's Python binding would write it too, but takes longer to load than bubblewrap to
start.
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
    sockets: tuple[int, ...]
    ioctl: int
    fcntl: int
    setsockopt: int
    sends: tuple[tuple[int, int], ...]
    """Numbers of sendto, sendmsg and sendmmsg, each with the index of its argument for flags."""
    denied: tuple[int, ...]
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
        arch=0xC000003E, sockets=(41, 53), ioctl=16, fcntl=72, setsockopt=54,
        sends=((44, 3), (46, 2), (307, 3)),
        denied=(248, 249, 250, 321, 298, 323, 425, 426, 427, 101, 310, 311, 312, 300, 303, 304, 253, 294),
    ),
    "aarch64": SystemCallNumbers(
        arch=0xC00000B7, sockets=(198, 199), ioctl=29, fcntl=25, setsockopt=208,
        sends=((206, 3), (211, 2), (269, 3)), denied=GENERIC_DENIED_NUMBERS,
    ),
}  # fmt: skip
"""Numbers of system calls by machine, all little-endian. There is no filter for other machines."""
ALLOWED_SOCKET_FAMILIES = (1, 2, 10, 16)
"""Families of sockets that are allowed: Unix, IPv4, IPv6, and netlink, by which programs ask for the machine's
addresses. AF_VSOCK, which leads to the host of a virtual machine, belongs to no namespace."""
TERMINAL_INPUT_IOCTLS = (0x5412, 0x541C)
"""TIOCSTI and TIOCLINUX of ioctl(2), which can enter text as if it were typed at the terminal."""
OTHER_TCP_PROTOCOLS = (256, 262)
"""IPPROTO_SMC and IPPROTO_MPTCP, protocols of sockets that avoid Landlock's rules for TCP ports."""
FASTOPEN = 0x20000000
"""MSG_FASTOPEN, a flag with which a send also opens a connection."""
SOL_SOCKET, SO_REUSEPORT = 1, 15
"""Level and option of setsockopt(2) by which two servers of one user listen on one port and share its connections."""
LEASE_COMMANDS = (1024, 1026)
"""F_SETLEASE and F_NOTIFY of fcntl(2).

A lease on a file that a stage may only read would keep others from opening it.
"""
FIRST_X32_NUMBER = 0x40000000
"""First number of x32, a second set of numbers that x86-64 has for system calls."""

LOAD, EQUAL, AT_LEAST, HAS, RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
"""BPF instructions: load a word; jump if it equals, is at least, or has a bit of the value; return."""
NUMBER, ARCH, ARGUMENTS = 0, 4, 16
"""Offsets of a call's number, its machine and its arguments; only the lower word of an argument is read, as the kernel
does."""
ALLOW, KILL, ERROR = 0x7FFF0000, 0x80000000, 0x00050000

BpfStep = tuple[int, int, int, int]
"""BPF step: instruction, number of steps to skip if its condition holds, number of steps to skip if not, value."""


@contextmanager
def open_filter() -> Iterator[int | None]:
    """Yield a handle of the filter, which `bwrap --seccomp` reads once; None if this machine has no filter."""
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


def bpf_program(machine: SystemCallNumbers) -> bytes:
    steps: list[BpfStep] = [
        (LOAD, 0, 0, ARCH),
        (EQUAL, 1, 0, machine.arch),
        (RETURN, 0, 0, KILL),
        (LOAD, 0, 0, NUMBER),
        (AT_LEAST, 0, 1, FIRST_X32_NUMBER),
        (RETURN, 0, 0, KILL),
        *(step for number in machine.denied for step in _if_number(number, [(RETURN, 0, 0, ERROR | errno.EPERM)])),
        *(step for number in machine.sockets for step in _if_number(number, _socket_steps())),
        *(step for number, place in machine.sends for step in _if_number(number, _flag_steps(place, FASTOPEN))),
        *_if_number(machine.setsockopt, _port_sharing_steps()),
        *_if_number(machine.fcntl, _argument_steps(1, LEASE_COMMANDS, ERROR | errno.EPERM, ALLOW)),
        *_if_number(machine.ioctl, _argument_steps(1, TERMINAL_INPUT_IOCTLS, ERROR | errno.EPERM, ALLOW)),
        (RETURN, 0, 0, ALLOW),
    ]
    return b"".join(struct.pack("<HBBI", *step) for step in steps)


def _if_number(number: int, then: list[BpfStep]) -> list[BpfStep]:
    return [(EQUAL, 0, len(then), number), *then]


def _socket_steps() -> list[BpfStep]:
    denied = [
        step
        for it in OTHER_TCP_PROTOCOLS
        for step in ((EQUAL, 0, 1, it), (RETURN, 0, 0, ERROR | errno.EPROTONOSUPPORT))
    ]
    return [
        (LOAD, 0, 0, ARGUMENTS + 8 * 2),
        *denied,
        *_argument_steps(0, ALLOWED_SOCKET_FAMILIES, ALLOW, ERROR | errno.EAFNOSUPPORT),
    ]


def _flag_steps(place: int, bit: int) -> list[BpfStep]:
    return [
        (LOAD, 0, 0, ARGUMENTS + 8 * place),
        (HAS, 0, 1, bit),
        (RETURN, 0, 0, ERROR | errno.EPERM),
        (RETURN, 0, 0, ALLOW),
    ]


def _port_sharing_steps() -> list[BpfStep]:
    shared = _argument_steps(2, (SO_REUSEPORT,), ERROR | errno.ENOPROTOOPT, ALLOW)
    return [(LOAD, 0, 0, ARGUMENTS + 8), (EQUAL, 1, 0, SOL_SOCKET), (RETURN, 0, 0, ALLOW), *shared]


def _argument_steps(place: int, values: tuple[int, ...], those: int, others: int) -> list[BpfStep]:
    known = [step for value in values for step in ((EQUAL, 0, 1, value), (RETURN, 0, 0, those))]
    return [(LOAD, 0, 0, ARGUMENTS + 8 * place), *known, (RETURN, 0, 0, others)]
