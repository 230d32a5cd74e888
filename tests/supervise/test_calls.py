"""System calls that a stage cannot make, tried in a sandbox."""

import ctypes
import errno
import platform
import socket
from pathlib import Path
from typing import Any

import pytest

from tasks.supervise import calls
from tests.sandbox import inside, make, needs_sandbox

pytestmark = [
    needs_sandbox,
    pytest.mark.skipif(platform.machine() not in calls.MACHINES, reason="there is no filter for this machine"),
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


def here() -> calls.Machine:
    return calls.MACHINES[platform.machine()]


def tried(tmp_path: Path, expression: str) -> Any:
    """What `found` is in the sandbox."""
    return inside(make(tmp_path), f"{TRIES}\nfound = {expression}")


FAMILIES = (3, 5, 15, 17, 21, 29, 31, 38, 40, 44, 45, 64, 0x10000000, 0x1_0000_0028, -24)


@pytest.fixture(scope="module")
def answered(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, int], dict[int, int]]:
    """How each closed call ended, by name, and each family of sockets, by number; all tried in one sandbox."""
    calls_ = [f"tried({number}, 0, 0, 0, 0, 0, 0)" for number in here().closed]
    sockets = [f"tried({here().socket}, {family}, 1, 0)" for family in FAMILIES]
    ended = tried(tmp_path_factory.mktemp("tried"), f"[{', '.join([*calls_, *sockets])}]")
    return dict(zip(calls.CLOSED, ended, strict=False)), dict(zip(FAMILIES, ended[len(calls_) :], strict=True))


@pytest.mark.attack(rights="stage", stopped="a filter of system calls answers that they are not permitted")
@pytest.mark.parametrize("name", calls.CLOSED)
def test_a_call_is_closed(answered: tuple[dict[str, int], dict[int, int]], name: str) -> None:
    assert answered[0][name] == errno.EPERM


@pytest.mark.attack(rights="stage", stopped="a filter of system calls opens four families of sockets alone")
@pytest.mark.parametrize("family", FAMILIES)
def test_a_family_of_sockets_is_closed(answered: tuple[dict[str, int], dict[int, int]], family: int) -> None:
    """Of 40, which is AF_VSOCK, also where bits stand above the int that the kernel looks at."""
    assert answered[1][family] == errno.EAFNOSUPPORT


@pytest.mark.parametrize("family", [socket.AF_UNIX, socket.AF_INET, socket.AF_INET6])
def test_other_sockets_are_open(tmp_path: Path, family: int) -> None:
    assert tried(tmp_path, f"tried({here().socket}, {int(family)}, 1, 0)") == 0


def test_a_thousand_sockets_are_its_own(tmp_path: Path) -> None:
    """On a loopback of its own: a port that is taken here is free there."""
    others = "opened += [socket.create_server(('127.0.0.1', 0)) for _ in range(1000)]"
    with socket.create_server(("127.0.0.1", 0)) as here:
        first = f"import socket\nopened = [socket.create_server({here.getsockname()})]"
        found = inside(make(tmp_path), f"{first}\n{others}\nfound = len(opened)")
    assert found == 1001


def test_the_addresses_of_the_machine_can_be_asked_for(tmp_path: Path) -> None:
    names = "__import__('psutil').net_if_addrs()"
    assert "lo" in tried(tmp_path, f"list({names})")


@pytest.mark.attack(rights="stage", stopped="a filter of system calls types nothing into a terminal")
@pytest.mark.parametrize("request_", calls.TYPED)
def test_nothing_is_typed_into_a_terminal(tmp_path: Path, request_: int) -> None:
    typed, size = f"tried({here().ioctl}, 0, {request_}, 0)", f"tried({here().ioctl}, 0, 0x5413, 0)"
    answers = tried(tmp_path, f"[{typed}, {size}]")
    assert answers[0] == errno.EPERM and answers[1] != errno.EPERM, "to ask for its size is fine"


@pytest.mark.skipif(platform.machine() != "x86_64", reason="other machines have one number for each call")
@pytest.mark.attack(rights="stage", stopped="calls by their second numbers end the process")
@pytest.mark.parametrize("call", ["tried(0x40000000 + 250, 0)", "tried(0x40000000 + 41, 40, 1, 0)"])
def test_second_numbers_end_the_process(tmp_path: Path, call: str) -> None:
    started = f"__import__('os').waitpid(pid, 0)[1] if (pid := __import__('os').fork()) else {call}"
    assert tried(tmp_path, started) == 31, "SIGSYS"


@pytest.mark.parametrize("machine", calls.MACHINES)
def test_the_numbers_are_those_of_libseccomp(machine: str) -> None:
    try:
        library = ctypes.CDLL("libseccomp.so.2")
    except OSError:
        pytest.skip("libseccomp is not installed")
    known = calls.MACHINES[machine]
    assert known.arch == ARCH[machine]
    numbers = {
        name: library.seccomp_syscall_resolve_name_arch(ctypes.c_uint32(known.arch), name.encode())
        for name in (*calls.CLOSED, "socket", "ioctl")
    }
    assert numbers == {
        **dict(zip(calls.CLOSED, known.closed, strict=True)),
        "socket": known.socket,
        "ioctl": known.ioctl,
    }


def test_a_machine_without_a_filter_has_a_sandbox_without(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platform, "machine", lambda: "other")
    with calls.filtered() as handle:
        assert handle is None
