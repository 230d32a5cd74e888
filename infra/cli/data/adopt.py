"""Command `hallmark data adopt`: the owner of a source signs its declaration in sources.yaml."""

from typing import Annotated

import typer

from infra.cli import declaration_adoption, shared
from tasks.core.errors import InputError, Refused
from tasks.declarations import declarations, signing, status
from tasks.declarations.signed_declaration import DeclaredSource
from tasks.gates.recogniser_figures import known_misses_text
from tasks.runs.checkout import Checkout
from tasks.runs.requests import source_resolution
from tasks.sources import expectation_suites, sources
from tasks.sources.column_mapping import UNKNOWN_LANGUAGE


def adopt(
    reason: declaration_adoption.Reason,
    names: Annotated[
        list[str] | None, typer.Argument(metavar="SOURCE…", help="Ids of sources; left out, all that wait for you.")
    ] = None,
    who: shared.ActAs = None,
    governance: shared.Governance = None,
    as_json: shared.Json = False,
) -> None:
    """Show the changes to a source's declaration in sources.yaml since its last adoption, and sign the declaration.

    Outside environment `local`, a run reads only adopted sources, under their adopted declarations. The owner of the
    source signs. If the source had another owner before, that person must sign as well, and so must the owner of an
    earlier source at the same location. A person who may adopt people.yaml signs for an owner who no longer holds a
    role.

    Example: hallmark data adopt tickets --as data-owner --reason "may be used for another year"
    """
    here, person = shared.open_checkout(governance), shared.acting_person(who)
    chosen = _declarations_to_sign(names or [], here, person)
    for each in chosen:
        source_resolution.require_allowed_location(each.source, here.root)
    declaration_adoption.show_and_sign(chosen, here, person, reason, as_json)
    languages = {each.source.constants.language or UNKNOWN_LANGUAGE for each in chosen}
    shared.print_notice(f"Hallmark's recognisers, {known_misses_text(languages)}", as_json)


def _declarations_to_sign(names: list[str], here: Checkout, who: str) -> list[DeclaredSource]:
    governed = here.governance
    inventory = sources.load_sources(governed.folder)
    declared = declarations.declarations_of_sources(
        inventory, expectation_suites.load_suites(governed.folder, inventory)
    )
    known = {each.source.id: each for each in declared}
    if unknown := sorted(set(names) - known.keys()):
        raise InputError(f"{', '.join(map(repr, unknown))} is not in sources.yaml, which has {', '.join(known)}")
    if names:
        return [known[name] for name in dict.fromkeys(names)]
    now, at = status.read_status(here.ledger, governed), here.ledger_time
    person = governed.require_actor(who, at)
    if waiting := [each for each in declared if signing.is_signature_awaited(person, each, now, governed, at)]:
        return waiting
    raise Refused(f"no source of sources.yaml waits for {who}; `hallmark data list` shows whose they are")
