"""Code that `hallmark data adopt` and `hallmark card adopt` share: show the differences, sign, show the result."""

import sys
from collections.abc import Sequence
from typing import Annotated, Any

import typer

from infra.cli import shared
from infra.cli.shared import console
from tasks.core.escaping import escape_to_one_line
from tasks.core.params.use_case import SuccessMetric
from tasks.declarations import criteria, declarations, signing, status
from tasks.declarations.signed_declaration import DeclaredCard, DeclaredDocument
from tasks.declarations.status import DeclarationStatus
from tasks.policy.governance import Governance
from tasks.runs.checkout import Checkout

METRICS_KEY = "success_metrics"
Reason = Annotated[str, typer.Option(help="What you looked at. The ledger keeps it.")]


def show_and_sign(
    declared: Sequence[DeclaredDocument], checkout: Checkout, who: str, reason: str, as_json: bool
) -> None:
    ledger, governed = checkout.ledger, checkout.governance
    before = status.read_status(ledger, governed)
    if not as_json:
        for each in declared:
            console.print(describe_changes(each, before))
        names = ", ".join(each.subject for each in declared)
        if sys.stdin.isatty() and not typer.confirm(f"sign {names} as shown?"):
            raise typer.Exit(1)
    entries = signing.sign_declarations(ledger, governed, who, declared, reason)
    now = status.read_status(ledger, governed)
    rows = [status_row(each, now, governed) for each in declared]
    if as_json:
        shared.print_json([it | {"ledger_entry": entry.seq} for it, entry in zip(rows, entries, strict=True)])
        return
    for it, entry in zip(rows, entries, strict=True):
        console.print(f"{it['declared']}: {it['text']}; entry {entry.seq} of the ledger")


def describe_changes(declared: DeclaredDocument, declaration_status: DeclarationStatus) -> str:
    known = declaration_status.declarations_by_subject.get(declared.subject)
    if known is None:
        said = (
            escape_to_one_line(f"  {key}: {_in_words(key, value)}")
            for key, value in declarations.values_by_key(declared).items()
        )
        return "\n".join([f"{declared.subject}: nobody has adopted it before, so you sign for all of this:", *said])
    before = known.declared
    differ = [each for each in declarations.declaration_differences(before, declared) if each[0] != METRICS_KEY]
    lines = [escape_to_one_line(f"  {key}: {was} becomes {becomes}") for key, was, becomes in differ]
    if isinstance(before, DeclaredCard) and isinstance(declared, DeclaredCard):
        metrics = criteria.metric_changes(before.card.success_metrics, declared.card.success_metrics)
        lines += [escape_to_one_line(f"  {METRICS_KEY}: {text}") for text in metrics]
    count = f"{len(lines)} change{'s' * (len(lines) > 1)}:" if lines else "nothing changes"
    return "\n".join([f"{declared.subject}: {count}", *lines])


def _in_words(key: str, value: Any) -> str:
    if key == METRICS_KEY:
        return "; ".join(criteria.metric_changes([], [SuccessMetric.model_validate(each) for each in value]))
    return str(value)


def status_row(
    declared: DeclaredDocument, declaration_status: DeclarationStatus, governed: Governance
) -> dict[str, Any]:
    """Return a declaration's state as `--json` prints it: adopted, or waiting for the signatures of named people."""
    waits = signing.missing_owners(declared, declaration_status, governed)
    signatures = declaration_status.pending_signatures(declared, governed.state.parent)
    signed = (
        declaration_status.declarations_by_subject[declared.subject].signatures
        if declaration_status.is_in_force(declared)
        else signatures
    )
    by = sorted({each.document.person for each in signed})
    text = f"waits for {', '.join(waits)}" if waits else f"in force, signed by {', '.join(by)}"
    known = declaration_status.declarations_by_subject.get(declared.subject)
    if waits and known:
        differ = [key for key, _, _ in declarations.declaration_differences(known.declared, declared)]
        text += f"; in force is another, which differs in {', '.join(differ)}"
    return {
        "declared": declared.subject,
        "sha256": declared.sha256,
        "state": "open" if waits else "in force",
        "waits_for": waits,
        "signed_by": by,
        "text": text,
    }
