"""Commands `hallmark erase list` and `hallmark erase show`."""

from typing import Any

from infra.cli import shared
from infra.cli.erase.plan import Id
from infra.cli.shared import console
from tasks.core.formatting import format_time
from tasks.erase import certificates
from tasks.suppression import cases
from tasks.suppression.cases import ErasureCase


def list_erasures(as_json: shared.Json = False) -> None:
    """List erasures with their state, oldest first. Of a certified one it says if the person is back in the vault.

    Example: hallmark erase list
    """
    here = shared.open_checkout()
    listed = cases.read_cases(here.ledger, here.governance)
    back = {case.id: bool(case.certificate) and certificates.is_back(here, case) for case in listed}
    if as_json:
        shared.print_json([_document(case) | {"is_back": back[case.id]} for case in listed])
        return
    rows = [
        [case.id, "certified, and back in the vault" if back[case.id] else case.state, str(case.deadline)]
        for case in listed
    ]
    shared.print_table(["erasure", "state", "deadline"], rows, "nobody asked to be forgotten")


def show(erasure: Id, as_json: shared.Json = False) -> None:
    """Show one erasure: the request, the decisions, the steps that were carried out, and the certificate.

    Example: hallmark erase show er-20300101-0a1b
    """
    here = shared.open_checkout()
    case = cases.get_case(here.ledger, here.governance, erasure)
    if as_json:
        shared.print_json(_document(case))
        return
    console.print(f"erasure {case.id}, {case.state}; deadline {case.deadline}")
    if case.request:
        said = case.request.document
        console.print(f"requested by {said.person} on {format_time(said.time)}: {said.basis}; {said.identity_check}")
    for kind, it in case.decisions.items():
        until = f" until {it.until}" if it.until else ""
        console.print(f"  {kind}: {it.verb}{until}, by {it.person}: {it.reason}")
    for step, entry in case.steps.items():
        console.print(f"  done {format_time(entry.time)}: {step}, entry {entry.seq} of the ledger")
    if case.certificate:
        certified = case.certificate.document
        console.print(f"certified by {certified.person} on {format_time(certified.time)}")


def _document(case: ErasureCase) -> dict[str, Any]:
    return {
        "erasure": case.id,
        "state": case.state,
        "deadline": case.deadline.isoformat(),
        "request": case.request.document.json_value if case.request else None,
        "decisions": [decision.json_value for decision in case.decisions.values()],
        "steps": {step: entry.seq for step, entry in case.steps.items()},
        "certificate": case.certificate.document.json_value if case.certificate else None,
    }
