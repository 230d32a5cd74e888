"""Failed expectations of a run, with the rows that violate them.

The results of a run have counts only. The failed expectations are therefore evaluated again on the run's records. Texts
are the protected ones, so the vault is not read and no ledger entry is written. Rows and values are shown only to
people with access to single records of the row's source.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from tasks.core.documents.config import FrozenModel
from tasks.core.documents.document import document_error_message
from tasks.core.errors import DOCUMENT_ERRORS, InputError, Refused
from tasks.core.files import read_json, read_stage_json
from tasks.core.layout import Layout
from tasks.core.params.params import load_params
from tasks.core.records.record import read_table
from tasks.core.steps.data import LAST_FILTER_STAGE
from tasks.inquiry.access import Access
from tasks.sources.expectation_suites import Expectation, ExpectationSuite, Suites
from tasks.sources.resolved_sources import load_resolved
from tasks.stages.data.validate import suite_evaluation, validate
from tasks.stages.data.validate.frame import RecordTable
from tasks.stages.data.validate.ge_expectations import columns_used, is_about_source_rows, to_ge_expectation
from tasks.stages.data.validate.suite_results import ExpectationResult, SuiteResult

if TYPE_CHECKING:
    import pandas as pd

ROW_COLUMNS = ("record_id", "source_id")


class UnexpectedRow(FrozenModel):
    source_id: str
    row: int
    """Number of the data row in the source, counted from 1."""
    record_id: str
    values: dict[str, str | None]
    """Value of each column that the expectation is about."""


class FailedExpectation(FrozenModel):
    suite: str
    source: str | None
    """Source of the records; null for the dataset as a whole."""
    result: ExpectationResult
    total: int
    """Number of rows against the expectation that can be named and that the person has access to. It is 0 for
    expectations about aggregates, and for those about quarantined rows."""
    withheld: int
    """Number of rows against the expectation that the person has no access to."""
    rows: list[UnexpectedRow]
    """First of these rows, sorted by source and row. There can be fewer than `total`."""
    is_about_source_rows: bool
    """Whether the expectation is about the outcomes of source rows, which `hallmark data quarantine` lists."""


@dataclass(frozen=True)
class _Inputs:
    records: RecordTable
    kept_categories: Mapping[str, list[str]]
    rows: pa.Table
    """Source and row of each record, as `ingest` recorded them."""
    allowed: frozenset[str]
    """Sources whose records the person has access to."""


def find_failed_expectations(layout: Layout, access: Access, max_rows: int) -> list[FailedExpectation]:
    """Return the failed expectations of a run, each with at most `max_rows` rows that violate it.

    Raises:
        InputError: Stage `validate` of the run has not finished, or its result cannot be read.
        Refused: Files of the run disagree about the source of a record.
    """
    path = layout.artefacts("validate") / "result.json"
    if not path.exists():
        raise InputError(f"run {layout.root.name} has checked no suite here; name one that has been through `validate`")
    try:
        results = [SuiteResult.model_validate(each) for each in read_stage_json(path)["suites"]]
    except (OSError, *DOCUMENT_ERRORS) as error:
        raise InputError(f"{path}: expected the results of suites ({document_error_message(error)})") from None
    failed = [result for result in results if not result.success]
    suites, inputs = Suites.model_validate(read_json(layout.suites_path)), _read_inputs(layout, access)
    return [each for result in failed for each in _failed_of_suite(result, suites, inputs, max_rows)]


def _read_inputs(layout: Layout, access: Access) -> _Inputs:
    resolved, looker = load_resolved(layout.sources_path), access.limit_to_run(layout)
    path = layout.artefacts(LAST_FILTER_STAGE) / "records.parquet"
    json_target = load_params(layout.params_path).evaluation.target == "json"
    return _Inputs(
        RecordTable(path, resolved, json_target),
        validate.kept_categories(resolved),
        read_table(layout.artefacts("ingest") / "rows.parquet", ["record_id", "source_id", "row"]),
        frozenset(item.source.id for item in resolved.sources if looker.may_read(item.source)),
    )


def _failed_of_suite(
    result: SuiteResult, suites: Suites, inputs: _Inputs, max_rows: int
) -> Iterator[FailedExpectation]:
    suite = suites.dataset if result.source is None else suites.by_source.get(result.source)
    if suite is None or len(suite.expectations) != len(result.expectations):
        raise InputError(f"the result of suite {result.suite} is not one of the suite that the run pinned")
    for position, (expectation, outcome) in enumerate(zip(suite.expectations, result.expectations, strict=True)):
        if not outcome.success:
            about_rows = is_about_source_rows(expectation)
            found = [] if about_rows else _unexpected_rows(suite, position, expectation, result.source, inputs)
            seen = sorted(
                (row for row in found if row.source_id in inputs.allowed), key=lambda row: (row.source_id, row.row)
            )
            yield FailedExpectation(
                suite=result.suite,
                source=result.source,
                result=outcome,
                total=len(seen),
                withheld=len(found) - len(seen),
                rows=seen[:max_rows],
                is_about_source_rows=about_rows,
            )


def _unexpected_rows(
    suite: ExpectationSuite, position: int, expectation: Expectation, source: str | None, inputs: _Inputs
) -> list[UnexpectedRow]:
    used = columns_used([expectation])
    frame = inputs.records.to_frame(source, None if used is None else used | set(ROW_COLUMNS))
    question = to_ge_expectation(expectation, position, f"suite {suite.name}", frame, inputs.kept_categories)
    indices = _evaluate(question, frame).get("unexpected_index_list") or []
    named = [name for name in frame.columns if name in (used or ())]
    ids = pa.array([str(index["record_id"]) for index in indices], pa.string())
    places = pc.index_in(ids, value_set=inputs.rows["record_id"].combine_chunks())
    located = inputs.rows.take(places).to_pylist()
    return [_row(index, place, named) for index, place in zip(indices, located, strict=True)]


def _evaluate(question: Any, frame: "pd.DataFrame") -> dict[str, Any]:
    asset = suite_evaluation.create_context().data_sources.add_pandas("records").add_dataframe_asset("records")
    batch = asset.add_batch_definition_whole_dataframe("all").get_batch({"dataframe": frame})
    form = {"result_format": "COMPLETE", "unexpected_index_column_names": list(ROW_COLUMNS)}
    result: dict[str, Any] = batch.validate(question, result_format=form).result
    return result


def _row(index: Mapping[str, Any], place: Mapping[str, Any], named: list[str]) -> UnexpectedRow:
    if place["source_id"] != index["source_id"]:
        raise Refused("files of the run disagree about the source of a record; nothing is shown")
    values = {name: None if index[name] is None else str(index[name]) for name in named if name in index}
    return UnexpectedRow(**place, values=values)
