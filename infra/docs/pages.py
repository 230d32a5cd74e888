"""Table of all generated pages, by path relative to docs/."""

import re
from collections.abc import Callable, Mapping
from pathlib import Path

from pydantic import BaseModel

from infra.docs import cli, code, formats, ledger, rules, schema, settings
from tasks.core.params.params import Params
from tasks.core.steps.kinds import SOURCE_KINDS_IN_WORDS
from tasks.policy.people import People
from tasks.policy.policy import Policy
from tasks.scheduling.deployments_file import Deployments
from tasks.sources.expectation_suites import ExpectationSuite
from tasks.sources.sources import Sources
from tasks.stages.evaluate.suites.suite import EvaluationSuite

ROOT = Path(__file__).parents[2]


def changelog_page() -> str:
    """Return CHANGELOG.md, with links relative to docs/ instead of the repository root."""
    return re.sub(r"\]\(docs/", "](", (ROOT / "CHANGELOG.md").read_text())


def settings_file_page(title: str, introduction: str, *models: type[BaseModel]) -> Callable[[], str]:
    return lambda: "\n\n".join([f"# {title}", introduction, *(schema.render_model(model) for model in models)])


PAGES: Mapping[str, Callable[[], str]] = {
    "reference/cli.md": cli.render_page,
    "reference/params.md": settings_file_page(
        "params.yaml",
        "The parameters of a use case. Hallmark refuses unknown keys and reports every mistake with its file and line. "
        "Check a file with `hallmark params check FILE`. Print this schema with `hallmark params schema`.",
        Params,
    ),
    "reference/sources.md": settings_file_page(
        "sources.yaml",
        "The inventory of sources, and the expectation suites beside it. Data owners own these files. "
        f"[The data guide](../guides/data-owner.md) shows a source with every required key. Its `kind` is "
        f"{SOURCE_KINDS_IN_WORDS}.",
        Sources,
        ExpectationSuite,
    ),
    "reference/evaluations.md": settings_file_page(
        "evaluations/*.yaml",
        "Evaluation suites, one file each in `infra/governance/evaluations/`. "
        "[The guide](../guides/evaluation.md) shows how to write one, and lists the judges that `kind` selects.",
        EvaluationSuite,
    ),
    "reference/rules.md": rules.render_page,
    "reference/policy.md": settings_file_page(
        "policy.yaml",
        "The gates of each risk tier. A change counts once it is [adopted](../concepts/governance.md). "
        "`hallmark policy check` explains a policy in words.",
        Policy,
    ),
    "reference/people.md": settings_file_page(
        "people.yaml",
        "People and machines with their roles and keys. A change counts once it is "
        "[adopted](../concepts/governance.md).",
        People,
    ),
    "reference/deployments.md": settings_file_page(
        "deployments.yaml",
        "Schedules and triggers, and what happens where a stage fails: `infra/prefect/deployments.yaml`. It counts "
        "once somebody has put it in force with `hallmark deploy`. [The guide](../guides/schedules.md) shows how. A "
        "length of time is a number and a unit: `90s`, `30m`, `6h`, `7d`, `2w`.",
        Deployments,
    ),
    "reference/settings.md": settings.render_page,
    "reference/ledger.md": ledger.render_page,
    "reference/formats.md": formats.render_page,
    "reference/code.md": code.render_page,
    "changelog.md": changelog_page,
}
