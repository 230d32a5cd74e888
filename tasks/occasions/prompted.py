"""Whether the prompts of a params file, as the checkout's HEAD has them, are others than its last run had.

Both are read from git, so what lies uncommitted in the checkout asks for nothing. Only the section `prompts` counts, as
a YAML file says it: comments and the order of keys change nothing.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from tasks.core import config, yaml_text
from tasks.core.errors import InputError, Unavailable
from tasks.core.files import canonical_json, sha256_bytes
from tasks.ledger.ledger import Ledger
from tasks.occasions import recent
from tasks.occasions.declared import PromptsChanged
from tasks.occasions.recent import Resolved
from tasks.runs.committed import Committed
from tasks.runs.repository import Repository

SECTION = "prompts"


class Change(NamedTuple):
    """That HEAD has prompts which the last run had not."""

    id: str
    """The digest that tells it from others."""
    words: str


def look(trigger: PromptsChanged, ledger: Ledger, root: Path) -> Change | None:
    """The change, if there is one. Without a run of the params file there is nothing to compare with.

    Raises InputError where HEAD does not hold the params file, or it is no YAML. A last run whose commit this clone
    lacks, or cannot read, is nothing to compare with either.
    """
    checkout = Repository.open(root)
    now = prompts(Committed.head(checkout), trigger.params)
    last = _last(trigger, ledger)
    before = _had(checkout, last) if last else None
    if last is None or before is None or before == now:
        return None
    changed = sorted(name for name in {*before, *now} if before.get(name) != now.get(name))
    told = sha256_bytes(canonical_json({"prompts": now, "after": last.run}))
    return Change(told[:16], f"prompts {', '.join(changed)} of {trigger.params} are not those of run {last.run}")


def prompts(commit: Committed, params: str) -> dict[str, Any]:
    """The prompts that a commit has in a params file, by name. Raises InputError where it has no such file."""
    document = config.plain(yaml_text.load(commit.require_text(params), params))
    section = document.get(SECTION) if isinstance(document, Mapping) else None
    return dict(section) if isinstance(section, Mapping) else {}


def _last(trigger: PromptsChanged, ledger: Ledger) -> Resolved | None:
    """The last run of the params file that changed its prompts as the trigger's would: who tries another prompt with
    `--set` does not make those of the file new."""
    wanted = _own(trigger.changes)
    return next((each for each in recent.runs_of(ledger, trigger) if _own(each.request.changes) == wanted), None)


def _own(changes: Mapping[str, str]) -> dict[str, str]:
    return {key: value for key, value in changes.items() if key.partition(".")[0] == SECTION}


def _had(checkout: Repository, run: Resolved) -> dict[str, Any] | None:
    """None where it cannot be known here: another machine's commit, or a params file that no commit has."""
    try:
        return prompts(Committed(checkout, run.request.commit), run.request.params)
    except (InputError, Unavailable):
        return None
