"""Great Expectations suites that sources.yaml names."""

from pathlib import Path
from typing import Annotated, Any

from pydantic import Field

from tasks.core.documents import config
from tasks.core.documents.config import FrozenModel
from tasks.core.errors import InputError
from tasks.core.params.values import NFC, Name, NonEmptyText
from tasks.sources.sources import Sources


class Expectation(FrozenModel):
    """Expectation that Great Expectations evaluates, with the owner's reason for it."""

    type: NonEmptyText
    """Name of the expectation in Great Expectations, in snake case, for example `expect_column_values_to_be_in_set`."""
    kwargs: Annotated[dict[str, Any], NFC] = {}
    """Arguments of the expectation."""
    why: NonEmptyText
    """Reason for the expectation in its owner's words, shown next to the result."""


class ExpectationSuite(FrozenModel):
    """Expectation suite, a file in infra/governance/expectations/.

    Expectations can use the columns of records and the columns `prompt` (all turns before the target), `target`,
    `prompt_chars`, `target_chars`, `retention_days_left`, those in `tasks.stages.data.validate.ages` and, for JSON
    targets, `target.FIELD`. Lists are joined by `;`, `messages` is JSON text, and dates are compared with dates such as
    2024-03-31. The column `outcome` has a value for every row of the sources: `kept`, or the rule that quarantined the
    row.
    """

    name: Name
    """Name of the suite in reports."""
    expectations: Annotated[list[Expectation], Field(min_length=1)]
    """Expectations of the suite, at least one."""


class Suites(FrozenModel):
    """Expectation suites of a run, inputs/suites.json: one per source, and one for the dataset as a whole."""

    by_source: dict[str, ExpectationSuite]
    dataset: ExpectationSuite | None


def load_suites(governance_folder: Path, sources: Sources) -> Suites:
    """Read every expectation suite that sources.yaml names.

    Raises:
        InputError: A suite is not valid. The message lists the errors of all suites.
    """
    named = {source.suite for source in sources.sources} | {sources.dataset_suite}
    suites, problems = {}, []
    for name in sorted(filter(None, named)):
        try:
            suites[name] = config.load_settings(governance_folder / name, ExpectationSuite)
        except InputError as error:
            problems.append(str(error))
    if problems:
        raise InputError("\n".join(problems))
    by_source = {source.id: suites[source.suite] for source in sources.sources if source.suite}
    return Suites(by_source=by_source, dataset=suites.get(sources.dataset_suite or ""))
