"""Pytest plugin that reports the CPU time of a test session by test file, and compares it with the budget.

A file's time is the CPU time that its pytest worker and the worker's children use while the file runs (`spent`), plus
that of detached processes that it started, such as servers (`Strays`).
Services that tests share have a row of their own.
"""

import json
import os
import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests import temporary
from tests.patience import measure_slowness

MINUTES, CPU_SECONDS = 21, 2_100
"""Budget of `make test` in a set-up clone, on two quiet cores: 16 minutes and 1,600 CPU seconds, and one minute and 100
CPU seconds more for each larger extension of Hallmark since."""
LISTED = 10
"""Number of files in the table."""
LOOK_SECONDS = 1.0
"""Seconds between two looks at the processes of the machine."""
TICKS = os.sysconf("SC_CLK_TCK")
PROGRAMS = {
    "raylet": "Ray",
    "ray::": "Ray",
    "/ray/": "Ray",
    "gcs_server": "Ray",
    "prefect": "Prefect",
    "flows.": "Prefect",
    "mlflow": "MLflow",
    "postgres": "Postgres",
    "chrom": "browser",
    "swift": "object store",
    "tasks.stages": "stages",
    "hallmark-stage": "stages",
    "bwrap": "stages",
    "dvc": "DVC",
    "hallmark": "commands",
}
"""Kinds of programs by a part of their command lines; the first that fits counts."""

SESSION = "PYTEST_SESSION"
"""Environment variable: name of the test session, in all processes that it starts."""

SHARED = "what tests share"
"""Row of the table for folders and services that are made once for all tests (tests/shared.py)."""
CURRENT = "PYTEST_CURRENT_TEST"
"""Environment variable in which pytest puts the name of the running test."""

Key = tuple[int, int]
"""Identity of a process: its pid and its start time in clock ticks."""

KERNEL = (0, 2)
"""Parent pids of processes that the kernel started, which have no environment."""
_origins: dict[tuple[Key, str], tuple[bool, str]] = {}
"""Cached results of `origin`."""


class Process(NamedTuple):
    """State of a process at one look."""

    key: Key
    parent: int
    own: float
    """CPU seconds of the process itself."""
    reaped: float
    """CPU seconds of the child processes that it has waited for."""
    file: str = ""
    """Test file during which the process was started, if it belongs to the session."""
    stray: bool = False
    """Whether no pytest worker waits for this process or for one of its ancestors."""

    @property
    def spent(self) -> float:
        return self.own + self.reaped


@dataclass
class Cost:
    """Cost of one test file."""

    cpu: float = 0
    wall: float = 0
    tests: int = 0


_shared = Cost()
"""Cost so far, in this process, of what tests share, without services."""
_services: dict[Key, float] = {}
"""CPU seconds, when last seen, of each service that tests share and this process started, with those below it."""


def spent() -> float:
    """Return the CPU seconds of this process and of those below it, both ended and running.

    Services that tests share are left out: the file that happens to run when one ends does not pay for it.
    """
    mine = sum(_spent_by_all_of(child) for child in _children() if child.file != SHARED)
    return _finally_spent() - _spent_by_ended_services() + mine


def _spent_by_ended_services() -> float:
    """Return the CPU seconds of the services that tests share and that this process started and has waited for."""
    running = {child.key: _spent_by_all_of(child) for child in _children() if child.file == SHARED}
    _services.update(running)
    return sum(cpu for key, cpu in _services.items() if key not in running)


def _finally_spent() -> float:
    """Return the CPU seconds of this process and of the children that it has waited for."""
    return sum(os.times()[:4])


def _children(pid: int | str = "self") -> Iterator[Process]:
    with suppress(OSError):  # the process has ended
        for thread in Path(f"/proc/{pid}/task").iterdir():
            for child in read(pid, f"task/{thread.name}/children").split():
                if process := look_at(int(child)):
                    yield process._replace(file=origin(process.key, os.environ.get(SESSION, ""))[1])


def _spent_by_all_of(process: Process) -> float:
    """Return the CPU seconds of a process and of those below it, for which it waits only when it ends."""
    return process.spent + sum(_spent_by_all_of(child) for child in _children(process.key[0]))


@contextmanager
def charged_to_all() -> Iterator[None]:
    """Charge the CPU time of the block to SHARED and not to the current test file."""
    test, before = os.environ.get(CURRENT, ""), spent()
    if test.startswith(SHARED):
        yield
        return
    os.environ[CURRENT] = f"{SHARED}::"
    try:
        yield
    finally:
        _shared.cpu += spent() - before
        os.environ[CURRENT] = test


def own_session() -> dict[str, str]:
    """Return the environment for a pytest session that a test starts, so that it is no worker of this session."""
    outer = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    return outer | {temporary.INNER: "yes"}


def processes() -> Iterator[Process]:
    """Yield every process of the machine."""
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit() and (process := look_at(int(folder.name))):
            yield process


def look_at(pid: int) -> Process | None:
    """Return a process as it is now; None if it has ended."""
    if not (stat := read(pid, "stat")):
        return None
    words = stat.rpartition(")")[2].split()
    user, system, reaped_user, reaped_system = (int(word) / TICKS for word in words[11:15])
    return Process((pid, int(words[19])), int(words[1]), user + system, reaped_user + reaped_system)


def read(pid: int | str, name: str) -> str:
    """Return a file of /proc/PID as text; empty if the process has ended or is another user's."""
    try:
        return Path(f"/proc/{pid}/{name}").read_bytes().replace(b"\0", b"\n").decode(errors="replace")
    except OSError:
        return ""


def origin(key: Key, session: str) -> tuple[bool, str]:
    """Return whether a process was started in a test session, and the test file.

    A process that was just forked still has the environment of its parent, and one that is about to execute its program
    has none yet. So the result is cached only if the process has a command line of its own.
    """
    if (key, session) not in _origins:
        environment = read(key[0], "environ").splitlines()
        test = next((line for line in environment if line.startswith(f"{CURRENT}=")), "")
        found = f"{SESSION}={session}" in environment, test.partition("=")[2].partition("::")[0]
        me, command = look_at(key[0]), read(key[0], "cmdline")
        by_kernel = me is not None and me.parent in KERNEL
        if not by_kernel and (me is None or not environment or command in ("", read(me.parent, "cmdline"))):
            return found
        _origins[key, session] = found
    return _origins[key, session]


def kind(pid: int) -> str:
    """Return the kind of program that a process runs."""
    command = read(pid, "cmdline")
    return next((name for part, name in PROGRAMS.items() if part in command), "others")


class Strays:
    """Thread that observes the processes of the session at intervals of LOOK_SECONDS.

    A process belongs to the session if it descended from this process at some look, or if its environment names the
    session: pytest sets the name of the test (PYTEST_CURRENT_TEST), and tests/conftest.py that of the session. The time
    of a process that begins and ends between two looks is counted only if its parent waits for it.
    """

    def __init__(self, session: str) -> None:
        self._session = session
        self._members: dict[Key, Process] = {}
        self._ended: dict[str, float] = defaultdict(float)
        self.programs: dict[str, dict[str, float]] = defaultdict(lambda: defaultdict(float))
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._look_on, daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> dict[str, float]:
        """Stop the thread, and return the CPU seconds of stray processes by test file."""
        self._end.set()
        self._thread.join()
        self._look()
        spent = defaultdict(float, self._ended)
        for member in self._members.values():
            if member.stray:
                spent[member.file] += member.spent
        return spent

    def _look_on(self) -> None:
        while not self._end.wait(LOOK_SECONDS):
            self._look()

    def _look(self) -> None:
        found = {process.key[0]: process for process in processes()}
        before, self._members = self._members, {}
        for pid in found:
            self._place(pid, found, before)
        for key, member in self._members.items():
            spent = member.own - (before[key].own if key in before else 0)
            if spent and member.file:
                self.programs[member.file][kind(key[0])] += spent
        self._count_ended(before)

    def _count_ended(self, before: dict[Key, Process]) -> None:
        """Count the CPU time of processes that have ended since the last look without a parent that waited for them."""
        keys = {key[0]: key for key in before}
        ended: dict[Key | None, dict[str, float]] = defaultdict(lambda: defaultdict(float))
        for key, member in before.items():
            if key not in self._members:
                above = keys.get(member.parent)
                while above and above not in self._members:
                    above = keys.get(before[above].parent)
                ended[above][member.file] += member.spent
        for above, spent in ended.items():
            waited_for = self._members[above].reaped - before[above].reaped if above else 0
            for file in spent:
                self._ended[file] += max(0, spent[file] - waited_for)
                waited_for = max(0, waited_for - spent[file])

    def _place(self, pid: int, found: dict[int, Process], before: dict[Key, Process]) -> Process | None:
        """Add a process and its parents to the members of the session, and return it; None if it is no member."""
        process = found[pid]
        if process.key not in self._members and pid != os.getpid():
            above = self._place(process.parent, found, before) if process.parent in found else None
            known = above or before.get(process.key)  # `before` has it if its parent has ended
            ours, file = origin(process.key, self._session)
            if not known and not ours:
                return None
            file = file or (known.file if known else "")
            process = process._replace(file=file, stray=not above or above.stray)
        return self._members.setdefault(process.key, process)


def _file_of(item: pytest.Item) -> str:
    return item.nodeid.partition("::")[0]


class Worker:
    """Plugin that adds up the cost of each file in the process that runs its tests."""

    def __init__(self) -> None:
        self.costs: dict[str, Cost] = defaultdict(Cost)
        self._file, self._before = "", 0.0

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Item, nextitem: pytest.Item | None) -> Iterator[None]:
        file = _file_of(item)
        if file != self._file:
            self._file, self._before = file, spent() - _shared.cpu
        began = time.monotonic()
        try:
            return (yield)
        finally:
            cost = self.costs[file]
            cost.wall += time.monotonic() - began
            cost.tests += 1
            if nextitem is None or _file_of(nextitem) != file:  # not for each test: reading the children takes .2 ms
                self._close()

    def _close(self) -> None:
        """Add the CPU time since the current file began to the cost of that file."""
        if self._file:
            self.costs[self._file].cpu += spent() - _shared.cpu - self._before
            self._file = ""

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        self._close()  # if `-x` or Ctrl-C ended the session in the middle of a file
        self.costs[SHARED] = replace(_shared, cpu=_shared.cpu + _spent_by_ended_services())
        if (output := getattr(session.config, "workeroutput", None)) is not None:
            output["costs"] = {file: (cost.cpu, cost.wall, cost.tests) for file, cost in self.costs.items()}
            output["cpu"] = _finally_spent()


class Table:
    """Plugin that prints the cost of the session and its costliest files."""

    def __init__(self, session: str, worker: Worker, kept: Path | None) -> None:
        self._costs, self._strays, self._began = worker.costs, Strays(session), time.monotonic()
        self._workers, self._kept = 0.0, kept

    def pytest_sessionstart(self) -> None:
        self._strays.start()

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        output = getattr(node, "workeroutput", {})  # a worker that crashed has none
        self._workers += output.get("cpu", 0)
        for file, (cpu, wall, tests) in output.get("costs", {}).items():
            known = self._costs[file]
            self._costs[file] = Cost(known.cpu + cpu, known.wall + wall, known.tests + tests)

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        strays = self._strays.stop()
        for file, spent in strays.items():
            self._costs[file].cpu += spent
        here = os.times()
        ours = here.user + here.system + (self._workers or here.children_user + here.children_system)
        write = terminalreporter.write_line
        for line in self._lines(ours + sum(strays.values()), (time.monotonic() - self._began) / 60):
            write(line)
        if self._kept:
            told = {
                file: vars(cost) | {"programs": self._strays.programs[file]}
                for file, cost in sorted(self._costs.items())
                if file
            }
            self._kept.write_text(json.dumps(told, indent=1) + "\n")

    def _lines(self, cpu: float, minutes: float) -> Iterator[str]:
        in_tests = sum(cost.cpu for cost in self._costs.values())
        yield (
            f"{minutes:.1f} min of {MINUTES}, {cpu:,.0f} CPU seconds of {CPU_SECONDS:,} "
            f"({cpu - in_tests:,.0f} of them for imports and collection); "
            f"a fixed loop takes {measure_slowness(time.process_time):.1f} times its CPU seconds of a fast machine"
        )
        files = sorted(((name, cost) for name, cost in self._costs.items() if name), key=lambda one: -one[1].cpu)
        files = files[:LISTED]
        width = max((len(file) for file, _ in files), default=0)
        yield f"{'costliest files':<{width}}      CPU    clock  tests  processes that take longer than a second"
        for file, cost in files:
            programs = sorted(self._strays.programs[file].items(), key=lambda item: -item[1])
            told = ", ".join(f"{name} {spent:.0f} s" for name, spent in programs if spent >= 1)
            yield f"{file:<{width}} {cost.cpu:>7.1f} s {cost.wall:>6.1f} s {cost.tests:>6}  {told}"


def register(config: pytest.Config) -> None:
    """Register the plugins: `Worker` in every process, `Table` in the main process alone."""
    worker = Worker()
    config.pluginmanager.register(worker, "costs of a worker")
    if not hasattr(config, "workerinput"):
        table = Table(os.environ[SESSION], worker, config.getoption("--costs"))
        config.pluginmanager.register(table, "table of costs")
