"""Answers about a new environment, from the command line and the terminal, all checked before anything is written."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import typer

from infra.cli.environment_setup import file_texts, named_people, questions, root_key
from infra.cli.environment_setup.file_names import PARAMS, PEOPLE, SOURCES, TESTS, Texts
from infra.cli.environment_setup.file_texts import WantedContents
from infra.cli.environment_setup.given_people import read_people
from infra.cli.shared import console
from tasks.core.databases.addresses import LEDGER_URL_VARIABLE
from tasks.core.error_collector import ErrorCollector
from tasks.core.errors import InputError, Refused
from tasks.runs.checkout import Checkout
from tasks.trust import keys


@dataclass(frozen=True)
class Answers:
    """Answers from the command line. A terminal is asked for those that are None."""

    environment: str
    root_key: Path | None = None
    people: Path | None = None
    successors: tuple[str, ...] = ()
    """Successors of owners who are none of the people, each `OLD=NEW`."""
    yes: bool = False
    new_root: bool = False


@dataclass(frozen=True)
class Plan:
    root_key: Path
    wanted: WantedContents
    before: Texts
    people: Any
    """Document of the wanted people, without the machines whose keys are still to be made."""
    now: Texts
    """Wanted texts, with keys for machines that were made for the check of the texts alone."""


def make_plan(here: Checkout, answers: Answers, asks: bool) -> Plan:
    """Collect all answers and check them. Nothing is written.

    Args:
        here: Checkout to set up.
        answers: Answers from the command line.
        asks: Whether the terminal is asked for the others.

    Raises:
        InputError: An answer is missing or wrong. Without a terminal the message lists all of them.
    """
    before = file_texts.read_texts(here.root)
    policy = file_texts.policy_in(here.root, before, answers.environment)
    present = file_texts.people_in_file(before[PEOPLE], here.root / PEOPLE)
    lacking = [] if answers.people else file_texts.without_keys(present)
    given, successors = _read_options(here, answers, [] if asks else _missing_options(answers, lacking))
    if asks and not answers.yes:
        _ask_about_ledger(here)
    path = answers.root_key or _ask_root_key(here)
    if lacking:
        given = questions.ask_people(policy)
    if given:
        file_texts.keep_machines(given, present)
    people = given or present
    while True:
        try:
            file_texts.require_staffed(here.root, policy, people)
            successors = _complete_successors(here, before, people, successors, asks)
            wanted = WantedContents(answers.environment, given, successors)
            now = _checked_texts(here, before, wanted, people)
        except InputError as error:
            if not lacking:
                raise
            console.print(f"with these people environment {answers.environment} cannot begin:\n{error}")
            if not questions.ask_another_person(people):
                raise
        else:
            return Plan(path.expanduser().absolute(), wanted, before, people, now)


def _read_options(here: Checkout, answers: Answers, missing: list[str]) -> tuple[Any, dict[str, str]]:
    """Return the people in the file that was given, and who takes over from whom. All mistakes are listed at once."""
    mistakes = ErrorCollector()
    given, successors = None, dict[str, str]()
    with mistakes.collect():
        successors = _parse_successors(answers.successors)
    if answers.root_key:
        with mistakes.collect():
            root_key.require_usable_path(answers.root_key, here.root)
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


def _parse_successors(options: tuple[str, ...]) -> dict[str, str]:
    pairs = {}
    for text in options:
        old, _, new = text.partition("=")
        if not old or not new:
            raise InputError(f"--successor {text}: expected OLD=NEW, two ids, such as data-owner=ada")
        pairs[old] = new
    return pairs


def _ask_about_ledger(here: Checkout) -> None:
    if not os.environ.get(LEDGER_URL_VARIABLE) and not typer.confirm(
        f"The ledger is a file of this checkout, {here.state / 'ledger.db'}. Is that meant? (For Postgres say n.)",
        default=True,
    ):
        raise Refused(f"set {LEDGER_URL_VARIABLE} to the Postgres URL, and repeat the command; nothing was written")


def _ask_root_key(here: Checkout) -> Path:
    def check(said: str) -> Path:
        path = Path(said).expanduser()
        if not said:
            raise InputError("name a file")
        root_key.require_usable_path(path, here.root)
        return path

    console.print(
        "The root key signs the first adoption alone. Keep it outside of this checkout, on a disk of its own."
    )
    return Path(questions.ask_until_valid("path of the root key; a missing one is made", check))


def _complete_successors(
    here: Checkout, before: Texts, people: Any, successors: dict[str, str], asks: bool
) -> dict[str, str]:
    """Return who takes over from each owner who is none of the people. The only one with the same role does so.

    The same applies to people in policy_tests.yaml. If several could take over there, the file keeps the id.
    """
    found, known = dict(successors), {str(person["id"]) for person in people["people"]}
    for who, able in named_people.absent_people(here.root, before, people, (PARAMS, SOURCES)).items():
        if who not in found and len(able) == 1:
            found[who] = able[0]
        elif who not in found and asks:
            found[who] = questions.ask_successor(who, able, people)
        elif who not in found:
            raise InputError(
                f"{who} owns a source or the use case, and is none of these people; say who takes over: "
                f"--successor {who}=ID, with one of {', '.join(able or sorted(known))}"
            )
    for who, able in named_people.absent_people(here.root, before, people, (TESTS,)).items():
        if len(able) == 1:
            found.setdefault(who, able[0])
    if unknown := sorted({*found.values()} - known):
        raise InputError(f"--successor: {', '.join(unknown)} is none of these people: {', '.join(sorted(known))}")
    return found


def _checked_texts(here: Checkout, before: Texts, wanted: WantedContents, people: Any) -> Texts:
    machines = file_texts.machines_without_entry(people)
    keys.require_private_keys(here.state / "keys", machines)
    lines = file_texts.temporary_machine_lines(machines, here.state)
    now = file_texts.propose_texts(here.root, before, wanted, lines)
    file_texts.require_valid(here.root, now)
    return now
