"""What a command prints while work goes on."""

import contextlib
import io
import os
import pty
import sys
import threading

import pytest
from rich.console import Console

from infra.cli import progress_display
from infra.cli.progress_display import ProgressDisplay, showing_step
from tests.patience import wait_until


@pytest.fixture(autouse=True)
def told_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress_display, "TICK_SECONDS", 0.01)
    monkeypatch.setattr(progress_display, "QUIET_SECONDS", 0)


def shown(terminal: bool) -> tuple[Console, io.StringIO]:
    written = io.StringIO()
    return Console(file=written, force_terminal=terminal, width=100, highlight=False), written


class Ticks(threading.Event):
    """The event `Screen.ended`, which counts how often the moving line has waited for it."""

    count = 0

    def wait(self, timeout: float | None = None) -> bool:
        self.count += 1
        return super().wait(timeout)


def test_what_is_at_work_is_told_with_the_time_since() -> None:
    console, written = shown(terminal=False)
    told = ProgressDisplay(console)
    told.ended = ticks = Ticks()
    with told:
        told.show_step("base_model", "fetching wheel x==1")
        told.step_started_at -= 65
        wait_for("  … base_model fetching wheel x==1 1 min", written)
        told.show_step("train", "7/210 loss 1.3 eta 6 min 06 s")
        wait_for("  … train 7/210 loss 1.3 eta 6 min 06 s\n", written)  # with the time remaining it needs no other
        told.line("train done")
        before = ticks.count
        wait_until(lambda: ticks.count > before + 2, "a look at what is at work")
    assert written.getvalue().splitlines()[-1] == "train done"


def wait_for(line: str, written: io.StringIO) -> None:
    wait_until(lambda: line in written.getvalue(), f"the line {line!r}", every=0.01, saw=written.getvalue)


def test_in_a_terminal_the_line_moves_though_nothing_is_heard() -> None:
    console, written = shown(terminal=True)
    with showing_step("verifying triage-1", console):
        for second in (1, 2):
            wait_for(f"verifying triage-1 {second} s", written)


MOVES = """
from tasks.core import escaping
escaping.escape_output()
from infra.cli.shared import console
from infra.cli.progress_display import ProgressDisplay
with ProgressDisplay(console) as told:
    told.show_step("train")
    input()
    told.line("hostile \\x1b[2J text")
    print("as \\x1b[2J print says it")
"""


def test_in_a_terminal_the_line_that_moves_is_obeyed_and_text_is_not() -> None:
    """What moves is made of control characters of rich's own; those of a text are spelled out."""
    pid, terminal = pty.fork()
    if pid == 0:
        os.execv(sys.executable, [sys.executable, "-c", MOVES])
    written = b""
    moves, asked = b"starting\r\x1b[2K", False
    with contextlib.suppress(OSError):  # the end of a terminal
        while data := os.read(terminal, 65536):
            written += data
            if moves in written and not asked:
                asked = bool(os.write(terminal, b"\n"))
    os.waitpid(pid, 0)
    os.close(terminal)
    assert b"\x1b[32m" in written and moves in written
    assert b"hostile <U+001B>[2J text" in written and b"as  print says it" in written
    assert written.count(b"<U+001B>") == 1


def test_without_a_console_nothing_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    with ProgressDisplay(None) as told:
        told.show_step("verifying")
        assert not told.refresh_thread.is_alive()
    assert capsys.readouterr().out == ""
