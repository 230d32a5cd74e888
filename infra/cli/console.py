"""Command group `hallmark console`: start and stop of the console, and the people who can sign in."""

import sys
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Annotated

import typer

from infra.cli import shared
from infra.cli.shared import console
from infra.console import server
from infra.console.accounts import Accounts
from infra.console.database import open_database
from infra.console.oidc.settings import sign_in_methods
from infra.console.sessions import Sessions
from tasks.core.errors import InputError
from tasks.core.formatting import format_time

Person = Annotated[str, typer.Argument(metavar="ID", help="Id in people.yaml.")]


def start(as_json: shared.Json = False) -> None:
    """Start the web console of this checkout on loopback, unless it is running. `hallmark console stop` stops it.

    Example: hallmark console start
    """
    where = shared.checkout_root()
    up = server.start(where, lambda text: shared.print_notice(text, as_json))
    people = Accounts(open_database(where / ".hallmark")).people_with_password()
    if as_json:
        shared.print_json({"url": up.origin, "people": people})
        return
    console.print(f"console: {up.origin} (stop with `hallmark console stop`)")
    if not people and sign_in_methods().provider is None:
        console.print("nobody can sign in yet: hallmark console set-password --as ID")


def stop() -> None:
    """Stop the web console of this checkout.

    Example: hallmark console stop
    """
    console.print("stopped" if server.stop(shared.checkout_root()) else "the console was not up")


def set_password(
    who: shared.ActAs = None,
    stdin: Annotated[bool, typer.Option("--stdin", help="Read the password from standard input.")] = False,
    as_json: shared.Json = False,
) -> None:
    """Set your password for the web console. Your signing key proves your identity.

    Example: hallmark console set-password --as data-owner
    """
    where = shared.checkout_root()
    person = shared.open_checkout().governance.require_identity_proof(shared.acting_person(who))
    if not stdin and not sys.stdin.isatty():
        raise InputError("there is no terminal to ask at; give the password with --stdin")
    given = sys.stdin.readline().rstrip("\n") if stdin else typer.prompt(
        "password", hide_input=True, confirmation_prompt="once more"
    )  # fmt: skip
    engine = open_database(where / ".hallmark")
    Accounts(engine).set_password(person.id, given)
    ended = Sessions(engine).end_sessions_of(person.id)
    document = {"person": person.id, "sessions_ended": ended}
    shared.print_json(document) if as_json else console.print(f"{person.id} signs in with it from now on")


def list_accounts(as_json: shared.Json = False) -> None:
    """List the people who have a password.

    Example: hallmark console accounts
    """
    people = Accounts(open_database(shared.checkout_root() / ".hallmark")).people_with_password()
    if as_json:
        shared.print_json(people)
        return
    console.print("\n".join(people) or "nobody has a password: hallmark console set-password --as ID")


def list_sessions(as_json: shared.Json = False) -> None:
    """List the people who are signed in, with the times of their sign-in and of their last request.

    `hallmark console revoke ID` ends a person's sessions.

    Example: hallmark console sessions
    """
    still = Sessions(open_database(shared.checkout_root() / ".hallmark")).list_open(datetime.now(UTC))
    if as_json:
        shared.print_json([asdict(each) | {"began": str(each.began), "seen": str(each.seen)} for each in still])
        return
    rows = [[each.person, format_time(each.began), format_time(each.seen)] for each in still]
    shared.print_table(["person", "since", "last seen"], rows, "nobody is signed in")


def revoke(person: Person, as_json: shared.Json = False) -> None:
    """Delete a person's password and end their sessions.

    People who sign in with an OpenID Connect provider can sign in again. To lock a person out, end their roles in
    people.yaml.

    Example: hallmark console revoke data-owner
    """
    engine = open_database(shared.checkout_root() / ".hallmark")
    had, ended = Accounts(engine).delete_password(person), Sessions(engine).end_sessions_of(person)
    document = {"person": person, "had_password": had, "sessions_ended": ended}
    said = f"{person} {'has no password any more' if had else 'had no password'}; {ended} sessions ended"
    if not had and not ended:
        said = f"{person} had no password and no session; `hallmark console accounts` lists who has a password"
    shared.print_json(document) if as_json else console.print(said)
