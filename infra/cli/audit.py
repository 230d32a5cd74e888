"""Command `hallmark audit`."""

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Annotated

import typer

from infra.cli import shared
from infra.cli.progress_display import showing_step
from infra.cli.release_context import Label, open_to_read
from infra.cli.shared import console
from tasks.audit import archive, release_facts
from tasks.core.errors import HallmarkError, InputError
from tasks.core.json_text import canonical_json
from tasks.ledger.heads import publication
from tasks.ledger.ledger import Ledger
from tasks.ledger.proof import Prover
from tasks.policy import root_of_trust
from tasks.policy.governance import Governance
from tasks.registry.promote import releases
from tasks.trust.keys import Signer


def audit(
    release: Label,
    to: Annotated[
        Path | None, typer.Option("--to", metavar="DIR", help="Folder to write. Default: .hallmark/audits/RELEASE.")
    ] = None,
    weights: Annotated[bool, typer.Option(help="Put the model's weights into the archive, or leave them out.")] = True,
    as_json: shared.Json = False,
) -> None:
    """Write the dossier of a release, as an HTML page and as a zip file.

    The dossier tells the history of the release in order, with the evidence for each claim. It is signed with the
    ledger key, and `hallmark releases verify DIR` verifies it. If the release does not verify, the dossier is still
    written and says so, and the exit code is 1.

    Example: hallmark audit support-triage-1 --to support-triage-1-audit
    """
    ledger, governed = open_to_read()
    audited = releases.get_release(ledger, governed, release)
    if to:
        shared.require_outside_state(to)
    target = (to or governed.state / "audits" / str(audited.label)).resolve()
    try:
        with showing_step(f"gathering what is known of {audited.label}", None if as_json else console):
            signer, notices = _publish_head_and_get_signer(ledger, governed)
            gathered = release_facts.gather_facts(audited, ledger, governed)
            dossier, zipped = archive.write_dossier(
                gathered, _inclusion_prover(ledger, governed), target, weights, signer
            )
    except OSError as error:
        raise InputError(f"{target}: cannot be written ({error.strerror or error}); name another with --to") from None
    for text in notices:
        shared.print_notice(text, as_json)
    if as_json:
        where = {"page": str(target / archive.PAGE_FILE), "archive": str(zipped)}
        shared.print_json(where | dossier.model_dump(mode="json"))
    else:
        console.print(f"{dossier.release}: {dossier.headline}; {dossier.standing}")
        for text in dossier.missing:
            console.print(f"  missing: {text}")
        console.print(f"page: {target / archive.PAGE_FILE}\narchive: {zipped}")
        if root := _root_fingerprint(governed):
            console.print(f"whoever gets it: hallmark releases verify DIR --root {root}")
    raise typer.Exit(1 if dossier.verdict == "invalid" else 0)


def _publish_head_and_get_signer(ledger: Ledger, governed: Governance) -> tuple[Signer | None, list[str]]:
    """Publish a signed ledger head that covers every entry. Return the ledger's signer and notices for the user.

    The signer is None if the ledger key is not on this machine, or if the ledger does not continue an earlier head. The
    dossier of a rewritten ledger is therefore never signed.
    """
    try:
        unavailable_places = publication.publish(ledger, governed).unavailable
        return governed.find_signer("ledger", ledger.now()), unavailable_places
    except HallmarkError as error:
        return None, [f"nobody signs the dossier: {error}"]


def _root_fingerprint(governed: Governance) -> str:
    return root_of_trust.root_fingerprint(governed.state) if governed.chain else ""


def _inclusion_prover(ledger: Ledger, governed: Governance) -> Callable[[int], bytes]:
    prover = cache(lambda: Prover(ledger, governed))
    return lambda seq: canonical_json(prover().prove_inclusion(seq).model_dump(mode="json"))
