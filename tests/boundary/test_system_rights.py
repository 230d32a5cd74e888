"""Rights over the machine that a stage asks the system for from inside its sandbox."""

import errno
import platform
from pathlib import Path

import pytest

from tests.sandbox import inside, inside_each, make, needs_sandbox

pytestmark = needs_sandbox
x86 = pytest.mark.skipif(platform.machine() != "x86_64", reason="numbers of system calls of x86-64")
CALLS = {
    "mount": (165, b"none", b"/tmp", b"tmpfs", 0, None),
    "take a mount away": (166, b"/tmp", 0),
    "another root": (155, b"/tmp", b"/tmp"),
    "change the root": (161, b"/tmp"),
    "a tree of mounts that is its own": (428, -100, b"/", 1),
    "a file system that is its own": (430, b"tmpfs", 0),
    "change how something is mounted": (442, -100, b"/", 0, b"\1" + b"\0" * 31, 32),
    "a module of the kernel": (175, None, 0, b""),
    "another kernel": (246, 0, 0, None, 0),
    "start the machine again": (169, 1, 1, 1, None),
    "the time": (227, 0, b"\0" * 16),
    "the machine's name": (170, b"x", -1),
    "memory on a disk": (167, None, 0),
    "an account of all processes": (163, None),
    "ports of the machine": (172, 3),
    "the kernel's log": (103, 5, None, 0),
    "a higher priority": (141, 0, 0, -20),
    "a device": (133, b"/tmp/device", 0o20666, 0x101),
    "another owner of a file": (92, b"/tmp", 4242, 4242),
    "another user": (105, 4242),
    "another group": (106, 4242),
    "more groups": (116, 1, b"\1\0\0\0"),
}
"""Calls that need rights, each with the number of the system call and its arguments. If a call were allowed, it would
fail because of its arguments, with another error than one for missing rights, or its effect would end with the
sandbox."""


@x86
@pytest.mark.attack(rights="stage", stopped="a stage has no capabilities, and its mounts and names are its own")
@pytest.mark.parametrize("what", list(CALLS))
def test_a_call_that_needs_rights_fails(called: dict[str, list[int]], what: str) -> None:
    result, number = called[what]
    no_user = errno.EINVAL if what.startswith("another ") else errno.EPERM  # a user that the sandbox has not
    assert result == -1 and number in (errno.EPERM, errno.EACCES, errno.ENOSYS, no_user)


@pytest.fixture(scope="module")
def called(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[int]]:
    source = f"""
import ctypes
libc, found = ctypes.CDLL(None, use_errno=True), {{}}
for what, (number, *given) in {CALLS!r}.items():
    result = libc.syscall(number, *given)
    found[what] = [result, ctypes.get_errno()]
"""
    found: dict[str, list[int]] = inside(make(tmp_path_factory.mktemp("called")), source)
    return found


SPACES = {"mounts": 0x20000, "groups": 0x2000000, "a host": 0x4000000, "shared memory": 0x8000000,
          "users": 0x10000000, "processes": 0x20000000, "a network": 0x40000000, "a clock": 0x80}  # fmt: skip


@pytest.fixture(scope="module")
def unshared(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[int]]:
    """Answers of the system to who asks for each name space, alone and with users of its own."""
    ask = "import ctypes; libc = ctypes.CDLL(None); found = [libc.unshare({:#x}), libc.unshare({:#x})]"
    asked = {of: ask.format(bits, bits | SPACES["users"]) for of, bits in SPACES.items()}
    return inside_each(make(tmp_path_factory.mktemp("unshared")), asked)


@pytest.mark.attack(rights="stage", stopped="a stage makes no name spaces, so it gets no rights in one of its own")
@pytest.mark.parametrize("of", list(SPACES))
def test_no_name_space_of_its_own(unshared: dict[str, list[int]], of: str) -> None:
    """A stage in a user namespace of its own would have every right."""
    assert unshared[of] == [-1, -1]


RAISES = """
import os, resource
found = []
for what, wanted in ((resource.RLIMIT_CORE, 1 << 20), (resource.RLIMIT_NICE, 40), (resource.RLIMIT_RTPRIO, 99)):
    try:
        resource.setrlimit(what, (wanted, wanted))
        found.append("limit")
    except (ValueError, OSError):
        pass
try:
    os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(50))
    found.append("goes first")
except OSError:
    pass
"""


@pytest.mark.attack(rights="stage", stopped="a stage raises none of its limits")
def test_it_takes_no_more_of_the_machine_than_others(tmp_path: Path) -> None:
    made = make(tmp_path)
    source = f"import resource\nresource.setrlimit(resource.RLIMIT_CORE, (0, 0))\n{RAISES}"
    assert inside(made, source) == []
