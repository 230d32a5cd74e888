"""Isolation of a stage from other processes and from the one that starts it: memory, open files, the terminal."""

import ctypes
import fcntl
import os
import pty
import subprocess
import sys
import termios
from collections.abc import Iterator
from pathlib import Path

import pytest

from tasks.supervise import sandbox
from tests.patience import patience
from tests.sandbox import inside_each, make, needs_sandbox

pytestmark = needs_sandbox

KEY = 0x48414C4C
SHARED = {
    "shared memory": ("shmget(KEY, 4096, {})", lambda libc, made: libc.shmctl(made, 0, None)),
    "semaphores": ("semget(KEY, 1, {})", lambda libc, made: libc.semctl(made, 0, 0)),
    "queue": ("msgget(KEY, {})", lambda libc, made: libc.msgctl(made, 0, None)),
}
"""The call that finds or makes one, by its flags, and how it is removed."""


@pytest.fixture(scope="module")
def shared_inside(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, tuple[int, int, int]]]:
    """Memory of other processes as a stage finds it, and as its owner finds it before and after."""
    libc = ctypes.CDLL(None, use_errno=True)

    def get(what: str, flags: int) -> int:
        return int(eval(f"libc.{SHARED[what][0].format(flags)}", {"libc": libc, "KEY": KEY}))

    made = {what: get(what, 0o1600) for what in SHARED}
    look = f"import ctypes; libc, KEY = ctypes.CDLL(None), {KEY}; found = libc."
    looks = {what: look + call.format(0) for what, (call, _) in SHARED.items()}
    try:
        found = inside_each(make(tmp_path_factory.mktemp("shared")), looks)
        yield {what: (made[what], found[what], get(what, 0)) for what in SHARED}
    finally:
        for what, (_, remove) in SHARED.items():
            if made[what] >= 0:
                remove(libc, made[what])


@pytest.mark.attack(rights="stage", stopped="shared memory, semaphores and queues of the machine are not the sandbox's")
@pytest.mark.parametrize("what", list(SHARED))
def test_what_processes_share_is_its_own(shared_inside: dict[str, tuple[int, int, int]], what: str) -> None:
    made, found, still = shared_inside[what]
    if made < 0:
        pytest.skip("the machine gives none")
    assert found == -1 and still == made, "outside it is there"


HANDED = """
import os, sys
from tasks.supervise import process
for number in map(int, sys.argv[1].split(",")):
    os.set_inheritable(number, True)
sys.exit(process.run_process(sys.argv[2:], {"PATH": os.environ["PATH"]}, None))
"""
NUMBERS = "import os; found = os.listdir('/proc/self/fd'); open('artefacts/numbers', 'w').write(' '.join(found))"


@pytest.fixture(scope="module")
def handed(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, set[str]], set[str]]:
    """Numbers of open files that the supervisor has, by kind, and those that its stage has."""
    place = tmp_path_factory.mktemp("handed")
    made, key = make(place), place / "gate"
    key.write_text("secret")
    ends = {"a key": [os.open(key, os.O_RDONLY)], "a folder": [os.open(place, os.O_RDONLY)], "a pipe": [*os.pipe()]}
    every = [end for kind in ends.values() for end in kind]
    words = sandbox.sandbox_command(made, [sys.executable, "-I", "-c", NUMBERS])
    command = [sys.executable, "-c", HANDED, ",".join(map(str, every)), *words]
    try:
        subprocess.run(command, pass_fds=every, check=True, timeout=patience(60))
    finally:
        for end in every:
            os.close(end)
    numbers = set((made.output_folder / "numbers").read_text().split())
    return {kind: set(map(str, own)) for kind, own in ends.items()}, numbers


@pytest.mark.attack(rights="stage", stopped="a stage is handed no open files")
@pytest.mark.parametrize("kind", ["a key", "a folder", "a pipe"])
def test_no_open_file_is_handed_on(handed: tuple[dict[str, set[str]], set[str]], kind: str) -> None:
    """A stage could climb out by an open folder, which leads to all that lies beside it."""
    supervisors, stages = handed
    assert not supervisors[kind] & stages and stages <= {"0", "1", "2", "3"}, "the last is the folder that it lists"


TYPES = """
import fcntl, os, termios
for number in (0, 1, 2):
    for ask in (lambda: fcntl.ioctl(number, termios.TIOCSCTTY, 1),
                lambda: [fcntl.ioctl(number, termios.TIOCSTI, bytes([each])) for each in b"mine\\n"],
                lambda: os.open(f"/proc/self/fd/{number}", os.O_RDWR),
                lambda: fcntl.ioctl(number, 0x541C, bytes([2, 0]))):
        try:
            ask()
        except OSError:
            pass
open("artefacts/tried", "w").close()
"""


@pytest.mark.attack(rights="stage", stopped="the terminal of who started it is not a stage's")
def test_it_types_nothing_into_the_terminal_of_who_started_it(tmp_path: Path) -> None:
    made, (main, side) = make(tmp_path), pty.openpty()
    settings = termios.tcgetattr(side)
    settings[3] &= ~(termios.ECHO | termios.ICANON)
    termios.tcsetattr(side, termios.TCSANOW, settings)
    words = sandbox.sandbox_command(made, [sys.executable, "-I", "-c", TYPES])
    command = [sys.executable, "-c", HANDED.replace("map(int, sys.argv[1].split(','))", "()"), "1", *words]
    try:
        subprocess.run(
            command, stdin=side, stdout=side, stderr=side, start_new_session=True, check=True,
            timeout=patience(60),
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
        )  # fmt: skip
        waiting = fcntl.ioctl(side, termios.FIONREAD, b"\0" * 4)
    finally:
        os.close(main)
        os.close(side)
    assert (made.output_folder / "tried").exists() and waiting == b"\0" * 4
