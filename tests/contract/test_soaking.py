"""The table that `make soak` prints at its end."""

from typing import Any

import pytest

from tests.soaking import Report


class Written(list[str]):
    def write_line(self, line: str) -> None:
        self.append(" ".join(line.split()))


def ran(name: str, outcome: str = "passed", when: str = "call") -> Any:
    return pytest.TestReport(name, ("", 0, ""), {}, outcome, None, when, duration=0.5)


def printed(*reports: Any) -> list[str]:
    report, written = Report(), Written()
    for one in reports:
        report.pytest_runtest_logreport(one)
    report.pytest_terminal_summary(written)
    return written


def test_a_test_is_one_line_with_its_runs_and_failures() -> None:
    lines = printed(ran("a::t[1]"), ran("a::t[2]", "failed"), ran("a::t[2]", when="teardown"), ran("b::u"))
    assert lines[1:3] == ["a::t 2 1 2", "b::u 1 0 0"]
    assert lines[3] == "repeat one: .venv/bin/pytest --soak too 'a::t[2]'", "the first that failed"


def test_without_a_failure_it_says_how_to_repeat_the_first() -> None:
    assert printed(ran("b::u"))[-1] == "repeat one: .venv/bin/pytest --soak too b::u"


def test_a_test_whose_fixture_failed_has_run_and_failed() -> None:
    assert printed(ran("a::t", "failed", when="setup"))[1] == "a::t 1 1 0"
