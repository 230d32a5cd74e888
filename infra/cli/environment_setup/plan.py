"""Answers about a new environment, from the command line and the terminal, all checked before anything is written."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import typer

from infra.cli import shared
from infra.cli.environment_setup import adopting, file_checks, file_texts, first_keys, named_people, questions, root_key
from infra.cli.environment_setup.file_names import PARAMS, PEOPLE, SOURCES, TESTS, Texts
from infra.cli.environment_setup.file_texts import WantedContents
from infra.cli.environment_setup.given_people import read_people
from infra.cli.shared import console
from tasks.core.databases.addresses import LEDGER_URL_VARIABLE
from tasks.core.error_collector import ErrorCollector
from tasks.core.errors import InputError, Refused
from tasks.policy.policy import Policy
from tasks.runs.checkout import Checkout
from tasks.trust import keys


@dataclass(frozen=True)
class Answers:
    """Answers from the command line. At a terminal the person is asked for those that are None."""

    environment: str
    root_key: Path | None = None
    people: Path | None = None
    successors: tuple[str, ...] = ()
    """Successors of owners who are not among the people, each `OLD=NEW`."""
    machine_keys: tuple[str, ...] = ()
    """Fingerprints of machine keys in people.yaml that may be adopted although this checkout has not made them."""
    yes: bool = False
    new_root: bool = False


@dataclass(frozen=True)
class Plan:
    root_key: Path
    wanted: WantedContents
    before: Texts
    people: Any
    """Document of the wanted people, without the machines whose keys are still to be made."""
    named_keys: frozenset[str]
    """Fingerprints of the machine keys that the file of people or an option names."""


def make_plan(here: Checkout, answers: Answers, asks: bool) -> Plan:
    """Collect all answers and check them. Nothing is written.

    Args:
        here: Checkout to set up.
        answers: Answers from the command line.
        asks: Whether to ask at the terminal for the answers that are missing.

    Raises:
        InputError: An answer is missing or wrong. Without a terminal the message lists all of them.
    """
    before = file_texts.read_texts(here.root)
    file_checks.require_readable(here.root, before)
    policy = file_texts.policy_for_environment(here.root, before, answers.environment)
    present = file_texts.people_in_file(before[PEOPLE], here.root / PEOPLE)
    lacking = [] if answers.people else file_texts.without_keys(present)
    given, successors = _read_options(here, answers, [] if asks else _missing_options(answers, lacking))
    named = {*answers.machine_keys, *(first_keys.machine_fingerprints(given) if given else ())}
    if lacking:
        given = file_texts.people_with_keys(present)
        named_people.require_replaceable(here.root, before, lacking)
    if given:
        file_texts.keep_machines(given, present)
    people = given or present
    if answers.yes:
        first_keys.require_named(people, here.state, named)
    if asks and not answers.yes:
        _ask_about_ledger(here)
    path = root_key.expanded(answers.root_key) if answers.root_key else _ask_root_key(here)
    if lacking:
        console.print(f"without a key, and so none of the people any more: {', '.join(lacking)}")
        questions.ask_people(policy, people, adopting.present_time(here))
    _ask_until_staffed(here, policy, people, asks=bool(lacking))
    successors = _complete_successors(here, before, people, successors, asks)
    wanted = WantedContents(answers.environment, given, successors)
    _require_valid_texts(here, before, wanted, people)
    return Plan(path.absolute(), wanted, before, people, frozenset(named))


def _ask_until_staffed(here: Checkout, policy: Policy, people: Any, asks: bool) -> None:
    """Check that the people can do what the policy asks for. If they cannot, ask for another person until they can."""
    while True:
        try:
            return file_checks.require_staffed(here.root, policy, people, adopting.present_time(here))
        except InputError as error:
            if not asks:
                raise
            console.print(f"with these people environment {policy.environment} cannot begin:\n{error}")
            if not questions.ask_another_person(people):
                raise


def _read_options(here: Checkout, answers: Answers, missing: list[str]) -> tuple[Any, dict[str, str]]:
    """Return the people in the file that was given, and who takes over from whom. All mistakes are listed at once."""
    mistakes = ErrorCollector()
    given, successors = None, dict[str, str]()
    with mistakes.collect():
        expected = "OLD=NEW, two ids, such as data-owner=ada"
        successors = shared.parse_pairs("--successor", answers.successors, expected)
    if answers.root_key:
        with mistakes.collect():
            root_key.require_usable_path(answers.root_key, here)
    if answers.people:
        with mistakes.collect():
            given = read_people(answers.people)
    if missing:
        mistakes.add_input_error("\n".join(["nobody can be asked here, so say also:", *missing]))
    mistakes.raise_errors()
    return given, successors


def _missing_options(answers: Answers, lacking: list[str]) -> list[str]:
    missing = []
    if not answers.root_key:
        missing.append("  --root-key PATH   Private root key outside of this checkout; it is made if it is not there.")
    if lacking:
        missing.append(
            f"  --people FILE     People in the form of people.yaml, since {PEOPLE} has no key of {', '.join(lacking)}."
        )
    if not answers.yes:
        missing.append("  --yes             Adopt without a question.")
    return missing


def _ask_about_ledger(here: Checkout) -> None:
    if not os.environ.get(LEDGER_URL_VARIABLE) and not typer.confirm(
        f"The ledger is a file of this checkout, {here.state / 'ledger.db'}. Is that meant? (For Postgres say n.)",
        default=True,
    ):
        raise Refused(f"set {LEDGER_URL_VARIABLE} to the Postgres URL, and repeat the command; nothing was written")


def _ask_root_key(here: Checkout) -> Path:
    def check(said: str) -> Path:
        if not said:
            raise InputError("name a file")
        root_key.require_usable_path(Path(said), here)
        return root_key.expanded(Path(said))

    console.print(
        "The root key signs the first adoption alone. Keep it outside of this checkout, on a disk of its own."
    )
    return Path(questions.ask_until_valid("path of the root key; a missing one is made", check))


def _complete_successors(
    here: Checkout, before: Texts, people: Any, successors: dict[str, str], asks: bool
) -> dict[str, str]:
    """Return the successor of each owner who is no longer among the people.

    It is the given successor, or else the only person with the owner's role. People in policy_tests.yaml are succeeded
    too. If several people could succeed there, the id stays.
    """
    at, found, known = adopting.present_time(here), dict(successors), {str(person["id"]) for person in people["people"]}
    for who, able in named_people.absent_people(here.root, before, people, (PARAMS, SOURCES), at).items():
        if who not in found and len(able) == 1:
            found[who] = able[0]
        elif who not in found and asks:
            found[who] = questions.ask_successor(who, able, people)
        elif who not in found:
            raise InputError(
                f"{who} owns a source or the use case, and is none of these people; say who takes over: "
                f"--successor {who}=ID, with one of {', '.join(able or sorted(known))}"
            )
    for who, able in named_people.absent_people(here.root, before, people, (TESTS,), at).items():
        if len(able) == 1:
            found.setdefault(who, able[0])
    if unknown := sorted({*found.values()} - known):
        raise InputError(f"--successor: {', '.join(unknown)} is none of these people: {', '.join(sorted(known))}")
    return found


def _require_valid_texts(here: Checkout, before: Texts, wanted: WantedContents, people: Any) -> None:
    machines = file_texts.machines_without_entry(people)
    keys.require_private_keys(here.state / "keys", machines)
    lines = file_checks.machine_lines_for_check(machines, here.state)
    file_checks.require_valid(here.root, file_texts.propose_texts(here.root, before, wanted, lines))
