"""Changes of the prompts in a params file: the checkout's HEAD compared with the last run of the file.

Both are read from git, so uncommitted edits do not fire a trigger. Only the content of section `prompts` counts;
comments and the order of keys do not.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from tasks.core.documents import config, yaml_text
from tasks.core.errors import InputError, Unavailable
from tasks.core.files import sha256_bytes
from tasks.core.json_text import canonical_json
from tasks.ledger.ledger import Ledger
from tasks.runs.git.repository import Repository
from tasks.runs.requests.commit_files import CommitFiles
from tasks.scheduling import recent_runs
from tasks.scheduling.deployments_file import PromptsChanged
from tasks.scheduling.recent_runs import ResolvedRun

PROMPTS_SECTION = "prompts"


class PromptChange(NamedTuple):
    id: str
    words: str


def find_prompt_change(trigger: PromptsChanged, ledger: Ledger, root: Path) -> PromptChange | None:
    """Return the change of the prompts since the last run, or None if there is none.

    The result is also None if the params file has no earlier run, or if the commit of the last run cannot be read in
    this clone.

    Raises:
        InputError: The commit HEAD does not have the params file, or the file is not valid YAML.
    """
    checkout = Repository.open(root)
    now = read_prompts(CommitFiles.at_head(checkout), trigger.params)
    last = _last_run(trigger, ledger)
    before = _prompts_of_run(checkout, last) if last else None
    if last is None or before is None or before == now:
        return None
    changed = sorted(name for name in {*before, *now} if before.get(name) != now.get(name))
    digest = sha256_bytes(canonical_json({"prompts": now, "after": last.run}))
    return PromptChange(
        digest[:16], f"prompts {', '.join(changed)} of {trigger.params} are not those of run {last.run}"
    )


def read_prompts(commit: CommitFiles, params: str) -> dict[str, Any]:
    """Return the prompts of a params file in a commit, by name.

    Raises:
        InputError: The commit does not have the file.
    """
    document = config.to_plain_value(yaml_text.parse_with_limits(commit.require_text(params), params))
    section = document.get(PROMPTS_SECTION) if isinstance(document, Mapping) else None
    return dict(section) if isinstance(section, Mapping) else {}


def _last_run(trigger: PromptsChanged, ledger: Ledger) -> ResolvedRun | None:
    """Return the last run with the same prompt overrides as the trigger.

    A run in which a person tries another prompt with `--set` does not count.
    """
    wanted = _prompt_changes(trigger.changes)
    return next(
        (
            each
            for each in recent_runs.matching_runs(ledger, trigger)
            if _prompt_changes(each.request.changes) == wanted
        ),
        None,
    )


def _prompt_changes(changes: Mapping[str, str]) -> dict[str, str]:
    return {key: value for key, value in changes.items() if key.partition(".")[0] == PROMPTS_SECTION}


def _prompts_of_run(checkout: Repository, run: ResolvedRun) -> dict[str, Any] | None:
    try:
        return read_prompts(CommitFiles(checkout, run.request.commit), run.request.params)
    except (InputError, Unavailable):
        return None
