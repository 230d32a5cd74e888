"""Commands `hallmark erase certify`, `check` and `recall`, about the certificate of an erasure."""

from pathlib import Path
from typing import Annotated

import typer

from infra.cli import shared
from infra.cli.erase.plan import Id
from infra.cli.shared import console
from tasks.core.formatting import format_time
from tasks.erase import certificates
from tasks.suppression.signed_documents import ErasureCertificate
from tasks.trust import dsse

File = Annotated[Path, typer.Argument(metavar="FILE", help="Certificate, as `hallmark erase certify` writes it.")]


def certify(
    erasure: Id,
    to: Annotated[Path, typer.Option("--to", metavar="FILE", help="File to write, best on another disk.")],
    who: shared.ActAs = None,
    as_json: shared.Json = False,
) -> None:
    """Search all files once more, and sign what was erased, what is kept and why, and what becomes of releases.

    Those certify who may decide, and not who requested the erasure.

    The ledger keeps the certificate, and the vault then forgets whom the erasure is about. Keep the file apart from
    backups: after an older backup is restored it puts the erasure in force again.

    Example: hallmark erase certify er-20300101-0a1b --to er-20300101-0a1b.json --as risk-officer
    """
    here = shared.open_checkout()
    with shared.writable_path(to, b"{") as target:
        envelope = certificates.certify(here, erasure, shared.acting_person(who))
        dsse.write_envelope(target, envelope)
    if as_json:
        shared.print_json({"erasure": erasure, "file": str(to), "sha256": dsse.envelope_digest(envelope)})
    else:
        console.print(f"{to}: certificate of erasure {erasure}; whoever gets it: hallmark erase check {to}")


def check(file: File, as_json: shared.Json = False) -> None:
    """Verify a certificate with the keys of people.yaml, and show what it says.

    Example: hallmark erase check er-20300101-0a1b.json
    """
    signed = certificates.verify_certificate(file, shared.open_checkout())
    if as_json:
        shared.print_json(signed.document.json_value)
    else:
        _print(signed.document)


def recall(file: File, as_json: shared.Json = False) -> None:
    """Put an erasure in force again after a backup was restored that is older than it.

    New runs leave the person out from then on. If the vault has the person again, carry the erasure out again.

    Example: hallmark erase recall er-20300101-0a1b.json
    """
    recalled = certificates.recall(shared.open_checkout(), file)
    if as_json:
        shared.print_json(recalled._asdict())
        return
    console.print(f"erasure {recalled.erasure} is in force: new runs leave the person out")
    if recalled.tokens:
        console.print(f"the vault has the person again; next: hallmark erase execute {recalled.erasure}")


def _print(said: ErasureCertificate) -> None:
    console.print(f"erasure {said.erasure} in environment {said.environment}, certified by {said.person}")
    console.print(f"requested {format_time(said.requested_at)} on {said.basis}, due {said.deadline}")
    console.print(f"certified {format_time(said.time)}")
    for it in said.outcomes:
        until = f" until {it.until}" if it.until else ""
        remaining = f", {it.remaining:,} places remain" if it.remaining else ""
        console.print(
            f"  {it.kind}: {it.verb}{until} ({it.removed:,} removed{remaining}), by {it.decided_by}: {it.reason}"
        )
    for each in said.releases:
        until = f" until {each.until}" if each.until else ""
        console.print(f"  release {each.release}: {each.verb}{until}; it cannot be reproduced any more")
    if said.companions:
        console.print(
            f"  {said.companions:,} other names, addresses and numbers in the person's records were not given as "
            "theirs, and are still stored"
        )
    console.print(f"searched: {said.searched_files:,} files; not searched: {'; '.join(said.not_searched)}")
