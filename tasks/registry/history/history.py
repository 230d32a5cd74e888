"""State of production at a past time, reconstructed from signed statements in the ledger."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, time
from typing import Any

from tasks.core.documents.config import FrozenModel
from tasks.core.errors import InputError, Refused
from tasks.core.formatting import format_exact_time
from tasks.core.utc import to_utc
from tasks.ledger.ledger import Ledger
from tasks.policy.governance import Governance
from tasks.registry.promote import release_decisions, waivers
from tasks.registry.promote.waivers import FailedCheck
from tasks.registry.release import promotions
from tasks.registry.release.production_periods import ProductionPeriod, production_periods
from tasks.registry.release.promotions import Promotion, Promotions, SignedPromotion
from tasks.trust import dsse
from tasks.trust.gate_statement import GateName

CANARY_NOTE = "canary: never one yet, releases go to production whole"
"""Note shown for the alias `canary`, which is always empty because releases go to production as a whole."""


class Approval(FrozenModel):
    gate: GateName
    who: str
    """Approver, in the form `PERSON as ROLE`."""
    entry: int | None
    """Number of the ledger entry with the verified approval; null if the ledger has no such entry."""


class AliasHolder(FrozenModel):
    """Release that had the alias `champion` or `rollback`, with the promotion statement that gave it the alias."""

    release: str
    sha256: str
    since: datetime
    """Time at which the promotion statement took effect."""
    until: datetime | None
    """Time at which the next promotion statement took effect; null if there is no later statement."""
    action: str
    """Action of the promotion statement: `promote` or `rollback`."""
    entry: int
    """Number of the ledger entry with the promotion statement."""
    sequence: int
    run: str
    commit: str
    tier: str
    demo: bool
    requested_by: str
    """Requester of the run that made the release."""
    approvals: list[Approval]
    waivers: list[FailedCheck]
    """Checks that failed in the run that made the release. Each has its waiver, and whether the waiver was valid at the
    requested time."""
    ordered_by: list[str]
    """People who ordered the rollback, each in the form `PERSON as ROLE`; empty for a promotion."""
    reason: str
    """Reason for the rollback; empty for a promotion."""


class ModelState(FrozenModel):
    """Champion and rollback release of one model at a point in time."""

    name: str
    champion: AliasHolder | None
    """Release in production; null before the first promotion."""
    canary: None = None
    rollback: AliasHolder | None
    """Release that a rollback would have restored; null if there was none."""
    first: datetime
    """Time of the model's first promotion."""


class ProductionState(FrozenModel):
    asked: str
    """Requested time, as the user wrote it."""
    at: datetime
    environment: str
    models: list[ModelState]


def parse_time(text: str, now: datetime) -> datetime:
    """Parse a past time that a user entered.

    A time without a time zone is read as UTC. A date without a time means the end of that day. Today's date means the
    current time.

    Raises:
        InputError: The text is not a time, or the time is in the future.
    """
    try:
        parsed = _parse_time_or_date(text.strip(), now)
    except ValueError:
        raise InputError(
            f"{text!r} is no time; expected one as 2026-03-03T12:00 (UTC where no zone is named, as in "
            "2026-03-03T12:00+01:00), or a date as 2026-03-03, which means its end"
        ) from None
    if parsed > now:
        raise InputError(f"{text} has not come yet: the ledger's clock says {format_exact_time(now)}")
    return parsed


def production_state_at(time_text: str, ledger: Ledger, governance: Governance) -> ProductionState:
    """Return the champion and the rollback release that each model of this environment had at a past time.

    Raises:
        InputError: The given text is not a time, or the time is in the future.
    """
    when = parse_time(time_text, ledger.now())
    models = []
    for name in promotions.model_names(ledger):
        line = promotions.read_promotions(ledger, governance, name)
        if line.valid_statements:
            models.append(_model_state(name, line, when, ledger, governance))
    return ProductionState(asked=time_text, at=when, environment=governance.policy.environment, models=models)


def _model_state(
    name: str, model_promotions: Promotions, moment: datetime, ledger: Ledger, governance: Governance
) -> ModelState:
    every = production_periods(model_promotions)
    started = [reign for reign in every if reign.since <= moment]
    before = Promotions(tuple(reign.signed for reign in started), ()).rollback_target()
    champion = started[-1] if started else None
    rollback = next((reign for reign in reversed(started) if reign.signed is before), None)
    firsts = {signed.promotion.version: signed.promotion for signed in reversed(model_promotions.valid_statements)}
    champion_then, rollback_then = (
        _alias_holder(reign, firsts[reign.signed.promotion.version], moment, ledger, governance) if reign else None
        for reign in (champion, rollback)
    )
    return ModelState(name=name, champion=champion_then, rollback=rollback_then, first=every[0].since)


def _alias_holder(
    period: ProductionPeriod, first_promotion: Promotion, moment: datetime, ledger: Ledger, governance: Governance
) -> AliasHolder:
    """Return the release that held an alias.

    The requester of the run is read from the release's first promotion, because a rollback statement names the person
    who ordered the rollback instead.
    """
    signed, promotion = period.signed, period.signed.promotion
    return AliasHolder(
        release=promotion.label,
        sha256=signed.release_sha256,
        since=period.since,
        until=period.until,
        action=promotion.action,
        entry=signed.entry.seq if signed.entry else 0,
        sequence=promotion.sequence,
        run=promotion.run,
        commit=promotion.commit,
        tier=promotion.tier,
        demo=promotion.demo,
        requested_by=first_promotion.requested_by,
        approvals=list(list_approvals(promotion, ledger, governance)),
        waivers=waivers.failed_checks(ledger, governance, signed, moment),
        ordered_by=rollback_orderers(signed),
        reason=promotion.reason,
    )


def rollback_orderers(signed: SignedPromotion) -> list[str]:
    """Return the people who ordered a rollback, each in the form `PERSON as ROLE`; empty for a promotion.

    The signed statement refers by digest to the last order, which refers to the earlier ones. Any other order in the
    ledger entry is ignored, because no signed document refers to it.
    """
    if signed.promotion.action != "rollback":
        return []
    body = signed.entry.body if signed.entry else {}
    try:
        last = _named_order(body["order"], {str(signed.promotion.order_sha256)})
        return [
            _person_and_role(last),
            *(_person_and_role(_named_order(each, set(last["joins"]))) for each in body.get("joined", [])),
        ]
    except (Refused, KeyError, TypeError):
        return [signed.promotion.requested_by]


def _named_order(envelope: dict[str, Any], accepted_digests: set[str]) -> dict[str, Any]:
    if dsse.envelope_digest(envelope) not in accepted_digests:
        raise Refused("this order is not one that the statement rests on")
    order: dict[str, Any] = dsse.unverified_statement(envelope)["predicate"]
    return order


def _person_and_role(order: dict[str, Any]) -> str:
    return f"{order['person']} as {order['role']}"


def list_approvals(promotion: Promotion, ledger: Ledger, governance: Governance) -> Iterator[Approval]:
    """Yield the approvals that a promotion statement lists, in gate order. Each has the number of its ledger entry."""
    for gate, every in release_decisions.decisions_by_gate(promotion, ledger, governance).items():
        entries = {
            f"{it.decision.person} as {it.decision.role}": it.entry.seq
            for it in every
            if it.counted and it.decision.verb == "approve"
        }
        for who in promotion.approved_by.get(gate, []):
            yield Approval(gate=gate, who=who, entry=entries.get(who))


def _parse_time_or_date(text: str, now: datetime) -> datetime:
    try:
        day = date.fromisoformat(text)
    except ValueError:
        parsed = datetime.fromisoformat(text)
        return parsed.replace(tzinfo=UTC) if parsed.tzinfo is None else to_utc(parsed)
    end = datetime.combine(day, time.max, UTC)
    return now if day == now.date() else end
