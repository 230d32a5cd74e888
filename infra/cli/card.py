"""Command group `hallmark card`: the list of use-case cards, and their adoption."""

from pathlib import Path
from typing import Annotated

import typer

from infra.cli import declaration_adoption, shared
from infra.cli.shared import console
from tasks.declarations import declarations, status
from tasks.declarations.signed_declaration import DeclaredCard, of_card
from tasks.runs.requests.resolution import read_params

File = Annotated[Path | None, typer.Option(metavar="FILE", help="Params file of the use case; else params.yaml.")]


def adopt(
    reason: declaration_adoption.Reason, params: File = None, who: shared.ActAs = None, as_json: shared.Json = False
) -> None:
    """Show the changes in a use-case card since its last adoption, and sign the card.

    Outside environment `local`, the success metrics of a governed run must be at least as strict as those of the
    adopted card. The business owner signs, and must hold a role that decides at the evaluation gate. If the card names
    another owner than before, the previous owner signs too.

    Example: hallmark card adopt --as product-owner --reason "thresholds of the pilot"
    """
    here = shared.open_checkout()
    checked, _ = read_params(here.root / (params or "params.yaml"), {})
    declaration_adoption.sign([of_card(checked)], here, shared.acting_person(who), reason, as_json)


def list_cards(params: File = None, as_json: shared.Json = False) -> None:
    """List the use-case cards in force, and show whether the card in a params file is in force.

    Example: hallmark card list
    """
    here = shared.open_checkout()
    governed, now = here.governance, status.read(here.ledger, here.governance)
    own = of_card(read_params(here.root / (params or "params.yaml"), {})[0])
    others = [each.declared for name, each in now.in_force.items()
              if isinstance(each.declared, DeclaredCard) and name != own.subject]  # fmt: skip
    rows = [declaration_adoption.standing_row(each, now, governed) for each in (own, *others)]
    rows[0]["allowed"] = not declarations.why_not(own, now.in_force, governed.policy)
    if as_json:
        shared.print_json(rows)
        return
    console.print(f"{params or 'params.yaml'} has {own.subject}: {rows[0]['text']}")
    if not rows[0]["allowed"]:
        note = "environment local takes it as it is" if governed.local else "no governed run is made with it"
        console.print(f"  {note}: it {declarations.why_not(own, now.in_force, governed.policy)}")
    elif not now.is_in_force(own):
        console.print("  it is no laxer than what is in force, so runs may be made with it")
    for each in rows[1:]:
        console.print(f"{each['declared']}: {each['text']}")
