"""Command `hallmark data withdraw`: the withdrawal of a source by its owner, and its restoration."""

from pathlib import Path
from typing import Annotated

import typer

from infra.cli import shared
from infra.cli.shared import console
from tasks.consent import withdrawals
from tasks.consent.withdrawals import UsedSource
from tasks.core.errors import HallmarkError
from tasks.core.formatting import format_time
from tasks.declarations import declarations
from tasks.ledger.ledger import Entry, Ledger
from tasks.policy.governance import Governance
from tasks.registry.promote import releases
from tasks.registry.promote.releases import ReleasesByTrainingData
from tasks.runs.requests import source_resolution


def withdraw(
    source: Annotated[str, typer.Argument(metavar="SOURCE", help="Id of a source that you own.")],
    reason: shared.Reason,
    restore: Annotated[bool, typer.Option("--restore", help="Give the source again.")] = False,
    who: shared.ActAs = None,
    governance: shared.Governance = None,
    as_json: shared.Json = False,
) -> None:
    """Withdraw a source that you own, or undo your withdrawal with --restore.

    New runs of the source are refused, and so are runs that read the same content or location under another name. Runs
    in progress stop before their next stage or gate. Models trained on the source can no longer be promoted. Earlier
    releases stay valid, and the command lists them.

    Example: hallmark data withdraw tickets --reason "consent was for a year" --as data-owner
    """
    here = shared.open_checkout(governance)
    ledger, governed = here.ledger, here.governance
    if restore:
        entry = withdrawals.restore_source(ledger, governed, source, shared.acting_person(who), reason)
    else:
        held_now = _content_digests(ledger, governed, source, here.root)
        entry = withdrawals.withdraw_source(ledger, governed, source, shared.acting_person(who), reason, held_now)
    block_reason = withdrawals.block_reason(ledger, governed, [UsedSource(source)]) if restore else None
    given = restore and not block_reason
    if not as_json:
        console.print(_confirmation_text(source, entry, restore, block_reason))
    made = _releases_by_source(ledger, governed, as_json)
    if as_json:
        state, on = "given" if given else "withdrawn", made.by_name.get(source, [])
        document = {"source": source, "state": state, "ledger_entry": entry.seq, "releases": on}
        shared.print_json(document | {"unreadable_releases": made.unreadable})
        return
    for label in [] if given else made.by_name.get(source, []):
        console.print(f"  release {label} was trained on it and stays valid; only another release takes its place")


def _content_digests(ledger: Ledger, governed: Governance, source: str, root: Path) -> list[str]:
    """Return the digest of the source's content, or an empty list if the source cannot be read.

    A source can be withdrawn even if its digest is unknown.
    """
    try:
        return [source_resolution.resolve_source(declarations.sources_by_id(ledger, governed)[source], root).sha256]
    except (HallmarkError, KeyError):
        return []


def _confirmation_text(source: str, entry: Entry, restore: bool, held: str | None) -> str:
    where = f"entry {entry.seq} of the ledger"
    if not restore:
        return f"source {source} was withdrawn on {format_time(entry.time)}: {where}"
    return f"your withdrawal is taken back: {where}; {held}" if held else f"source {source} is given again: {where}"


def _releases_by_source(ledger: Ledger, governed: Governance, as_json: bool) -> ReleasesByTrainingData:
    """Return the releases trained on each source.

    Errors are printed and not raised, because the withdrawal is already recorded.
    """
    try:
        made = releases.releases_by_source(ledger, governed)
    except HallmarkError as error:
        shared.print_notice(f"the releases cannot be told: {error}", as_json)
        return ReleasesByTrainingData({}, [])
    if notice := made.notice():
        shared.print_notice(notice, as_json)
    return made
