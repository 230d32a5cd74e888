"""Settings of an environment, and what is left after its adoption: who types what."""

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import NamedTuple

from infra.cli.environment_setup.file_names import GOVERNANCE
from infra.cli.settings import list_settings
from tasks.code_versions import sign_off
from tasks.core.errors import HallmarkError
from tasks.declarations import declarations, signing, status
from tasks.declarations.signed_declaration import (
    DeclaredCard,
    DeclaredDocument,
    DeclaredSource,
    DeclaredSuite,
    declare_card,
    declare_suite,
)
from tasks.gates import policy_tests
from tasks.policy import judge_install, root_of_trust
from tasks.policy.governance import Governance
from tasks.policy.policy import LOCAL_ENVIRONMENT
from tasks.policy.tier import SCHEDULER
from tasks.runs.checkout import Checkout
from tasks.runs.git import commit_tree
from tasks.runs.outputs import dvc
from tasks.runs.requests.resolution import read_params
from tasks.sources import expectation_suites, sources
from tasks.stages.evaluate.suites import suite

SHOWN_SETTINGS = ("HALLMARK_LEDGER_URL", "HALLMARK_LEDGER_HEADS", "HALLMARK_VAULT_URL", "HALLMARK_VAULT_KEY",
                  "HALLMARK_GIT_REMOTE", "HALLMARK_NOTIFY", "MLFLOW_TRACKING_URI")  # fmt: skip
"""Settings that matter in an environment that other machines and people share."""
YOU = "you, here"


class Task(NamedTuple):
    who: str
    command: str
    reason: str


def settings_rows(here: Checkout) -> list[list[str]]:
    """Return the name, the value (without secrets) and the meaning of each setting that is probably needed."""
    listed = {each.variable: each for each in list_settings(os.environ, set())}
    rows = [[name, _value(listed[name].value, listed[name].origin), listed[name].meaning] for name in SHOWN_SETTINGS]
    remote = "set" if dvc.has_remote(here.root) else "not set"
    return [*rows, ["DVC remote", remote, "stage outputs for other machines: dvc remote add --default NAME URL"]]


def _value(value: str, origin: str) -> str:
    return value if origin == "environment" else f"not set ({value})"


def remaining_tasks(here: Checkout) -> list[Task]:
    """Return what is left, in the order in which it can be done.

    If a part of the list cannot be made, a task with the error stands in its place.
    """
    signatures = _tasks_or_error(lambda: _signature_tasks(here))
    edits = [*(task for task in signatures if task.who == YOU)]
    edits += _tasks_or_error(lambda: _policy_test_tasks(here.governance))
    fingerprint = root_of_trust.root_fingerprint(here.state)
    return [
        *edits,
        *_tasks_or_error(lambda: _commit_tasks(here, bool(edits))),
        *_tasks_or_error(lambda: _install_tasks(here.governance)),
        *(task for task in signatures if task.who != YOU),
        *_tasks_or_error(lambda: _code_tasks(here, here.governance)),
        Task(
            "other machines",
            f"{root_of_trust.ROOT_VARIABLE}={fingerprint} hallmark init",
            "so that they trust this root key and no other",
        ),
        Task("auditors", f"keep the fingerprint {fingerprint}", "they get it by another way than the releases"),
        Task(YOU, "hallmark doctor", "names what else is missing"),
    ]


def _tasks_or_error(make_tasks: Callable[[], Iterable[Task]]) -> list[Task]:
    try:
        return list(make_tasks())
    except HallmarkError as error:
        return [Task(YOU, "mend this, and repeat the command", str(error))]


def _policy_test_tasks(governed: Governance) -> Iterator[Task]:
    if not (governed.folder / "policy_tests.yaml").exists():
        return
    cases = policy_tests.load_cases(governed.folder)
    named = {case.requester for case in cases} | {said.person for case in cases for said in case.decisions}
    if gone := sorted(who for who in named if who != SCHEDULER and governed.people.get(who) is None):
        command = f"edit {GOVERNANCE}/policy_tests.yaml, and look: hallmark policy test"
        yield Task(YOU, command, f"its cases name {', '.join(gone)}")


def _commit_tasks(here: Checkout, after_edits: bool) -> Iterator[Task]:
    environment = here.governance.policy.environment
    if after_edits or here.repository.uncommitted_changes():
        yield Task(YOU, f"git commit -am 'Environment {environment}'", "runs are of what is committed")


def _install_tasks(governed: Governance) -> Iterator[Task]:
    judge = judge_install.current_judge()
    if judge_install.refusal_reason(judge, governed.policy):
        editable = f"an editable install judges in environment {LOCAL_ENVIRONMENT} alone"
        command = "python3 -m venv /opt/hallmark && /opt/hallmark/bin/pip install -c constraints.txt '.[platform]'"
        yield Task(YOU, command, editable if judge.editable else "policy.yaml does not list this install under judges")


OWNER_PLACES: Mapping[type, str] = {
    DeclaredCard: "use_case.owners.business in params.yaml",
    DeclaredSource: "the owner in sources.yaml",
    DeclaredSuite: "the owner in the suite's file",
}
"""Places where the owner of a declared document stands."""


def _declared_documents(here: Checkout) -> list[DeclaredDocument]:
    inventory = sources.load_sources(here.governance.folder)
    declared = declarations.declarations_of_sources(
        inventory, expectation_suites.load_suites(here.governance.folder, inventory)
    )
    params = read_params(here.root / "params.yaml", {})[0]
    asked = suite.suites_of_use_case(suite.load_suites(here.governance.folder), params.use_case.name)
    return [*declared, *map(declare_suite, asked), declare_card(params)]


def _signature_tasks(here: Checkout) -> Iterator[Task]:
    """Yield a task for each missing signature of an owner, and for each owner to replace who cannot sign."""
    now, governed = status.read_status(here.ledger, here.governance), here.governance
    subjects_by_task = dict[tuple[str, str], list[str]]()
    for each in _declared_documents(here):
        command = declarations.adoption_command(each)
        for owner in signing.missing_owners(each, now, governed):
            able = _possible_owners(here, each)
            if owner not in able:
                file = OWNER_PLACES[type(each)]
                edit = f"edit {file}: {' or '.join(able) or 'somebody'} in place of {owner}"
                yield Task(YOU, edit, f"an owner of {each.subject} needs another role than {owner} has")
            who = [owner] if owner in able else able
            command = f'hallmark {command} --as {who[0] if len(who) == 1 else "ID"} --reason "as agreed"'
            subjects_by_task.setdefault((" or ".join(who), command), []).append(each.subject)
    for (owner, command), subjects in subjects_by_task.items():
        yield Task(owner, command, ", ".join(subjects))


def _possible_owners(here: Checkout, declared: DeclaredDocument) -> list[str]:
    governed, at = here.governance, here.ledger_time
    return [each.id for each in governed.people.people if status.can_own(declared, each.roles_at(at), governed.policy)]


def _code_tasks(here: Checkout, governed: Governance) -> Iterator[Task]:
    head = commit_tree.read_tree(here.repository, here.repository.commit_id("HEAD")).sha256
    signed = sign_off.sign_off_status(here.ledger, governed, head)
    if signed.sign_offs and not signed.missing_signature and not signed.withdrawal:
        return
    for required in governed.policy.changes.code:
        able = [each.id for each in governed.people.holders_of(required.role, here.ledger_time)]
        yield Task(" or ".join(able), f'hallmark code adopt HEAD --as {able[0] if able else "ID"} --reason "reviewed"',
                   f"role {required.role}, once all is committed")  # fmt: skip
