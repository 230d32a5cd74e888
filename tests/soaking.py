"""Tests and cases that `make test` leaves out and `make soak` runs: repetitions of what another test shows once."""

from collections.abc import Iterable
from typing import Any

import pytest
from _pytest.mark import ParameterSet

COLLECTED = pytest.StashKey[list[pytest.Item]]()
"""Stash of the configuration: all tests that were collected, with those that are left out."""


def soak(cases: Iterable[Any]) -> list[ParameterSet]:
    """Return cases of `pytest.mark.parametrize` that run in `make soak` alone.

    `@pytest.mark.parametrize("kind", [*FEW, *soak(OTHERS)])` runs the few in `make test` as well. A case of several
    values is a tuple.
    """
    sets = [ParameterSet.extract_from(case, force_tuple=not isinstance(case, tuple)) for case in cases]
    return [pytest.param(*one.values, marks=[*one.marks, pytest.mark.soak], id=one.id) for one in sets]


def select(items: list[pytest.Item], config: pytest.Config) -> None:
    """Leave only those of the items that `--soak` asks for."""
    config.stash[COLLECTED] = list(items)
    if (asked := config.getoption("--soak")) != "too":
        wanted = [item for item in items if bool(item.get_closest_marker("soak")) == (asked == "only")]
        config.hook.pytest_deselected(items=[item for item in items if item not in set(wanted)])
        items[:] = wanted
