"""Command `hallmark advise`."""

from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from infra.cli import shared
from infra.cli.shared import console


def advise(
    params: Annotated[Path | None, typer.Option("--params", metavar="FILE", help="Another params file.")] = None,
    changes: shared.Changes = None,
    write: Annotated[
        bool, typer.Option("--write", help="Put the best approach and its reasons into the card.")
    ] = False,
    as_json: shared.Json = False,
) -> None:
    """Recommend an approach for the use case, with reasons and costs, based on the rows of its last run.

    Example: hallmark advise --write
    """
    from tasks.advice import ranking as rules  # slow: imports libraries for tables and models

    root = shared.checkout_root()
    advice = rules.advise_on_approach(root, params, shared.parse_changes(changes))
    document = rules.as_json(advice)
    if as_json:
        shared.print_json(document)
    else:
        table = Table("approach", "points", "hours", "USD", "why", box=None)
        for each in document["approaches"]:
            hours, cost = (f"{each[name]:.2f}" if each[name] is not None else "" for name in ("hours", "cost_usd"))
            table.add_row(each["approach"], f"{each['points']:+d}", hours, cost, "; ".join(each["reasons"]))
        console.print(table)
        same = "as the card says" if document["best"] == document["chosen"] else f"the card says {document['chosen']}"
        console.print(f"from {document['rows']:,} rows of run {document['rows_of']}: {document['best']}, {same}")
    if write:
        file = params or root / "params.yaml"
        with shared.hold_editing_lock():
            rules.write_best_approach(file, advice)
        if not as_json:
            console.print(
                f"{file}: use_case.approach is {advice.best.approach} now, with its reasons; owners sign the card"
            )
