"""Stage `validate`: ask the data owners' Great Expectations suites of each source and of the dataset.

    artefacts/validate/result.json   `Validated`
    artefacts/validate/docs/         Data Docs; index.html first

A failed expectation is a fact for the data gate to judge, never an error. Nothing written holds a value of a record.
"""

from collections.abc import Iterator

import pyarrow as pa
import pyarrow.compute as pc

from tasks import facts
from tasks.config import Frozen
from tasks.data import expectations
from tasks.data.checked import CheckedSuite, summary
from tasks.data.docs import pages
from tasks.data.frame import to_frame
from tasks.errors import InputError
from tasks.facts import Fact
from tasks.files import read_json, whole_folder, write_json
from tasks.govern.sources import Suite, Suites
from tasks.layout import Layout
from tasks.params import Params
from tasks.record import read_table


class Validated(Frozen):
    suites: list[CheckedSuite]


def run(params: Params, layout: Layout) -> Validated:
    """Check the records of `deduplicate`. Raises InputError for a suite that cannot be asked of them."""
    suites = Suites.model_validate(read_json(layout.suites))
    table = read_table(layout.stage("deduplicate") / "records.parquet")
    checked = []
    for suite, source, part in _parts(suites, table):
        answer = expectations.check(suite, source, to_frame(part, params.evaluation.target == "json"))
        checked.append((summary(suite, source, part.num_rows, answer), answer))
    validated = Validated(suites=[suite for suite, _ in checked])
    with whole_folder(layout.stage("validate")) as folder:
        pages.write(folder / "docs", checked)
        write_json(
            folder / "result.json", {"facts": facts.dump(_facts(validated)), **validated.model_dump(mode="json")}
        )
    return validated


def _parts(suites: Suites, table: pa.Table) -> Iterator[tuple[Suite, str | None, pa.Table]]:
    """Each suite with its source and the records that it is about; the dataset's last."""
    for source, suite in sorted(suites.by_source.items()):
        part = table.filter(pc.equal(table["source_id"], source))
        if not part.num_rows:  # every expectation would hold of nothing
            there = ", ".join(sorted(set(table["source_id"].to_pylist())))
            raise InputError(f"suite {suite.name}: source {source} has no record left to check; there are {there}")
        yield suite, source, part
    if suites.dataset is not None:
        yield suites.dataset, None, table


def _facts(validated: Validated) -> facts.Facts:
    asked = [expectation for suite in validated.suites for expectation in suite.expectations]
    return {
        "evaluated_expectations": Fact(value=len(asked)),
        "failed_expectations": Fact(value=sum(not expectation.success for expectation in asked)),
        "failed_suites": Fact(value=sum(not suite.success for suite in validated.suites)),
    }
