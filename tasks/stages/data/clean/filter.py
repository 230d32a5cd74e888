"""Definition of a filter, and the filters that a run's parameters turn on."""

import importlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import pyarrow as pa

from tasks.core.params.filters import FILTER_RULES, Filters
from tasks.stages.data.conversations import prompts, targets

COLUMNS = ("task", "kind", "language", "department", "geography", "origin")


class FilteredRecord(NamedTuple):
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
    removes: Callable[[FilteredRecord, Any], bool]
    """Function that returns whether a record is removed, given the record and the value of the filter's parameter."""
    reason: Callable[[FilteredRecord], str]
    """Function that explains a removal to the data owner without quoting the record, for example `12 characters`."""


@dataclass(frozen=True)
class ActiveFilter:
    rule: str
    parameter: str
    bound: Any
    filter: Filter

    def reason(self, record: FilteredRecord) -> str:
        return f"{self.filter.reason(record)}; data.{self.parameter} is {self.bound}"


def active_filters(settings: Filters) -> list[ActiveFilter]:
    """Return the filters whose parameter is neither null nor false, in the order of `FILTER_RULES`."""
    bounds = {rule: getattr(settings, parameter) for rule, parameter in FILTER_RULES.items()}
    return [
        ActiveFilter(rule, FILTER_RULES[rule], bound, _load(rule))
        for rule, bound in bounds.items()
        if bound is not None and bound is not False
    ]


def _load(rule: str) -> Filter:
    loaded: Filter = importlib.import_module(f"tasks.stages.data.clean.filters.{rule}").FILTER
    return loaded


def filtered_records(batch: pa.RecordBatch) -> Iterator[FilteredRecord]:
    halves = (half(batch.column("messages")).to_pylist() for half in (prompts, targets))
    others = (batch.column(name).to_pylist() for name in COLUMNS)
    return map(FilteredRecord._make, zip(*halves, *others, strict=True))
