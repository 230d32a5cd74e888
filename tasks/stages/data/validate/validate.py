"""Stage `validate`: evaluate the owners' Great Expectations suites on the records of each source and on all records.

The stage also counts the targets with a placeholder that their prompt lacks (`target_placeholders.py`), and compares
synthetic with real records (`two_sample.py`).

    artefacts/validate/result.json   `ValidateResult`
    artefacts/validate/docs/         Data Docs; index.html is the first page

A failed expectation is never an error: it is counted in a metric for the data gate. No output contains a value of a
record.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING

from tasks.core import facts
from tasks.core.documents.config import FrozenModel
from tasks.core.errors import InputError
from tasks.core.facts import Fact
from tasks.core.files import atomic_folder, read_json, write_json
from tasks.core.layout import Layout
from tasks.core.params.evaluation import Evaluation
from tasks.core.progress import print_progress
from tasks.core.steps.data import LAST_FILTER_STAGE
from tasks.sources.expectation_suites import Expectation, ExpectationSuite, Suites
from tasks.sources.protection import CATEGORIES
from tasks.sources.resolved_sources import ResolvedSources, load_resolved
from tasks.stages.data.validate import outcomes, suite_evaluation, target_placeholders, two_sample
from tasks.stages.data.validate.docs import pages
from tasks.stages.data.validate.docs.overview import read_overview
from tasks.stages.data.validate.frame import RecordTable
from tasks.stages.data.validate.ge_expectations import columns_used, is_about_source_rows
from tasks.stages.data.validate.suite_evaluation import TableExpectations
from tasks.stages.data.validate.suite_results import SuiteResult, suite_result
from tasks.stages.data.validate.target_placeholders import TargetPlaceholders
from tasks.stages.data.validate.two_sample import TaskComparison

if TYPE_CHECKING:
    import pandas as pd

LARGE_COLUMNS = frozenset({"messages", "prompt", "target"})


class ValidateResult(FrozenModel):
    suites: list[SuiteResult]
    only_in_target: TargetPlaceholders
    synthetic: list[TaskComparison] = []
    """Comparison of synthetic with real records, by task."""


class Params(FrozenModel):
    """Sections of params.yaml that the stage reads."""

    evaluation: Evaluation


def run(params: Params, layout: Layout) -> ValidateResult:
    """Run the stage on the records that the last filtering stage wrote.

    Raises:
        InputError: A suite cannot be evaluated on the records.
    """
    suites = Suites.model_validate(read_json(layout.suites_path))
    resolved = load_resolved(layout.sources_path)
    path = layout.artefacts(LAST_FILTER_STAGE) / "records.parquet"
    records = RecordTable(path, resolved, params.evaluation.target == "json")
    rows, spared = records.count_rows_by_source(), kept_categories(resolved)
    checked = []
    for suite, source in _suites_with_sources(suites, rows):
        print_progress("validate", f"suite {suite.name}, {len(suite.expectations)} expectations")
        answer = suite_evaluation.evaluate_suite(
            suite, source, _expectations_by_table(suite, source, records, layout), spared
        )
        checked.append((suite_result(suite, source, rows[source] if source else sum(rows.values()), answer), answer))
    print_progress("validate", "synthetic records")
    validated = ValidateResult(
        suites=[suite for suite, _ in checked],
        only_in_target=target_placeholders.count_target_placeholders(path),
        synthetic=two_sample.compare_tasks(path, params.evaluation),
    )
    for words in _failure_messages(validated):
        print(words, flush=True)
    with atomic_folder(layout.artefacts("validate")) as folder:
        pages.write_pages(
            folder / "docs", checked, read_overview(layout, path, suites, params.evaluation, validated.synthetic)
        )
        write_json(
            folder / "result.json",
            {"facts": facts.facts_to_json(_result_facts(validated)), **validated.model_dump(mode="json")},
        )
    return validated


def _suites_with_sources(suites: Suites, rows: Mapping[str, int]) -> Iterator[tuple[ExpectationSuite, str | None]]:
    for source, suite in sorted(suites.by_source.items()):
        if source not in rows:  # an empty table meets every expectation
            raise InputError(
                f"suite {suite.name}: source {source} has no record left to check; there are {', '.join(rows)}"
            )
        yield suite, source
    if suites.dataset is not None:
        yield suites.dataset, None


def _expectations_by_table(
    suite: ExpectationSuite, source: str | None, records: RecordTable, layout: Layout
) -> Iterator[TableExpectations]:
    numbered = list(enumerate(suite.expectations))
    if about_records := [(place, item) for place, item in numbered if not is_about_source_rows(item)]:
        frame = records.to_frame(source, columns_used(item for _, item in about_records))
        yield from _group_by_text_columns(about_records, frame)
    if about_rows := [place for place, item in numbered if is_about_source_rows(item)]:
        yield TableExpectations(about_rows, outcomes.outcome_frame(layout, source))


def _group_by_text_columns(
    numbered: Iterable[tuple[int, Expectation]], frame: "pd.DataFrame"
) -> Iterator[TableExpectations]:
    """Group expectations by the text columns that they use.

    Great Expectations copies the whole table for each expectation, so tables should have few text columns.
    """
    parts: dict[frozenset[str], list[tuple[int, Expectation]]] = {}
    for place, item in numbered:
        asked = columns_used([item])
        parts.setdefault(LARGE_COLUMNS if asked is None else LARGE_COLUMNS & asked, []).append((place, item))
    for part in parts.values():
        asked = columns_used(item for _, item in part)
        names = [name for name in frame.columns if asked is None or name in asked] or frame.columns[:1]
        yield TableExpectations([place for place, _ in part], frame[list(names)])


def kept_categories(resolved: ResolvedSources) -> dict[str, list[str]]:
    return {
        item.source.id: [name for name in CATEGORIES if item.source.protect.action_for(name) == "keep"]
        for item in resolved.sources
    }


def _failure_messages(validated: ValidateResult) -> Iterator[str]:
    for suite in validated.suites:
        for each in suite.expectations:
            if not each.success:
                of, rows = f" of {each.column}" if each.column else "", each.unexpected_count
                broken = f" in {rows:,} row{'s' * (rows != 1)}" if rows is not None else ""
                yield f"suite {suite.suite}: {each.type}{of} failed{broken}: {each.why}"


def _result_facts(validated: ValidateResult) -> facts.Facts:
    evaluated = [expectation for suite in validated.suites for expectation in suite.expectations]
    return {
        "evaluated_expectations": Fact(value=len(evaluated)),
        "failed_expectations": Fact(value=sum(not expectation.success for expectation in evaluated)),
        "failed_suites": Fact(value=sum(not suite.success for suite in validated.suites)),
        target_placeholders.FACT_NAME: validated.only_in_target.to_fact(),
        **two_sample.to_facts(validated.synthetic),
    }
