"""`hallmark releases`: what was promoted, by whose decisions, and back to an earlier one."""

import socket
from dataclasses import fields
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from infra.cli import difference, history, rollback, shared
from infra.cli.registered import in_force as _registry
from infra.cli.shared import console
from tasks.errors import InputError
from tasks.govern.identity import keys
from tasks.registry import admission, verification
from tasks.registry import releases as registry
from tasks.registry.report import EXIT, Verification
from tasks.runs.run import installed_governance

app = typer.Typer(
    help="List, show and verify releases; go back to an earlier one.", no_args_is_help=True, rich_markup_mode=None
)

Label = Annotated[str, typer.Argument(metavar="RELEASE", help="NAME-VERSION, as `hallmark releases list` shows it.")]


@app.command("list")
def list_releases(as_json: shared.Json = False) -> None:
    """Every release with its aliases, newest last.

    Example: hallmark releases list
    """
    governed, ledger = _registry()
    found = registry.list_releases(ledger, governed)
    if as_json:
        shared.print_json([release.model_dump(mode="json") for release in found])
        return
    table = Table("release", "aliases", "promoted", "run", "demo", "bundle", box=None, header_style="bold")
    for r in found:
        table.add_row(
            r.label, ", ".join(r.aliases), f"{r.promoted_at:%Y-%m-%d %H:%M} UTC", r.run, "demo" * r.demo, r.bundle
        )
    console.print(table if found else "no release yet: hallmark run")


@app.command()
def show(release: Label, as_json: shared.Json = False) -> None:
    """One release: digests, gates and who decided.

    Example: hallmark releases show support-triage-1
    """
    governed, ledger = _registry()
    found = registry.get(ledger, governed, release)
    shared.print_json(found.model_dump(mode="json")) if as_json else console.print(found.describe())


@app.command()
def verify(
    folder: Annotated[
        Path, typer.Argument(metavar="DIR", exists=True, file_okay=False, help="A release's bundle folder.")
    ],
    root: Annotated[
        str | None,
        typer.Option(metavar="FINGERPRINT", help="As `hallmark identity root` prints it, received by another way."),
    ] = None,
    as_json: shared.Json = False,
) -> None:
    """Check a release from its folder alone: files, gates, decisions, provenance, signatures.

    With --root it needs nothing else, on any machine. Exit code 1: invalid, 3: incomplete, 2: no such folder or root.

    Example: hallmark releases verify support-triage-1 --root SHA256:dTMJHKLwDWSNEi81aap+xlRbD1nSaFXpP+b7HZkPkUE
    """
    verified = verification.verify_from_root(folder, keys.checked_fingerprint(root)) if root else _own(folder)
    if as_json:
        shared.print_json(verified.model_dump(mode="json"))
    else:
        for line in verified.describe():
            console.print(line)
    raise typer.Exit(EXIT[verified.verdict])


def _own(folder: Path) -> Verification:
    try:
        where = shared.root()
    except InputError as error:
        raise InputError(f"{error}; or say --root FINGERPRINT, the root of trust as its owner told you") from None
    return registry.verify(folder, installed_governance(where, None))


@app.command()
def admit(
    name: Annotated[str, typer.Argument(metavar="MODEL", help="Name of the model: use_case.name of its runs.")],
    as_json: shared.Json = False,
) -> None:
    """Verify what is in production and print the folder to load it from; recorded on the ledger.

    For whoever starts a server: what this does not print must not be loaded. With the ledger away, what was admitted
    here before goes on.

    Example: hallmark releases admit support-triage
    """
    found = admission.admit_here(shared.root(), name, server=socket.gethostname())
    told = {field.name: getattr(found, field.name) for field in fields(found)}
    if as_json:
        shared.print_json(told)
        return
    console.print(f"{found.label}, promotion statement {found.sequence}, SHA-256 {found.release_sha256}")
    console.print(f"  model  {found.model}" + (f"\n  base   {found.base}" if found.base else ""))


@app.command()
def at(when: history.Time, as_json: shared.Json = False) -> None:
    """What was champion and rollback at a moment of the past, and who had decided it.

    Example: hallmark releases at 2026-03-03T12:00
    """
    governed, ledger = _registry()
    history.show(when, ledger, governed, as_json)


@app.command()
def diff(before: difference.Named, now: difference.Named, as_json: shared.Json = False) -> None:
    """What changed from one release to another: data, parameters, code, base model, figures, policy, people.

    Exit code 1 where one of them does not verify here; what it says is printed all the same.

    Example: hallmark releases diff support-triage-1 support-triage-2
    """
    governed, ledger = _registry()
    found, latest = difference.between(shared.root(), before, now, ledger, governed)
    shared.print_json(found.model_dump(mode="json")) if as_json else difference.show(found, latest)
    raise typer.Exit(1 if found.before.against or found.now.against else 0)


app.command("rollback")(rollback.rollback)
app.command("confirm")(rollback.confirm)
