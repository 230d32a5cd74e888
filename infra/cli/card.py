"""Command group `hallmark card`: the list of use-case cards, and their adoption."""

from pathlib import Path
from typing import Annotated

import typer

from infra.cli import declaration_adoption, shared
from infra.cli.shared import console
from tasks.declarations import declarations, status
from tasks.declarations.signed_declaration import DeclaredCard, declare_card
from tasks.runs.requests.resolution import read_params

File = Annotated[Path | None, typer.Option(metavar="FILE", help="Params file of the use case; else params.yaml.")]


def adopt(
    reason: declaration_adoption.Reason, params: File = None, who: shared.ActAs = None, as_json: shared.Json = False
) -> None:
    """Show the changes to a use-case card since its last adoption, and sign the card.

    The signer is the business owner, who must hold a role that decides at the evaluation gate. If the card names a
    different owner than before, the previous owner must sign as well. Outside environment `local`, the success metrics
    of a governed run must be at least as strict as those of the adopted card.

    Example: hallmark card adopt --as product-owner --reason "thresholds of the pilot"
    """
    here = shared.open_checkout()
    checked, _ = read_params(here.root / (params or "params.yaml"), {})
    declaration_adoption.show_and_sign([declare_card(checked)], here, shared.acting_person(who), reason, as_json)


def list_cards(params: File = None, as_json: shared.Json = False) -> None:
    """List the adopted use-case cards, and show whether the card in a params file is one of them.

    Example: hallmark card list
    """
    here = shared.open_checkout()
    governed, now = here.governance, status.read_status(here.ledger, here.governance)
    own = declare_card(read_params(here.root / (params or "params.yaml"), {})[0])
    others = [each.declared for name, each in now.declarations_by_subject.items()
              if isinstance(each.declared, DeclaredCard) and name != own.subject]  # fmt: skip
    rows = [declaration_adoption.status_row(each, now, governed) for each in (own, *others)]
    rows[0]["allowed"] = not declarations.refusal_reason(own, now.declarations_by_subject, governed.policy)
    if as_json:
        shared.print_json(rows)
        return
    console.print(f"{params or 'params.yaml'} has {own.subject}: {rows[0]['text']}")
    if not rows[0]["allowed"]:
        note = "environment local takes it as it is" if governed.is_local else "no governed run is made with it"
        console.print(f"  {note}: it {declarations.refusal_reason(own, now.declarations_by_subject, governed.policy)}")
    elif not now.is_in_force(own):
        console.print("  it is no laxer than what is in force, so runs may be made with it")
    for each in rows[1:]:
        console.print(f"{each['declared']}: {each['text']}")
