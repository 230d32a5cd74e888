"""System calls that a stage cannot make, tried in a sandbox."""

import ctypes
import errno
import fcntl
import platform
import socket
from typing import Any

import pytest

from tasks.supervise import system_call_filter
from tests.sandbox import inside_each, make, needs_sandbox

pytestmark = [
    needs_sandbox,
    pytest.mark.skipif(
        platform.machine() not in system_call_filter.NUMBERS_BY_MACHINE, reason="there is no filter for this machine"
    ),
]

TRIES = """
import ctypes
libc = ctypes.CDLL(None, use_errno=True)
def tried(number, *given):
    ctypes.set_errno(0)
    left = libc.syscall(ctypes.c_long(number), *(ctypes.c_long(each) for each in given))
    return ctypes.get_errno() if left == -1 else 0
"""
ARCH = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}


def here() -> system_call_filter.SystemCallNumbers:
    return system_call_filter.NUMBERS_BY_MACHINE[platform.machine()]


NAMES = (
    *system_call_filter.DENIED_CALLS,
    "socket",
    "socketpair",
    "ioctl",
    "fcntl",
    "setsockopt",
    "sendto",
    "sendmsg",
    "sendmmsg",
)
OTHER_TCP = (256, socket.IPPROTO_MPTCP, socket.IPPROTO_TCP)
"""Protocols of a socket, of which the last is open; 256 is IPPROTO_SMC, which a kernel without it refuses as well."""
COMMANDS = (fcntl.F_SETLEASE, fcntl.F_NOTIFY, fcntl.F_GETFD)
"""Commands of fcntl(2), the last of which is allowed."""
OPTIONS = ((socket.SOL_SOCKET, socket.SO_REUSEPORT), (socket.SOL_SOCKET, socket.SO_REUSEADDR), (socket.SOL_IP, 15))
"""Levels and options of setsockopt(2), of which the first is closed."""
FAMILIES = (3, 5, 15, 17, 21, 29, 31, 38, 40, 44, 45, 64, 0x10000000, 0x1_0000_0028, -24)
OPEN = (socket.AF_UNIX, socket.AF_INET, socket.AF_INET6)
SECOND = ("tried(0x40000000 + 250, 0)", "tried(0x40000000 + 41, 40, 1, 0)")
"""Calls by the numbers that x86-64 has for programs of 32 bits."""
FORKED = "__import__('os').waitpid(pid, 0)[1] if (pid := __import__('os').fork()) else "
LISTENS = """
import socket
opened = [socket.create_server(ADDRESS)]
opened += [socket.create_server(("127.0.0.1", 0)) for _ in range(1000)]
found = len(opened)
"""


@pytest.fixture(scope="module")
def answers(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Return what each command of the tests below did in a sandbox, by the command."""
    closed = [f"tried({number}, 0, 0, 0, 0, 0, 0)" for number in here().denied_calls]
    sockets = [f"tried({call}, {int(family)}, 1, 0)" for call in here().socket_calls for family in (*FAMILIES, *OPEN)]
    protocols = [f"tried({here().socket_calls[0]}, 2, 1, {protocol})" for protocol in OTHER_TCP]
    shared = [f"tried({here().setsockopt}, 0, {int(level)}, {int(option)}, 0, 0)" for level, option in OPTIONS]
    leases = [f"tried({here().fcntl}, 0, {command}, 0)" for command in COMMANDS]
    fast = [
        f"tried({number}, 0, {', '.join(['0'] * (place - 1))}, {socket.MSG_FASTOPEN}, 0, 0)"
        for number, place in here().send_calls
    ]
    typed = [
        f"tried({here().ioctl}, 0, {request_}, 0)" for request_ in (*system_call_filter.TERMINAL_INPUT_IOCTLS, 0x5413)
    ]
    second = [f"{FORKED}{call}" for call in SECOND] if platform.machine() == "x86_64" else []
    asked = [
        *closed,
        *sockets,
        *protocols,
        *shared,
        *leases,
        *fast,
        *typed,
        *second,
        "list(__import__('psutil').net_if_addrs())",
    ]
    with socket.create_server(("127.0.0.1", 0)) as other:
        listens = LISTENS.replace("ADDRESS", str(other.getsockname()))
        probes = {word: f"{TRIES}\nfound = {word}" for word in asked} | {"listens": listens}
        return inside_each(make(tmp_path_factory.mktemp("tried")), probes)


@pytest.mark.attack(rights="stage", stopped="a filter of system calls answers that they are not permitted")
@pytest.mark.parametrize("name", system_call_filter.DENIED_CALLS)
def test_a_call_is_closed(answers: dict[str, Any], name: str) -> None:
    number = dict(zip(system_call_filter.DENIED_CALLS, here().denied_calls, strict=True))[name]
    assert answers[f"tried({number}, 0, 0, 0, 0, 0, 0)"] == errno.EPERM


@pytest.mark.attack(rights="stage", stopped="a filter of system calls opens four families of sockets alone")
@pytest.mark.parametrize("family", FAMILIES)
def test_a_family_of_sockets_is_closed(answers: dict[str, Any], family: int) -> None:
    """AF_VSOCK, which is 40, is closed as well if bits stand above the int that the kernel looks at."""
    for call in here().socket_calls:
        assert answers[f"tried({call}, {family}, 1, 0)"] == errno.EAFNOSUPPORT


@pytest.mark.attack(
    rights="stage", stopped="a filter of system calls opens no other protocol for TCP, and no send connects"
)
def test_no_other_call_leads_to_a_closed_port(answers: dict[str, Any]) -> None:
    """Landlock knows connect(2) of plain TCP alone."""
    tcp = [answers[f"tried({here().socket_calls[0]}, 2, 1, {protocol})"] for protocol in OTHER_TCP]
    assert tcp == [errno.EPROTONOSUPPORT, errno.EPROTONOSUPPORT, 0]
    for number, place in here().send_calls:
        sent = f"tried({number}, 0, {', '.join(['0'] * (place - 1))}, {socket.MSG_FASTOPEN}, 0, 0)"
        assert answers[sent] == errno.EPERM


@pytest.mark.attack(rights="stage", stopped="a filter of system calls lets no two servers share a port")
def test_no_server_shares_a_port(answers: dict[str, Any]) -> None:
    """Two sockets of one user that both ask for it get a part each of the connections to a port."""
    asked = [answers[f"tried({here().setsockopt}, 0, {int(level)}, {int(option)}, 0, 0)"] for level, option in OPTIONS]
    assert asked == [errno.ENOPROTOOPT, errno.ENOTSOCK, errno.ENOTSOCK]


@pytest.mark.attack(rights="stage", stopped="a filter of system calls gives no leases on files that others open")
def test_no_file_is_leased(answers: dict[str, Any]) -> None:
    lease, notice, flags = (answers[f"tried({here().fcntl}, 0, {command}, 0)"] for command in COMMANDS)
    assert (lease, notice, flags) == (errno.EPERM, errno.EPERM, 0)


@pytest.mark.parametrize("family", OPEN)
def test_other_sockets_are_open(answers: dict[str, Any], family: int) -> None:
    assert answers[f"tried({here().socket_calls[0]}, {int(family)}, 1, 0)"] == 0


def test_a_thousand_sockets_are_its_own(answers: dict[str, Any]) -> None:
    """On a loopback of its own: a port that is taken here is free there."""
    assert answers["listens"] == 1001


def test_the_addresses_of_the_machine_can_be_asked_for(answers: dict[str, Any]) -> None:
    assert "lo" in answers["list(__import__('psutil').net_if_addrs())"]


@pytest.mark.attack(rights="stage", stopped="a filter of system calls types nothing into a terminal")
@pytest.mark.parametrize("request_", system_call_filter.TERMINAL_INPUT_IOCTLS)
def test_nothing_is_typed_into_a_terminal(answers: dict[str, Any], request_: int) -> None:
    typed, size = (answers[f"tried({here().ioctl}, 0, {number}, 0)"] for number in (request_, 0x5413))
    assert typed == errno.EPERM and size != errno.EPERM, "to ask for its size is fine"


@pytest.mark.skipif(platform.machine() != "x86_64", reason="other machines have one number for each call")
@pytest.mark.attack(rights="stage", stopped="calls by their second numbers end the process")
@pytest.mark.parametrize("call", SECOND)
def test_second_numbers_end_the_process(answers: dict[str, Any], call: str) -> None:
    assert answers[f"{FORKED}{call}"] == 31, "SIGSYS"


@pytest.mark.parametrize("machine", system_call_filter.NUMBERS_BY_MACHINE)
def test_the_numbers_are_those_of_libseccomp(machine: str) -> None:
    try:
        library = ctypes.CDLL("libseccomp.so.2")
    except OSError:
        pytest.skip("libseccomp is not installed")
    known = system_call_filter.NUMBERS_BY_MACHINE[machine]
    assert known.arch == ARCH[machine]
    numbers = {
        name: library.seccomp_syscall_resolve_name_arch(ctypes.c_uint32(known.arch), name.encode()) for name in NAMES
    }
    sends = (number for number, _ in known.send_calls)
    named = dict(
        zip(
            NAMES,
            (*known.denied_calls, *known.socket_calls, known.ioctl, known.fcntl, known.setsockopt, *sends),
            strict=True,
        )
    )
    assert {name: number for name, number in numbers.items() if number >= 0} == {
        name: number for name, number in named.items() if numbers[name] >= 0
    }, "a call that a machine has not has a number below 0"


def test_a_machine_without_a_filter_has_a_sandbox_without(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platform, "machine", lambda: "other")
    with system_call_filter.open_filter() as handle:
        assert handle is None
