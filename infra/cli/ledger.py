"""Command group `hallmark ledger`: entries, their verification, proofs and export."""

import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from infra.cli import run_argument, shared
from infra.cli.shared import console
from tasks.core.errors import InputError, Refused, Unavailable
from tasks.core.json_text import parse
from tasks.ledger import export as ledger_export
from tasks.ledger import ledger_verification as ledger_check
from tasks.ledger import proof as ledger_proof
from tasks.ledger import search as ledger_search
from tasks.ledger.attachments import DIGEST_KEY
from tasks.ledger.entry_verification import ProgressCallback, Report
from tasks.ledger.heads import publication
from tasks.ledger.ledger import Entry, Ledger
from tasks.trust import dsse
from tasks.trust.validity import Key as SigningKey

Key = Annotated[
    list[str] | None,
    typer.Option(
        "--key", metavar="KEY", help="Public key line or fingerprint of the ledger's key. May be repeated."
    ),
]  # fmt: skip
Moment = Annotated[
    datetime | None, typer.Option(formats=["%Y-%m-%d", "%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S"], help="In UTC.")
]
PROGRESS_SECONDS = 5.0


def list_entries(
    kind: Annotated[
        str | None, typer.Option(help="E.g. gate.asked; gate for all of its kinds; look for looks at personal data.")
    ] = None,
    subject: Annotated[str | None, typer.Option(help="Subject of the entries, or its beginning.")] = None,
    run: Annotated[
        str | None, typer.Option(metavar="RUN", help="Entries that name a run.", parser=run_argument.expand_run_id)
    ] = None,
    person: Annotated[
        str | None, typer.Option(metavar="ID", help="Entries that name a person, or that one of their keys signed.")
    ] = None,
    since: Moment = None,
    until: Moment = None,
    last: Annotated[int, typer.Option(metavar="N", min=0, help="Only the last N that fit. 0: all.")] = 50,
    as_json: shared.Json = False,
) -> None:
    """List entries of the ledger, newest last. `hallmark gates show` tells which decisions are valid.

    Example: hallmark ledger list --kind gate --since 2026-03-01
    """
    here = shared.open_checkout()
    wanted = ledger_search.EntryFilter(
        kind=kind,
        subject=subject,
        run=run,
        person=person,
        keys=here.governance.fingerprints_of(person or ""),
        since=_as_utc(since),
        until=_as_utc(until),
    )
    entries = ledger_search.find_last(here.ledger, wanted, last or None)
    if as_json:
        shared.print_json([row.model_dump(mode="json") for row in entries])
        return
    table = Table("entry", "time (UTC)", "kind", "subject", "says", box=None, header_style="bold")
    for row in entries:
        table.add_row(
            str(row.seq),
            f"{row.time:%Y-%m-%d %H:%M:%S}",
            row.kind,
            _shorten(row.subject),
            ledger_search.summarise_entry(row),
        )
    console.print(table if entries else "no entry fits")
    if last and len(entries) == last:
        shared.print_notice(f"the last {last} that fit; --last 0 shows all", as_json)


def show(
    entry: Annotated[int, typer.Argument(metavar="ENTRY", help="Number of the entry.")], as_json: shared.Json = False
) -> None:
    """Show one complete entry of the ledger.

    Example: hallmark ledger show 42
    """
    ledger = shared.open_checkout().ledger
    last = ledger.last_seq()
    if not 1 <= entry <= last:
        raise InputError(f"there is no entry {entry}; the last one is {last}")
    entries = ledger.entries(after=entry - 1, upto=entry)
    if not entries:
        raise Refused(f"there is no entry {entry}, and the last one is {last}; run `hallmark ledger verify`")
    document = entries[0].model_dump(mode="json")
    shared.print_json(
        (document if as_json else document | {"body": ledger_search.decode_envelopes(document["body"])})
        | _attached_document(ledger, entries[0])
    )


def verify(
    file: Annotated[
        Path | None, typer.Option(metavar="FILE", help="An exported ledger to verify instead of this one.")
    ] = None,
    key: Key = None,
    as_json: shared.Json = False,
) -> None:
    """Recompute the ledger's Merkle tree and compare it with every signed head that can be reached.

    The exit code is 1 if the ledger was changed, and 3 if a place of heads could not be reached but everything else is
    valid.

    Example: hallmark ledger verify
    """
    if file is not None:
        report = ledger_export.verify_export(file, _trusted_keys(key), _progress_printer())
    elif key:
        raise InputError("--key is for --file FILE; the ledger here is verified with its own key")
    else:
        here = shared.open_checkout()
        report = ledger_check.verify_ledger(here.ledger, here.governance, _progress_printer())
    if as_json:
        shared.print_json(report.model_dump(mode="json"))
    else:
        _print_report(report)
    raise typer.Exit({"holds": 0, "wrong": 1, "incomplete": 3}[report.verdict])


def prove(
    entry: Annotated[int | None, typer.Argument(metavar="ENTRY", help="Number of the entry.")] = None,
    since: Annotated[
        Path | None, typer.Option(metavar="HEAD", help="File of an older head, to prove that nothing under it changed.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="As it is: a proof is one JSON document.")] = True,
) -> None:
    """Print, as JSON, a proof that the ledger includes an entry or that nothing has changed since an older head.

    Example: hallmark ledger prove 42 > proof.json
    """
    if (entry is None) == (since is None):
        raise InputError("give the number of an entry, or --since with the file of an older head")
    here = shared.open_checkout()
    made: ledger_proof.Proof
    if since is not None:
        made = ledger_proof.prove_consistency(here.ledger, here.governance, dsse.read_envelope(since))
    else:
        assert entry is not None
        made = ledger_proof.prove_inclusion(here.ledger, here.governance, entry)
    shared.print_json(made.model_dump(mode="json"))


def verify_proof(
    proof: Annotated[Path, typer.Argument(metavar="PROOF", help="File with what `hallmark ledger prove` printed.")],
    key: Key = None,
    as_json: shared.Json = False,
) -> None:
    """Verify a proof. Only the ledger's public key is needed.

    Example: hallmark ledger verify-proof proof.json --key SHA256:3q2+7w…
    """
    try:
        parsed = ledger_proof.read_proof(proof)
    except (OSError, ValueError) as error:
        raise InputError(f"{proof}: no proof can be read here ({error})") from None
    said = ledger_proof.verify_proof(parsed, ledger_export.parse_trusted_keys(_trusted_keys(key), [parsed.key]))
    shared.print_json({"holds": True, "text": said}) if as_json else console.print(said)


def export(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="File to write, as JSON lines.")],
    as_json: shared.Json = False,
) -> None:
    """Write entries and signed heads to one file, which `hallmark ledger verify --file` verifies on any machine.

    Example: hallmark ledger export ledger.jsonl
    """
    here = shared.open_checkout()
    with shared.writable_path(file, b'{"entries":') as target:
        done = ledger_export.export_ledger(here.ledger, here.governance, target)
    header = done.header
    if as_json:
        shared.print_json({"file": str(file), **header.model_dump(mode="json"), "away": done.unavailable})
    else:
        console.print(f"{header.entries:,} entries and {header.heads:,} signed heads in {file}")
        console.print(f"whoever gets it: hallmark ledger verify --file {file.name} --key KEY, with this key")
        for line in header.keys:
            console.print(f"  {line}")
        for why in done.unavailable:
            console.print(f"without the heads of a place: {why}")


def publish_heads(as_json: shared.Json = False) -> None:
    """Sign a head of the current ledger, and copy every head to the places in HALLMARK_LEDGER_HEADS.

    Example: hallmark ledger publish
    """
    here = shared.open_checkout()
    done = publication.publish(here.ledger, here.governance)
    newest = done.newest_head.model_dump(mode="json") if done.newest_head else None
    if as_json:
        shared.print_json(
            {"newest": newest, "delivered": done.delivered, "away": done.unavailable, "void": done.void_heads}
        )
    else:
        console.print(f"newest head: {done.newest_head.describe()}" if done.newest_head else "the ledger is empty")
        if done.void_heads:
            why = "the ledger's key did not count when they were signed (`hallmark identity list`)"
            console.print(f"  {done.void_heads:,} newer heads kept here count for nothing: {why}")
        for name, count in done.delivered.items():
            console.print(f"  {name}: {count:,} new")
        if not done.delivered and not done.unavailable:
            console.print(f"it is kept beside the ledger alone: {publication.PLACES_VARIABLE} names no place")
    if done.unavailable:
        raise Unavailable("\n".join(done.unavailable))


def _trusted_keys(given: list[str] | None) -> Sequence[str | SigningKey]:
    if given:
        return given
    try:
        return publication.ledger_keys(shared.open_checkout().governance)
    except (InputError, ModuleNotFoundError) as error:  # no checkout, or an installation without the platform
        raise InputError(f"whose signature counts? Give --key with the ledger's public key ({error})") from None


def _attached_document(ledger: Ledger, entry: Entry) -> dict[str, Any]:
    if DIGEST_KEY not in entry.body:
        return {}
    try:
        return {"attached": parse(ledger.documents([entry])[0])}
    except ValueError as error:
        message = f"what is attached to entry {entry.seq} is no JSON ({error}); run `hallmark ledger verify`"
        raise Refused(message) from None


def _print_report(report: Report) -> None:
    marks = {"holds": "ok ", "wrong": "NO ", "away": "?  ", "told": "-  "}
    for finding in report.findings:
        console.print(f"  {marks[finding.verdict]} {finding.text}")
    verdicts = {
        "holds": "the ledger holds",
        "wrong": "the ledger does NOT hold",
        "incomplete": "what could be seen holds; some could not be",
    }
    console.print(verdicts[report.verdict])


def _progress_printer() -> ProgressCallback:
    last_shown = time.monotonic()

    def tick(count: int) -> None:
        nonlocal last_shown
        if count % 1000 == 0 and time.monotonic() - last_shown > PROGRESS_SECONDS:
            last_shown = time.monotonic()
            print(f"… {count:,} entries", file=sys.stderr)

    return tick


def _shorten(subject: str) -> str:
    return subject if len(subject) <= 32 else f"{subject[:12]}…"


def _as_utc(moment: datetime | None) -> datetime | None:
    return moment.replace(tzinfo=UTC) if moment else None
