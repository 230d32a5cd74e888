"""`hallmark gates`: what waits for people, the evidence, and their decisions.

looking.py   list and show
page.py      a gate's evidence as a person reads it
deciding.py  approve, reject, waive, withdraw
asked.py     the question as it was put last, and what it is judged by
"""

import typer

from infra.cli.gates import deciding, looking

app = typer.Typer(
    help="List the gates that wait, look at their evidence, approve, reject, waive or withdraw.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
app.command("list")(looking.list_gates)
app.command("show")(looking.show)
app.command("approve")(deciding.approve)
app.command("reject")(deciding.reject)
app.command("waive")(deciding.waive)
app.command("withdraw")(deciding.withdraw)
