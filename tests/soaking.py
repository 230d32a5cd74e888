"""Tests and cases that run in `make soak` and not in `make test`: repetitions of what another test shows once."""

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
"""Stash key for all collected tests, including deselected ones."""


def soak(cases: Iterable[Any]) -> list[ParameterSet]:
    """Return cases for `pytest.mark.parametrize` that run in `make soak` alone; a case with several values is a tuple.

    For example, with `@pytest.mark.parametrize("kind", [*FEW, *soak(OTHERS)])` the cases in FEW run in `make test` too.
    """
    sets = [ParameterSet.extract_from(case, force_tuple=not isinstance(case, tuple)) for case in cases]
    return [pytest.param(*one.values, marks=[*one.marks, pytest.mark.soak], id=one.id) for one in sets]


def examples(*strategies: SearchStrategy[Any], few: int, many: int = 500, **how: Any) -> Callable[[Test], Test]:
    """Decorate a property as `hypothesis.given` does: with `few` examples in `make test`, with `many` in `make soak`.

    Args:
        strategies: Strategies for the last parameters of the test; earlier parameters are fixtures.
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
    """Deselect the tests that `--soak` excludes."""
    config.stash[COLLECTED] = list(items)
    if (asked := config.getoption("--soak")) != "too":
        left_out = [item for item in items if bool(item.get_closest_marker("soak")) != (asked == "only")]
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if bool(item.get_closest_marker("soak")) == (asked == "only")]


class Report:
    """Plugin that prints a table of the tests in `make soak` with their numbers of runs and failures."""

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
