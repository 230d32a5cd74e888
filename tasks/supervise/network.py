"""Network access of a stage, limited to the TCP ports that its settings name.

A stage without a network has only a private loopback interface. A stage with a network uses the network of the machine,
and could therefore reach servers that listen on this machine. Landlock prevents this. With Landlock, a thread restricts
the TCP ports to which it and all processes that it starts later can connect. Landlock also blocks abstract Unix sockets
outside the sandbox. It distinguishes ports but not hosts, does not cover UDP, and lets a stage listen on any port.
https://docs.kernel.org/userspace-api/landlock.html
"""

import ctypes
import os
import re
import struct
import sys
from collections.abc import Collection, Iterable
from functools import cache

from tasks.core.errors import InputError

DEFAULT_PORTS = (53, 80, 443)
"""Ports of DNS, HTTP and HTTPS."""
PORT_PATTERN = re.compile(r":(\d{1,5})(?=[/\s,;'\"?#]|$)")
CREATE_RULESET, ADD_RULE, RESTRICT_SELF = 444, 445, 446
"""Numbers of Landlock's system calls, which are the same on every architecture."""
GET_VERSION_FLAG, NET_PORT, CONNECT_TCP, ABSTRACT_UNIX_SOCKET = 1, 2, 1 << 1, 1 << 0
OLDEST_LANDLOCK_VERSION = 6
NO_NEW_PRIVS = 38
"""Number of the prctl(2) option PR_SET_NO_NEW_PRIVS. A process without root privileges must set it to use Landlock."""


PORTS_VARIABLE = "HALLMARK_STAGE_PORTS"
"""Name of the environment variable with additional TCP ports for stages with a network, such as `8000, 10000-19999`."""
PORT_RANGE_PATTERN = re.compile(r"(\d{1,5})(?:-(\d{1,5}))?", re.ASCII)


@cache
def unavailable_reason() -> str | None:
    if sys.platform != "linux":
        return "Landlock needs Linux"
    version = _landlock_call(CREATE_RULESET, None, 0, GET_VERSION_FLAG, raises=False)
    return None if version >= OLDEST_LANDLOCK_VERSION else "Linux 6.12 or newer with Landlock is needed"


def find_ports(texts: Iterable[str]) -> set[int]:
    return {*DEFAULT_PORTS, *(int(port) for text in texts for port in PORT_PATTERN.findall(text) if int(port) < 2**16)}


def parse_ports(text: str) -> set[int]:
    """Parse the TCP ports in a value of HALLMARK_STAGE_PORTS.

    Raises:
        InputError: The value is not a list of ports.
    """
    ports = set[int]()
    for part in filter(None, (part.strip() for part in text.split(","))):
        found = PORT_RANGE_PATTERN.fullmatch(part)
        first, last = (int(found[1]), int(found[2] or found[1])) if found else (0, 0)
        if not 0 < first <= last < 2**16:
            raise InputError(f"{PORTS_VARIABLE}: expected ports such as `8000, 10000-19999`, got {part!r}")
        ports.update(range(first, last + 1))
    return ports


def restrict_connections(ports: Collection[int]) -> None:
    """Allow this thread and the processes that it starts to connect to the given TCP ports only.

    Connections to abstract Unix sockets outside the sandbox are blocked too.

    Raises:
        OSError: The kernel refused the restriction.
    """
    handled = struct.pack("=QQQ", 0, CONNECT_TCP, ABSTRACT_UNIX_SOCKET)
    rules = _landlock_call(CREATE_RULESET, handled, len(handled), 0)
    try:
        for port in ports:
            _landlock_call(ADD_RULE, rules, NET_PORT, struct.pack("=QQ", CONNECT_TCP, port), 0)
        ctypes.CDLL(None, use_errno=True).prctl(NO_NEW_PRIVS, 1, 0, 0, 0)
        _landlock_call(RESTRICT_SELF, rules, 0)
    finally:
        os.close(rules)


def _landlock_call(number: int, *arguments: int | bytes | None, raises: bool = True) -> int:
    done = int(ctypes.CDLL(None, use_errno=True).syscall(number, *arguments))
    if done < 0 and raises:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()), "Landlock")
    return done
