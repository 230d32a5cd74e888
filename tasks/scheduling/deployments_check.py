"""Checks of a deployments file before it is put in force, and of uncommitted edits that its runs would not see."""

from collections.abc import Iterator
from pathlib import Path

from tasks.core.documents import config, yaml_text
from tasks.core.errors import HallmarkError, InputError
from tasks.gates.rules import run_request as asking_rules
from tasks.ledger.ledger import Ledger
from tasks.policy.governance import Governance
from tasks.policy.policy import SCHEDULER
from tasks.runs.git.repository import Repository
from tasks.runs.requests.commit_files import CommitFiles
from tasks.scheduling.deployments_file import Deployments, Event, RunSettings, SourceChanged
from tasks.sources import sources
from tasks.sources.sources import Sources

Problem = tuple[tuple[str, ...], str]
"""Path of keys to a value in the file, and the error message for this value."""


UNCOMMITTED_MESSAGE = (
    "has edits that are not committed: runs read the committed file, and no trigger answers to the edits"
)


def uncommitted_edits(deployments: Deployments, checkout: Repository, named: Sources) -> dict[str, list[str]]:
    """Return the files with uncommitted edits, which runs of schedules and triggers would not see, by params file."""
    head = CommitFiles.head(checkout)
    return {
        params: head.edited_files(params, named.sources)
        for params in {asks.params for asks in deployments.named.values()}
    }


def check(path: Path, checkout: Repository, ledger: Ledger, governance: Governance) -> tuple[Deployments, str]:
    """Validate a deployments file, and return its content and its text.

    Raises:
        InputError: The file is not valid; the message lists all errors with their lines. A params file that is not
            committed or not usable, an unknown source, and a risk tier in which the scheduler is not allowed to request
            runs are errors too.
    """
    deployments = config.load(path, Deployments)
    text = path.read_text(encoding="utf-8")
    document = yaml_text.load(text, str(path))
    known = {source.id for source in sources.load(governance.folder).sources}
    problems = [
        f"{path}:{config.line_of(document, where)}: {'.'.join(where)}: {said}"
        for where, said in _problems(deployments, checkout, ledger, governance, known)
    ]
    if problems:
        raise InputError("\n".join(problems))
    return deployments, text


def _problems(
    deployments: Deployments, checkout: Repository, ledger: Ledger, governance: Governance, known: set[str]
) -> Iterator[Problem]:
    for section, each in (("schedules", deployments.schedules), ("triggers", deployments.triggers)):
        for name, asks in each.items():
            where = (section, name)
            for part, said in _problems_of_one(asks, checkout, ledger, governance, known):
                yield (*where, *part), said


def _problems_of_one(
    asks: RunSettings, checkout: Repository, ledger: Ledger, governance: Governance, known: set[str]
) -> Iterator[Problem]:
    head = CommitFiles.head(checkout)
    if not checkout.has_file(head.commit, asks.params):
        yield ("params",), f"{asks.params} is not committed; a scheduled run is made from committed files"
        return
    try:
        params = head.params(asks.params, asks.changes)
        tier = params.use_case.risk_tier
        who = None if isinstance(asks, Event) else SCHEDULER
        if who and (why := asking_rules.why_not(who, tier, governance.policy, governance.people, ledger.now())):
            yield ("params",), f"{asks.params} is of risk tier {tier}: {why}"
    except HallmarkError as error:
        yield (("changes",) if asks.changes else ("params",)), str(error)
    if isinstance(asks, SourceChanged) and (unknown := sorted(set(asks.sources or []) - known)):
        yield ("sources",), f"sources.yaml has no source {', '.join(unknown)}; it has {', '.join(sorted(known))}"
