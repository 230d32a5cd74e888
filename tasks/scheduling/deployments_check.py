"""Checks of a deployments file before it is declared, including uncommitted edits that its runs would not use."""

from collections.abc import Iterator
from pathlib import Path

from tasks.core.documents import config, yaml_text
from tasks.core.errors import HallmarkError, InputError
from tasks.gates.rules import run_request as asking_rules
from tasks.ledger.ledger import Ledger
from tasks.policy.governance import Governance
from tasks.policy.tier import SCHEDULER
from tasks.runs.git.repository import Repository
from tasks.runs.requests.commit_files import CommitFiles
from tasks.scheduling.deployments_file import Deployments, EventReported, RunSettings, SourceChanged
from tasks.sources import sources
from tasks.sources.sources import Sources

FileProblem = tuple[tuple[str, ...], str]
"""Key path of a value in the file, and the error message about this value."""


UNCOMMITTED_MESSAGE = (
    "has edits that are not committed: runs read the committed file, and no trigger answers to the edits"
)


def find_uncommitted_edits(
    deployments: Deployments, checkout: Repository, declared_sources: Sources
) -> dict[str, list[str]]:
    """Return the files with uncommitted edits, by params file. Runs of schedules and triggers do not use such edits."""
    head = CommitFiles.at_head(checkout)
    return {
        params: head.describe_edited_files(params, declared_sources.sources)
        for params in {asks.params for asks in deployments.named.values()}
    }


def check_deployments(
    path: Path, checkout: Repository, ledger: Ledger, governance: Governance
) -> tuple[Deployments, str]:
    """Validate a deployments file, and return its content and its text.

    Raises:
        InputError: The file is not valid; the message lists all errors with their lines. A params file that is not
            committed or not usable, an unknown source, and a risk tier in which the scheduler is not allowed to request
            runs are errors too.
    """
    deployments = config.load_settings(path, Deployments)
    text = path.read_text(encoding="utf-8")
    document = yaml_text.parse_with_limits(text, str(path))
    known = {source.id for source in sources.load_sources(governance.folder).sources}
    problems = [
        f"{path}:{config.find_line_number(document, where)}: {'.'.join(where)}: {said}"
        for where, said in _problems(deployments, checkout, ledger, governance, known)
    ]
    if problems:
        raise InputError("\n".join(problems))
    return deployments, text


def _problems(
    deployments: Deployments, checkout: Repository, ledger: Ledger, governance: Governance, known: set[str]
) -> Iterator[FileProblem]:
    for section, each in (("schedules", deployments.schedules), ("triggers", deployments.triggers)):
        for name, asks in each.items():
            where = (section, name)
            for part, said in _find_problems(asks, checkout, ledger, governance, known):
                yield (*where, *part), said


def _find_problems(
    asks: RunSettings, checkout: Repository, ledger: Ledger, governance: Governance, known: set[str]
) -> Iterator[FileProblem]:
    head = CommitFiles.at_head(checkout)
    if not checkout.has_file(head.commit, asks.params):
        yield ("params",), f"{asks.params} is not committed; a scheduled run is made from committed files"
        return
    try:
        params = head.read_params(asks.params, asks.changes)
        tier, use_case, policy = params.use_case.risk_tier, params.use_case.name, governance.policy
        who = None if isinstance(asks, EventReported) else SCHEDULER
        if who and (why := asking_rules.refusal_reason(who, tier, use_case, policy, governance.people, ledger.now())):
            yield ("params",), f"{asks.params} is of risk tier {tier}: {why}"
    except HallmarkError as error:
        yield (("changes",) if asks.changes else ("params",)), str(error)
    if isinstance(asks, SourceChanged) and (unknown := sorted(set(asks.sources or []) - known)):
        yield ("sources",), f"sources.yaml has no source {', '.join(unknown)}; it has {', '.join(sorted(known))}"
