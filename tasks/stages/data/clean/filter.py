"""Definition of a filter, and the filters that a run's parameters turn on."""

import importlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import pyarrow as pa

from tasks.core.params.filters import FILTER_RULES, RecordFilters
from tasks.stages.data.conversations import prompts, targets

FILTER_COLUMNS = ("task", "kind", "language", "department", "geography", "origin")


class FilterInput(NamedTuple):
    prompt: str
    target: str
    task: str
    kind: str
    language: str
    department: str
    geography: str
    origin: str


@dataclass(frozen=True)
class Filter:
    removes: Callable[[FilterInput, Any], bool]
    """Function that returns whether to remove a record, given the record and the value of the filter's parameter."""
    reason: Callable[[FilterInput], str]
    """Function that explains a removal to the data owner without quoting the record, for example `12 characters`."""


@dataclass(frozen=True)
class ActiveFilter:
    rule: str
    parameter: str
    bound: Any
    filter: Filter

    def reason(self, record: FilterInput) -> str:
        return f"{self.filter.reason(record)}; data.{self.parameter} is {self.bound}"


def active_filters(settings: RecordFilters) -> list[ActiveFilter]:
    """Return the filters whose parameter is neither null nor false, in the order of `FILTER_RULES`."""
    bounds = {rule: getattr(settings, parameter) for rule, parameter in FILTER_RULES.items()}
    return [
        ActiveFilter(rule, FILTER_RULES[rule], bound, _load_filter(rule))
        for rule, bound in bounds.items()
        if bound is not None and bound is not False
    ]


def _load_filter(rule: str) -> Filter:
    loaded: Filter = importlib.import_module(f"tasks.stages.data.clean.filters.{rule}").FILTER
    return loaded


def filter_inputs(batch: pa.RecordBatch) -> Iterator[FilterInput]:
    halves = (half(batch.column("messages")).to_pylist() for half in (prompts, targets))
    others = (batch.column(name).to_pylist() for name in FILTER_COLUMNS)
    return map(FilterInput._make, zip(*halves, *others, strict=True))
