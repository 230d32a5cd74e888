"""The waivers that a release was let through on.

Where one has expired, nothing more is promoted on it; a champion that relies on it goes on, and an incident says so.
"""

from datetime import datetime

from tasks.core.config import Frozen
from tasks.core.errors import HallmarkError, Refused
from tasks.gates import cases
from tasks.gates.cases import Case
from tasks.gates.signed_decision import KIND, read
from tasks.gates.signed_decision import Signed as Decided
from tasks.incidents import incidents
from tasks.ledger.ledger import Entry, Ledger
from tasks.policy.governance import Governance
from tasks.registry.promote import orders
from tasks.registry.release import promotions
from tasks.registry.release.promotions import Signed
from tasks.trust.gate_statement import GateName


class Reliance(Frozen):
    """A check that failed, and the waiver that it was let through on."""

    gate: GateName
    check: str
    who: str
    """`PERSON as ROLE` who waived it; empty where no waiver of it in the ledger can be verified, as what follows is."""
    reason: str
    expires: datetime | None
    entry: int | None
    """Of the waiver in the ledger."""
    counts: bool
    """At the moment that was asked for."""

    def __str__(self) -> str:
        until = f"expired on {self.expires:%Y-%m-%d %H:%M} UTC" if self.expires else "cannot be verified"
        return f"the waiver of check {self.check!r} at the {self.gate} gate {until}"

    def describe(self) -> str:
        """In one line who let it pass and until when."""
        what = f"{self.gate} gate, check {self.check!r}: "
        if self.expires is None:
            return f"{what}it failed, and no waiver of it in the ledger can be verified"
        stands = "counts until" if self.counts else "EXPIRED on"
        return f"{what}waived by {self.who}, {stands} {self.expires:%Y-%m-%d %H:%M} UTC: {self.reason or 'no reason'}"


def relied_on(ledger: Ledger, governance: Governance, signed: Signed, at: datetime | None = None) -> list[Reliance]:
    """Every check that failed in the run that a release comes from, as the ledger has its evidence and decisions, and
    whether its waiver counts at a moment, None: now."""
    reliances, moment = [], at or ledger.now()
    for gate in signed.promotion.gates:
        for case in cases.read(ledger, signed.promotion.run, gate)[-1:]:
            waived = _waived(case, ledger, governance)
            failed = [check.name for check in case.evidence.checks if check.verdict == "failed"]
            reliances += [_reliance(gate, name, waived.get(name), moment) for name in failed]
    return reliances


def expired(ledger: Ledger, governance: Governance, signed: Signed) -> list[Reliance]:
    """Those of its waivers that count no more."""
    return [each for each in relied_on(ledger, governance, signed) if not each.counts]


def in_short(relied: list[Reliance]) -> str:
    """How many there are, and how many of them count no more; empty where there are none."""
    gone = sum(not each.counts for each in relied)
    return (f"{len(relied)}" + f", {gone} of them no more" * bool(gone)) if relied else ""


def require(ledger: Ledger, governance: Governance, signed: Signed) -> None:
    """Raises Refused where a release relies on a waiver that counts no more."""
    if gone := expired(ledger, governance, signed):
        raise Refused(f"{signed.promotion.label} is not promoted: {'; '.join(map(str, gone))}")


def raise_incidents(ledger: Ledger, governance: Governance) -> list[Entry]:
    """Open an incident for every waiver of a champion that has expired. Nothing that is served changes."""
    opened: list[Entry | None] = []
    for name in promotions.names(ledger):
        newest = promotions.read(ledger, governance, name).newest
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


def _reliance(gate: GateName, check: str, waiver: Decided | None, moment: datetime) -> Reliance:
    if waiver is None:
        return Reliance(gate=gate, check=check, who="", reason="", expires=None, entry=None, counts=False)
    said = waiver.decision
    counts = said.expires is not None and said.expires > moment
    who = f"{said.person} as {said.role}"
    return Reliance(
        gate=gate, check=check, who=who, reason=said.reason, expires=said.expires, entry=waiver.entry.seq, counts=counts
    )


def _waived(case: Case, ledger: Ledger, governance: Governance) -> dict[str, Decided]:
    """The waiver of each check that counts longest."""
    longest: dict[str, Decided] = {}
    for each in _waivers(case, ledger, governance):
        for name in each.decision.checks:
            longest[name] = max(longest.get(name, each), each, key=_expires)
    return longest


def _expires(each: Decided) -> datetime:
    assert each.decision.expires is not None
    return each.decision.expires


def _waivers(case: Case, ledger: Ledger, governance: Governance) -> list[Decided]:
    """Those that verify and that nobody has withdrawn."""
    decisions, withdrawn = list[Decided](), set[str]()
    for entry in ledger.entries(KIND, case.evidence.subject.sha256):
        try:
            signed = read(entry, governance)
        except HallmarkError:
            continue
        if signed.decision.gate == case.evidence.gate:
            decisions.append(signed)
            withdrawn |= set(signed.decision.withdraws)
    return [
        each
        for each in decisions
        if each.decision.verb == "waive" and each.decision.expires and each.sha256 not in withdrawn
    ]
