"""Steps of `hallmark init --environment NAME`, each shown as it is done.

All answers are collected and checked before the first file is written. Each file is written whole. The last one names
the environment, so a call that was interrupted is repeated: it finds what is there and does the rest.
"""

import os
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from shlex import join

import typer

from infra.cli import shared
from infra.cli.environment_setup import (
    adopting,
    file_checks,
    file_texts,
    first_keys,
    questions,
    remaining_work,
    root_key,
)
from infra.cli.environment_setup.file_names import GOVERNANCE, PEOPLE, POLICY, Texts
from infra.cli.environment_setup.given_people import read_people
from infra.cli.environment_setup.plan import Answers, Plan, make_plan
from infra.cli.shared import console
from tasks.core.databases import addresses
from tasks.core.documents import config
from tasks.core.errors import InputError, Refused
from tasks.core.formatting import format_url
from tasks.core.params.values import NAME_PATTERN
from tasks.policy import explanation, governance, in_force
from tasks.policy.governance import LOCAL_ENVIRONMENT, Governance
from tasks.runs import installation
from tasks.runs.checkout import Checkout
from tasks.runs.git.repository import Repository
from tasks.sources import vault
from tasks.trust import keys
from tasks.trust.keys import Signer


def set_up_environment(answers: Answers) -> None:
    """Set up an environment other than `local` in this checkout, up to its first adoption.

    Raises:
        InputError: An answer is missing or wrong. Nothing was written.
        Refused: The checkout belongs to another environment, or the person at the terminal said no.
    """
    _require_environment_name(answers.environment)
    here = shared.open_checkout()
    Repository.open(here.root)
    addresses.require_encrypted_connections()
    if known := adopting.find_adoption_in_force(here, answers.environment):
        _finish_known(here, answers, known)
    else:
        answers = _make_first_adoption(here, answers)
    _show_remaining(here, answers)


def _require_environment_name(name: str) -> None:
    if name == LOCAL_ENVIRONMENT:
        raise InputError(f"environment {LOCAL_ENVIRONMENT} needs no people and no root key: hallmark init")
    if not NAME_PATTERN.fullmatch(name):
        raise InputError(f"--environment {name}: expected lower-case letters, digits, - and _, such as production")
    if config.parse_plain_yaml(f"name: {name}", Path(POLICY))["name"] != name:
        raise InputError(f"--environment {name}: YAML reads this as something else than text; take another name")


def _finish_known(here: Checkout, answers: Answers, known: adopting.InForce) -> None:
    if answers.new_root:
        raise Refused(
            f"environment {answers.environment} is in force since entry {known.entry} of the ledger, so this checkout "
            "trusts its root key already; leave --new-root out"
        )
    if answers.people and not file_texts.names_same_people(here.root, read_people(answers.people)):
        raise Refused(
            f"environment {answers.environment} is in force since entry {known.entry} of the ledger, and "
            f"{answers.people} names other people than {PEOPLE}. If this clone is older than that, say git pull "
            "first. Else propose changes with `hallmark identity`, and have them signed: "
            f"hallmark policy adopt {GOVERNANCE}"
        )
    installation.installation_id(here.root)
    governance.create_vault_and_keys(here.state, here.governance.people)
    _show("adopted", f"environment {answers.environment} is in force since entry {known.entry} of the ledger")
    ignored = {"--root-key": answers.root_key, "--successor": answers.successors, "--machine-key": answers.machine_keys}
    if unused := [option for option, value in ignored.items() if value]:
        _show("", f"not used, since nothing is adopted any more: {', '.join(unused)}")
    if told := in_force.difference_text(here.governance):
        _show("", told)


def _make_first_adoption(here: Checkout, answers: Answers) -> Answers:
    """Do all steps including the adoption, and return the answers, with those that were given at the terminal."""
    asks = questions.can_ask()
    require_root = None if answers.new_root else partial(adopting.require_trusted_root, here, answers.environment)
    if require_root:
        require_root()
    plan = make_plan(here, answers, asks)
    installation.installation_id(here.root)
    root = _prepare_root_key(here, plan)
    now = _prepare_texts(here, plan)
    governed = file_checks.require_valid(here.root, now)
    adopting.require_adoptable(here, governed, root)
    governance.create_vault_and_keys(here.state, governed.people)
    _show("vault", f"{_vault_place()}; keep a copy of its key elsewhere")
    _show_changes(here, plan, now, governed)
    fingerprint = keys.fingerprint(root.public_line)
    question = f"write this, and adopt environment {answers.environment} with root key {fingerprint}?"
    if asks and not answers.yes and not typer.confirm(question):
        raise Refused(f"nothing was adopted, and {GOVERNANCE} stays as it was")
    _write_and_adopt(here, plan, now, governed, root, require_root)
    pairs = tuple(f"{old}={new}" for old, new in plan.wanted.successors.items())
    return replace(answers, successors=pairs)


def _show_changes(here: Checkout, plan: Plan, now: Texts, governed: Governance) -> None:
    """Show all that would be adopted: files, policy in words and every key, also where the files stay as they are."""
    console.print("\n".join(file_texts.difference_lines(plan.before, now)) or "the files say so already")
    console.print("\npolicy and people that would be adopted:")
    for line in explanation.explanation_lines(governed.policy, governed.people):
        console.print(f"  {line}", soft_wrap=True)
    for line in first_keys.key_lines(governed.people, here.state, plan.named_keys):
        console.print(f"  {line}", soft_wrap=True)
    before = config.parse_plain_yaml(plan.before[PEOPLE], here.root / PEOPLE)
    if gone := [person["id"] for person in before["people"] if governed.people.get(person["id"]) is None]:
        _show("leave", f"{', '.join(gone)}: no longer in {PEOPLE}")


def _prepare_root_key(here: Checkout, plan: Plan) -> Signer:
    root, made = root_key.create_or_open(plan.root_key, here.state)
    _show("root key", f"{plan.root_key}, {'made now' if made else 'as it is'}; take it away once this is done")
    _show("", f"{keys.fingerprint(root.public_line)}: give this to auditors by another way than releases")
    return root


def _prepare_texts(here: Checkout, plan: Plan) -> Texts:
    names = file_texts.machines_without_entry(plan.people)
    lines = {name: keys.create_key_pair(here.state / "keys", name) for name in names}
    if names:
        _show("machines", f"keys of {', '.join(names)} in {here.state / 'keys'}")
    return file_texts.propose_texts(here.root, plan.before, plan.wanted, lines)


def _write_and_adopt(
    here: Checkout,
    plan: Plan,
    now: Texts,
    governed: Governance,
    root: Signer,
    require_root: Callable[[], None] | None,
) -> None:
    if require_root:
        require_root()  # somebody may have begun the ledger since
    with shared.hold_editing_lock():
        for name in file_texts.write_texts(here.root, plan.before, now):
            _show("written", name)
        outcome = adopting.adopt(here, governed, root, require_root)
    _show("trusted", f"the root key's public half in {here.state / 'keys' / 'root.pub'}")
    _show("adopted", f"in force since entry {outcome.entry.seq} of the ledger {here.ledger.url}")


def _vault_place() -> str:
    given = os.environ.get(addresses.VAULT_URL_VARIABLE)
    return format_url(given) if given else f".hallmark/{vault.VAULT_FILE}"


def _show_remaining(here: Checkout, answers: Answers) -> None:
    console.print("\nsettings, in the environment from which `hallmark up` starts, on every machine:")
    shared.print_table(["variable", "now", "meaning"], remaining_work.settings_rows(here), "")
    console.print("\nwhat is left, in this order:")
    rows = [[task.who, task.command, task.reason] for task in remaining_work.remaining_tasks(here)]
    shared.print_table(["who", "types or does", "why"], rows, "")
    console.print(f"\nthe same as a script, in another clone:\n  {_script(answers)}")
    console.print("  PATH: another root key, since each environment has its own")
    if not answers.people:
        console.print(f"  FILE: a copy of {PEOPLE} as it is now; its machines: may be left out")


def _script(answers: Answers) -> str:
    words = ["hallmark", "init", "--environment", answers.environment]
    words += ["--root-key", "PATH", "--people", str(answers.people or "FILE")]
    for pair in answers.successors:
        words += ["--successor", pair]
    return join([*words, "--yes"])


def _show(step: str, text: str) -> None:
    console.print(f"{step:<10}{text}")
