"""What a stage with a network reaches of it: the TCP ports that its settings name, and no abstract Unix socket outside.

A stage without a network has a loopback of its own. One with a network shares the machine's, where servers of this
machine listen as well. Landlock keeps it from those: a thread puts it on itself, and on all that it starts from then
on. It knows ports and no hosts, no UDP, and a stage may listen on any port.
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

NAMES_AND_WEB = (53, 80, 443)
"""Ports that names are looked up by, and that a URL means where it names none."""
NAMED = re.compile(r":(\d{1,5})(?=[/\s,;'\"?#]|$)")
"""A port in a URL, or in HOST:PORT."""
CREATE_RULESET, ADD_RULE, RESTRICT_SELF = 444, 445, 446
"""System calls, with these numbers on every machine."""
VERSION, NET_PORT, CONNECT_TCP, ABSTRACT_UNIX_SOCKET = 1, 2, 1 << 1, 1 << 0
OLDEST = 6
"""The first version of Landlock that knows all of this: Linux 6.12."""
NO_NEW_PRIVS = 38
"""PR_SET_NO_NEW_PRIVS of prctl(2), without which nobody but root may restrict itself."""


FURTHER = "HALLMARK_STAGE_PORTS"
"""Environment variable: more TCP ports that stages with a network may connect to, as `8000, 10000-19999`."""
RANGE = re.compile(r"(\d{1,5})(?:-(\d{1,5}))?", re.ASCII)


@cache
def why_not() -> str | None:
    """Why this machine cannot close ports; None where it can."""
    if sys.platform != "linux":
        return "Landlock needs Linux"
    version = _call(CREATE_RULESET, None, 0, VERSION, raises=False)
    return None if version >= OLDEST else "Linux 6.12 or newer with Landlock is needed"


def ports_in(texts: Iterable[str]) -> set[int]:
    """The ports that settings name, with those of names and the web."""
    return {*NAMES_AND_WEB, *(int(port) for text in texts for port in NAMED.findall(text) if int(port) < 2**16)}


def further(spelled: str) -> set[int]:
    """The ports of `HALLMARK_STAGE_PORTS`. Raises InputError for what is no list of ports."""
    ports = set[int]()
    for part in filter(None, (part.strip() for part in spelled.split(","))):
        found = RANGE.fullmatch(part)
        first, last = (int(found[1]), int(found[2] or found[1])) if found else (0, 0)
        if not 0 < first <= last < 2**16:
            raise InputError(f"{FURTHER}: expected ports such as `8000, 10000-19999`, got {part!r}")
        ports.update(range(first, last + 1))
    return ports


def confine(ports: Collection[int]) -> None:
    """Close other ports, and abstract sockets of others, to this thread and to what it starts. Raises OSError."""
    handled = struct.pack("=QQQ", 0, CONNECT_TCP, ABSTRACT_UNIX_SOCKET)
    rules = _call(CREATE_RULESET, handled, len(handled), 0)
    try:
        for port in ports:
            _call(ADD_RULE, rules, NET_PORT, struct.pack("=QQ", CONNECT_TCP, port), 0)
        ctypes.CDLL(None, use_errno=True).prctl(NO_NEW_PRIVS, 1, 0, 0, 0)
        _call(RESTRICT_SELF, rules, 0)
    finally:
        os.close(rules)


def _call(number: int, *arguments: int | bytes | None, raises: bool = True) -> int:
    done = int(ctypes.CDLL(None, use_errno=True).syscall(number, *arguments))
    if done < 0 and raises:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()), "Landlock")
    return done
