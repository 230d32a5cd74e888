"""The waivers that a release was let through on.

Where one has expired, nothing more is promoted on it; a champion that relies on it goes on, and an incident says so.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from tasks.errors import HallmarkError, Refused
from tasks.govern import incidents
from tasks.govern.gate import docket
from tasks.govern.gate.docket import Case
from tasks.govern.gate.signed_decision import KIND, read
from tasks.govern.ledger.ledger import Entry, Ledger
from tasks.govern.rules.governance import Governance
from tasks.govern.rules.policy import GATES, GateName
from tasks.registry import orders, succession
from tasks.registry.succession import Signed


@dataclass(frozen=True)
class Reliance:
    """A check that failed, and until when it was waived."""

    gate: GateName
    check: str
    expires: datetime | None
    """None: no waiver of it in the ledger can be verified."""

    def __str__(self) -> str:
        until = f"expired on {self.expires:%Y-%m-%d %H:%M} UTC" if self.expires else "cannot be verified"
        return f"the waiver of check {self.check!r} at the {self.gate} gate {until}"


def relied_on(ledger: Ledger, governance: Governance, signed: Signed) -> list[Reliance]:
    """Every check that failed in the run that a release comes from, as the ledger has its evidence and decisions."""
    found = []
    for gate in GATES:
        for case in docket.cases(ledger, signed.promotion.run, gate)[-1:]:
            until = _until(case, ledger, governance)
            failed = [check.name for check in case.evidence.checks if check.verdict == "failed"]
            found += [Reliance(gate, name, until.get(name)) for name in failed]
    return found


def expired(ledger: Ledger, governance: Governance, signed: Signed) -> list[Reliance]:
    """Those of its waivers that count no more."""
    now = ledger.now()
    return [each for each in relied_on(ledger, governance, signed) if each.expires is None or each.expires <= now]


def require(ledger: Ledger, governance: Governance, signed: Signed) -> None:
    """Raises Refused where a release relies on a waiver that counts no more."""
    if gone := expired(ledger, governance, signed):
        raise Refused(f"{signed.promotion.label} is not promoted: {'; '.join(map(str, gone))}")


def raise_incidents(ledger: Ledger, governance: Governance) -> list[Entry]:
    """Open an incident for every waiver of a champion that has expired. Nothing that is served changes."""
    opened: list[Entry | None] = []
    for name in succession.names(ledger):
        newest = succession.read(ledger, governance, name).newest
        if newest:
            opened += [_open(gone, newest, ledger, governance) for gone in expired(ledger, governance, newest)]
    return [entry for entry in opened if entry]


def _open(gone: Reliance, newest: Signed, ledger: Ledger, governance: Governance) -> Entry | None:
    label, until = newest.promotion.label, gone.expires.isoformat() if gone.expires else None
    facts = {"release": newest.release_sha256, "gate": gone.gate, "check": gone.check, "expires": until}
    text = (
        f"champion {label} relies on it: {gone}. It is served until somebody decides: promote a release that does "
        "without, go back to an earlier one, or close this with the reason why it may stay"
    )
    role = orders.owner_role(governance, newest.promotion.tier)
    return incidents.open_once(ledger, governance, "waiver-expired", label, facts, "major", role, text)


def _until(case: Case, ledger: Ledger, governance: Governance) -> dict[str, datetime]:
    """The latest expiry of each waived check."""
    latest: dict[str, datetime] = {}
    for name, expires in _waived(case, ledger, governance):
        latest[name] = max(expires, latest.get(name, expires))
    return latest


def _waived(case: Case, ledger: Ledger, governance: Governance) -> Iterator[tuple[str, datetime]]:
    for entry in ledger.entries(KIND, case.evidence.subject.sha256):
        try:
            said = read(entry, governance).decision
        except HallmarkError:
            continue
        if said.verb == "waive" and said.gate == case.evidence.gate and said.expires:
            yield from ((name, said.expires) for name in said.checks)
