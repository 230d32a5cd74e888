"""The `hallmark` command, one file a verb.

Exit codes: 0 done, 1 the answer is no, 2 the input is wrong, 3 something needed is away. Errors a person can act on
print without a traceback.
"""

import sys

import typer

from infra.cli import (
    audit,
    data,
    down,
    gates,
    identity,
    incidents,
    init,
    ledger,
    params,
    policy,
    releases,
    reproduce,
    resolve,
    run,
    status,
    up,
)
from tasks.errors import HallmarkError

app = typer.Typer(
    name="hallmark",
    help="Fine-tune language models so that only what passed its gates reaches production.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
app.command("init")(init.init)
app.command("run")(run.run)
app.command("status")(status.status)
app.command("up")(up.up)
app.command("down")(down.down)
app.command("params")(params.params)
app.command("resolve")(resolve.resolve)
app.command("audit")(audit.audit)
app.command("reproduce")(reproduce.reproduce)
app.add_typer(data.app, name="data")
app.add_typer(gates.app, name="gates")
app.add_typer(identity.app, name="identity")
app.add_typer(ledger.app, name="ledger")
app.add_typer(policy.app, name="policy")
app.add_typer(releases.app, name="releases")
app.add_typer(incidents.app, name="incidents")


def main() -> None:
    """Entry point: run the command and turn errors into a message and an exit code."""
    try:
        app()
    except HallmarkError as error:
        print(f"hallmark: {error}", file=sys.stderr)
        sys.exit(error.exit_code)
