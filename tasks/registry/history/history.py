"""What was in production at a moment of the past, and who had decided it: from the signed statements in the ledger."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, time
from typing import Any

from tasks.core.config import Frozen
from tasks.core.errors import InputError, Refused
from tasks.core.moments import in_utc
from tasks.ledger.ledger import Ledger
from tasks.policy.governance import Governance
from tasks.registry.promote import decided, waivers
from tasks.registry.promote.waivers import Reliance
from tasks.registry.release import promotions
from tasks.registry.release.promotions import Promotion, Promotions, Signed
from tasks.registry.release.reigns import Reign, reigns
from tasks.trust import dsse
from tasks.trust.gate_statement import GateName

CANARY = "canary: never one yet, releases go to production whole"
"""Why that place is always empty."""


class Approval(Frozen):
    """An approval that the promotion statement names."""

    gate: GateName
    who: str
    """`PERSON as ROLE`."""
    entry: int | None
    """The ledger entry that holds it, its signature verified; None where there is no such entry any more."""


class Holder(Frozen):
    """A release in a place that it held, and how it came there."""

    release: str
    sha256: str
    since: datetime
    """From when the statement that brought it there counted."""
    until: datetime | None
    """When another statement took its place; None where none has."""
    action: str
    """promote, or rollback."""
    entry: int
    """Of the statement in the ledger."""
    sequence: int
    run: str
    commit: str
    tier: str
    demo: bool
    requested_by: str
    """Who asked for the run that made it."""
    approvals: list[Approval]
    waivers: list[Reliance]
    """What failed in the run that made it, and who let that pass; whether it counted at the moment asked for."""
    ordered_by: list[str]
    """Of a rollback: who ordered it, `PERSON as ROLE`; of a promotion nobody."""
    reason: str
    """Of a rollback, in words; else empty."""


class Standing(Frozen):
    """What one model's places held at a moment."""

    name: str
    champion: Holder | None
    """In production; None before the first promotion."""
    canary: None = None
    rollback: Holder | None
    """What was in production before the champion first was."""
    first: datetime
    """When a release of this model was first in production."""


class Moment(Frozen):
    asked: str
    """As it was asked for."""
    at: datetime
    environment: str
    models: list[Standing]


def moment(text: str, now: datetime) -> datetime:
    """The time that somebody means: UTC where they name no zone; of a date its end, of today's date now.

    Raises InputError where it cannot be read, or has not come yet.
    """
    try:
        meant = _meant(text.strip(), now)
    except ValueError:
        raise InputError(
            f"{text!r} is no time; expected one as 2026-03-03T12:00 (UTC where no zone is named, as in "
            "2026-03-03T12:00+01:00), or a date as 2026-03-03, which means its end"
        ) from None
    if meant > now:
        raise InputError(f"{text} has not come yet: the ledger's clock says {now:%Y-%m-%d %H:%M:%S} UTC")
    return meant


def at(asked: str, ledger: Ledger, governance: Governance) -> Moment:
    """What every model's places held then, in this environment. Raises InputError for what is no time of the past."""
    when = moment(asked, ledger.now())
    models = []
    for name in promotions.names(ledger):
        line = promotions.read(ledger, governance, name)
        if line.valid:
            models.append(_standing(name, line, when, ledger, governance))
    return Moment(asked=asked, at=when, environment=governance.policy.environment, models=models)


def _standing(name: str, line: Promotions, when: datetime, ledger: Ledger, governance: Governance) -> Standing:
    every = reigns(line)
    begun = [reign for reign in every if reign.since <= when]
    before = Promotions(tuple(reign.signed for reign in begun), ()).previous()
    champion = begun[-1] if begun else None
    rollback = next((reign for reign in reversed(begun) if reign.signed is before), None)
    firsts = {signed.promotion.version: signed.promotion for signed in reversed(line.valid)}
    champion_then, rollback_then = (
        _holder(reign, firsts[reign.signed.promotion.version], when, ledger, governance) if reign else None
        for reign in (champion, rollback)
    )
    return Standing(name=name, champion=champion_then, rollback=rollback_then, first=every[0].since)


def _holder(reign: Reign, first: Promotion, when: datetime, ledger: Ledger, governance: Governance) -> Holder:
    """`first` is the release's first promotion: of a rollback, the statement names who ordered it instead."""
    signed, promotion = reign.signed, reign.signed.promotion
    return Holder(
        release=promotion.label,
        sha256=signed.release_sha256,
        since=reign.since,
        until=reign.until,
        action=promotion.action,
        entry=signed.entry.seq if signed.entry else 0,
        sequence=promotion.sequence,
        run=promotion.run,
        commit=promotion.commit,
        tier=promotion.tier,
        demo=promotion.demo,
        requested_by=first.requested_by,
        approvals=list(approvals(promotion, ledger, governance)),
        waivers=waivers.relied_on(ledger, governance, signed, when),
        ordered_by=orderers(signed),
        reason=promotion.reason,
    )


def orderers(signed: Signed) -> list[str]:
    """Who ordered a rollback, each `PERSON as ROLE`. The signed statement names the last order by digest, that order
    the others; what else stands in the entry counts for nothing."""
    if signed.promotion.action != "rollback":
        return []
    body = signed.entry.body if signed.entry else {}
    try:
        last = _order(body["order"], {str(signed.promotion.order_sha256)})
        return [_as(last), *(_as(_order(each, set(last["joins"]))) for each in body.get("joined", []))]
    except (Refused, KeyError, TypeError):
        return [signed.promotion.requested_by]


def _order(envelope: dict[str, Any], named: set[str]) -> dict[str, Any]:
    """The order in an envelope that is one of those named."""
    if dsse.digest(envelope) not in named:
        raise Refused("this order is not one that the statement rests on")
    order: dict[str, Any] = dsse.peek(envelope)["predicate"]
    return order


def _as(order: dict[str, Any]) -> str:
    return f"{order['person']} as {order['role']}"


def approvals(promotion: Promotion, ledger: Ledger, governance: Governance) -> Iterator[Approval]:
    """Who the statement says approved, gate by gate, each with the entry of the signed approval."""
    for gate, every in decided.of(promotion, ledger, governance).items():
        entries = {
            f"{it.decision.person} as {it.decision.role}": it.entry.seq
            for it in every
            if it.counted and it.decision.verb == "approve"
        }
        for who in promotion.approved_by.get(gate, []):
            yield Approval(gate=gate, who=who, entry=entries.get(who))


def _meant(text: str, now: datetime) -> datetime:
    try:
        day = date.fromisoformat(text)
    except ValueError:
        meant = datetime.fromisoformat(text)
        return meant.replace(tzinfo=UTC) if meant.tzinfo is None else in_utc(meant)
    end = datetime.combine(day, time.max, UTC)
    return now if day == now.date() else end
