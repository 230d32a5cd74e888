"""Tests and cases that `make test` leaves out and `make soak` runs: repetitions of what another test shows once."""

import functools
import inspect
import shlex
from collections import defaultdict
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

import pytest
from _pytest.mark import ParameterSet
from hypothesis import given, settings
from hypothesis.strategies import SearchStrategy

Test = TypeVar("Test", bound=Callable[..., None])

COLLECTED = pytest.StashKey[list[pytest.Item]]()
"""Stash of the configuration: all tests that were collected, with those that are left out."""


def soak(cases: Iterable[Any]) -> list[ParameterSet]:
    """Return cases of `pytest.mark.parametrize` that run in `make soak` alone.

    `@pytest.mark.parametrize("kind", [*FEW, *soak(OTHERS)])` runs the few in `make test` as well. A case of several
    values is a tuple.
    """
    sets = [ParameterSet.extract_from(case, force_tuple=not isinstance(case, tuple)) for case in cases]
    return [pytest.param(*one.values, marks=[*one.marks, pytest.mark.soak], id=one.id) for one in sets]


def examples(*strategies: SearchStrategy[Any], few: int, many: int = 500, **how: Any) -> Callable[[Test], Test]:
    """Decorate a property as `hypothesis.given` does: with `few` examples in `make test`, with `many` in `make soak`.

    Args:
        strategies: Strategies of the last parameters of the test; those before them are fixtures.
        few: Number of examples in `make test`.
        many: Number of examples in `make soak`.
        how: More settings of hypothesis.
    """

    def decorate(test: Test) -> Test:
        fixtures = list(inspect.signature(test).parameters.values())[: -len(strategies)]

        @functools.wraps(test)
        def checked(examples: int, **given_fixtures: Any) -> None:
            settings(max_examples=examples, **how)(given(*strategies)(test))(**given_fixtures)

        number = inspect.Parameter("examples", inspect.Parameter.KEYWORD_ONLY)
        checked.__signature__ = inspect.Signature([*fixtures, number])  # type: ignore[attr-defined]
        return pytest.mark.parametrize("examples", [few, *soak([many])])(checked)  # type: ignore[return-value]

    return decorate


def select(items: list[pytest.Item], config: pytest.Config) -> None:
    """Leave only those of the items that `--soak` asks for."""
    config.stash[COLLECTED] = list(items)
    if (asked := config.getoption("--soak")) != "too":
        left_out = [item for item in items if bool(item.get_closest_marker("soak")) != (asked == "only")]
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if bool(item.get_closest_marker("soak")) == (asked == "only")]


class Report:
    """Prints a table of what `make soak` ran: each test with its number of cases."""

    def __init__(self) -> None:
        self._cases: dict[str, list[str]] = defaultdict(list)
        self._failed: dict[str, list[str]] = defaultdict(list)
        self._seconds: dict[str, float] = defaultdict(float)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        test = report.nodeid.partition("[")[0]
        self._seconds[test] += report.duration
        if report.when == "call" or (report.when == "setup" and not report.passed):
            self._cases[test].append(report.nodeid)
        if report.failed:
            self._failed[test].append(report.nodeid)

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        width = max(map(len, self._cases), default=0)
        terminalreporter.write_line(f"{'test':<{width}}   runs  failed  seconds")
        for test in sorted(self._cases):
            runs, failed = len(self._cases[test]), len(set(self._failed.get(test, ())))
            terminalreporter.write_line(f"{test:<{width}} {runs:>6} {failed:>7} {self._seconds[test]:>8.0f}")
        if self._cases:
            one = next(iter([*self._failed.values(), *self._cases.values()]))[0]
            terminalreporter.write_line(f"repeat one: .venv/bin/pytest --soak too {shlex.quote(one)}")
