"""Command `hallmark init`."""

from pathlib import Path
from typing import Annotated

import typer

from infra.cli import shared
from infra.cli.shared import console
from tasks.core.errors import InputError
from tasks.ledger import quick_check
from tasks.ledger.ledger import Ledger
from tasks.policy import adoption_signing, fact_names_check, in_force, root_of_trust
from tasks.policy import governance as rules
from tasks.policy.governance import LOCAL_ENVIRONMENT, Governance
from tasks.runs import installation
from tasks.runs.git.repository import Repository
from tasks.runs.run import installed_governance
from tasks.trust import keys


def init(
    governance: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Also make keys for these people; in environment local only."),
    ] = None,
    new_root: Annotated[
        bool, typer.Option("--new-root", help="Begin a second root of trust on a ledger that has one already.")
    ] = False,
    environment: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Set up an environment other than local: ask, do and show each step."),
    ] = None,
    root_key: Annotated[
        Path | None,
        typer.Option(metavar="PATH", help="With --environment: private root key, which is made if it is not there."),
    ] = None,
    people: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="With --environment: its people, in the form of people.yaml."),
    ] = None,
    successor: Annotated[
        list[str] | None,
        typer.Option(
            metavar="OLD=NEW", help="With --environment: who takes over from an owner who leaves. May be repeated."
        ),
    ] = None,
    machine_key: Annotated[
        list[str] | None,
        typer.Option(
            metavar="FINGERPRINT",
            help="With --yes: key of a machine in people.yaml that was made elsewhere and is meant. May be repeated.",
        ),
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="With --environment: adopt without a question.")] = False,
) -> None:
    """Create the keys, ledger and folders of this checkout, and adopt infra/governance if nothing is adopted yet.

    Repeating the command changes nothing, with one exception: in environment `local`, if the policy lets the root key
    adopt changes, the command adopts later changes to infra/governance. If the ledger began under another root key, the
    command creates nothing until you trust that key here.

    With `--environment NAME` the command sets up an environment other than `local`, up to its first adoption: the name
    in policy.yaml, the root key outside of the checkout, the people and machines with their keys, and the vault. It
    asks for everything that no option says, shows the changes, asks whether to adopt them, and lists the remaining
    tasks and who has to do them. If it is interrupted, repeat it to finish.

    Example: hallmark init
    Example: hallmark init --environment production --root-key /media/safe/root --people people.yaml --yes
    """
    if environment is not None:
        if governance:
            raise InputError("--governance is for environment local; leave it out with --environment")
        from infra.cli.environment_setup import command, plan  # needs more of the platform than environment local

        owners, marks = tuple(successor or ()), tuple(machine_key or ())
        command.set_up_environment(
            plan.Answers(environment, root_key, people, owners, marks, yes=yes, new_root=new_root)
        )
        return
    if root_key or people or successor or machine_key or yes:
        raise InputError(
            "--root-key, --people, --successor, --machine-key and --yes go with --environment NAME, such as production"
        )
    here = shared.open_checkout()
    where, state, folder = here.root, here.state, here.root / "infra" / "governance"
    Repository.open(where)
    installation.installation_id(where)
    ours = rules.load_governance(folder, state)
    if governance:
        rules.load_governance(where / governance, state)  # a mistake in it is found before the first key is made
    if not new_root:
        root_of_trust.require_trusted_root(here.ledger, state)
    rules.create_vault_and_keys(state, ours.people)
    if ours.is_local:
        root_of_trust.create_root_key(state)
        _adopt_with_root_key(folder, state, here.ledger)
    governed = here.governance
    if governance:
        rules.create_vault_and_keys(state, installed_governance(where, str(governance)).people)
        console.print(
            f"keys of the people of {governance}, whose policy applies to runs with --governance {governance}"
        )
    console.print(f"ready: keys, ledger and state in {governed.state}")
    console.print(f"root of trust: {root_of_trust.root_fingerprint(state)}")


def _adopt_with_root_key(folder: Path, state: Path, ledger: Ledger) -> None:
    own = state / "keys" / root_of_trust.ROOT_KEY_NAME
    chain, policy, people = in_force.read_chain(state, ledger), *in_force.load_proposed(folder, state)
    newest = chain.newest_adoption
    if not own.exists() or (newest and newest.environment != LOCAL_ENVIRONMENT):
        return
    alone = newest is None or not (newest.policy.changes.policy or newest.policy.changes.people)
    if alone and (newest is None or (newest.policy, newest.people) != (policy, people)):
        fact_names_check.require_known_facts(policy, folder / "policy.yaml", newest.policy if newest else None)
        quick_check.require_unchanged(ledger, Governance(folder, policy, people, state))
        adoption_signing.sign_adoption(
            ledger, chain.root_fingerprint, policy, people, keys.make_signer(keys.load_private_key(own))
        )
        console.print(f"in force from now on: {folder}")
