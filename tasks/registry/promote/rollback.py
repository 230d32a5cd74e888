"""Rollback to an earlier champion, by the orders that policy requires or, in an emergency, by one person."""

from contextlib import suppress
from typing import Any, NamedTuple

from tasks.consent import release_sources
from tasks.core.documents.config import validate_reason
from tasks.core.errors import HallmarkError, Refused
from tasks.ledger.ledger import Entry, Ledger
from tasks.policy import in_force, judge_install
from tasks.policy.governance import Governance
from tasks.policy.signed_document import verify_envelope
from tasks.registry.promote import (
    emergency_rollback,
    intents,
    mlflow_mirror,
    recovery,
    releases,
    rollback_orders,
    waivers,
)
from tasks.registry.promote.order_rules import OrderClaim
from tasks.registry.promote.releases import Release
from tasks.registry.promote.rollback_orders import Order, SignedOrder
from tasks.registry.release import bundle, promotions
from tasks.registry.release.promotions import SignedPromotion
from tasks.suppression import in_force as suppressions
from tasks.trust import dsse, keys
from tasks.trust.statement_checks import require_recent, require_requested, statements_changed_error


class RollbackRequest(NamedTuple):
    reason: str
    role: str | None = None
    """Role in which the person orders the rollback. It can be None if the person has only one suitable role."""
    break_glass: bool = False


class RollbackResult(NamedTuple):
    release: Release
    waiting_for: list[str]
    """Descriptions of the orders that other people still have to give; empty if the rollback was carried out."""
    entry: int
    """Number of the ledger entry with the person's order. If the order was carried out, it is the promotion's entry."""


def rollback(
    ledger: Ledger, governance: Governance, label: str, person_id: str, reason: str, role: str | None = None,
    break_glass: bool = False,
) -> RollbackResult:  # fmt: skip
    """Sign a person's order to restore an earlier release, and restore the release if no other order is required.

    If an error is raised, the champion does not change. Other promotions are not blocked while the person signs.

    Raises:
        InputError: The release or person is unknown, or the reason is missing.
        Refused: The ledger was changed, the person is not allowed to order the rollback, the release fails
            verification, or it relies on an expired waiver. Expired waivers are accepted in an emergency rollback.
        Unavailable: The ledger cannot be used.
    """
    ordering = _order_draft(ledger, governance, label, person_id, RollbackRequest(reason, role, break_glass))
    signer = governance.find_signer(ordering.person, ledger.now())
    return _submit_draft(
        ordering, dsse.sign_statement(ordering.statement(keys.fingerprint(signer.public_line)), signer)
    )


def draft_order(
    ledger: Ledger, governance: Governance, label: str, person_id: str, request: RollbackRequest
) -> dict[str, Any]:
    """Return an unsigned rollback order, for signing outside of this process.

    The function raises the same errors as `rollback`.
    """
    return _order_draft(ledger, governance, label, person_id, request).statement()


def submit_order(
    ledger: Ledger,
    governance: Governance,
    label: str,
    person_id: str,
    request: RollbackRequest,
    envelope: dict[str, Any],
) -> RollbackResult:
    """Record a signed order that `draft_order` drafted, and restore the release if no other order is required.

    In addition to the following, the function raises the same errors as `rollback`.

    Raises:
        Refused: The envelope contains another order, was drafted too long ago, or is not signed with the person's key.
    """
    return _submit_draft(_order_draft(ledger, governance, label, person_id, request), envelope)


def _order_draft(
    ledger: Ledger, governance: Governance, label: str, person_id: str, request: RollbackRequest
) -> "_OrderDraft":
    validate_reason(request.reason)
    with intents.hold_lock(governance.state):
        in_force.require_unchanged_ledger(ledger, governance)
        recovery.settle_pending_intents(ledger, governance)
    line = promotions.read_promotions(ledger, governance, releases.get_release(ledger, governance, label).name)
    back_to = rollback_orders.target_statement(ledger, governance, line, label)
    assert line.newest_statement is not None, "there is no earlier release without a newer one"
    return _OrderDraft(ledger, governance, back_to, line.newest_statement, person_id, request)


def _submit_draft(ordering: "_OrderDraft", envelope: dict[str, Any]) -> RollbackResult:
    ledger, governance, target = ordering.ledger, ordering.governance, ordering.target.promotion
    with intents.hold_lock(governance.state):
        recovery.settle_pending_intents(ledger, governance)
        done = ordering.submit(envelope)
    if not done.waiting_for:
        with suppress(HallmarkError):  # the promotion stands; `recover` sets the aliases when MLflow is back
            mlflow_mirror.set_aliases(ledger, governance, target.name)
    return RollbackResult(releases.get_release(ledger, governance, target.label), done.waiting_for, done.entry)


class _Submitted(NamedTuple):
    waiting_for: list[str]
    entry: int


class _OrderDraft:
    """Rollback order of one person, from the first draft to the ledger entry.

    The order is signed outside of any transaction and lock, because signing can take a long time
    (tasks/policy/signed_entry.py).
    """

    def __init__(
        self,
        ledger: Ledger,
        governance: Governance,
        target: SignedPromotion,
        newest: SignedPromotion,
        person_id: str,
        request: RollbackRequest,
    ) -> None:
        self.ledger, self.governance, self.target, self.champion_statement = ledger, governance, target, newest
        self.role, self.break_glass, self.reason = request.role, request.break_glass, request.reason.strip()
        self.person = governance.require_actor(person_id, ledger.now())

    def statement(self, key_fingerprint: str = "") -> dict[str, Any]:
        """Return the statement to sign. `key_fingerprint` is empty if the signing key is not known yet.

        Raises:
            Refused: The person is not allowed to give the order.
        """
        with self.ledger.transaction():
            return rollback_orders.order_statement(self._order_to_sign(key_fingerprint), self.target)

    def submit(self, envelope: dict[str, Any]) -> _Submitted:
        """Record the signed order, and restore the release if no other order is required.

        The caller must hold the lock (`intents.hold_lock`).
        """
        with self.ledger.transaction():
            order = self._require_current(envelope)
            return self._carry_out_emergency(order) if self.break_glass else self._record_or_carry_out(order)

    def _record_or_carry_out(self, order: SignedOrder) -> _Submitted:
        before = self._pending_orders()
        joined = [each for each in before if each.order.person != self.person.id]
        wanted = rollback_orders.missing_orders(self.governance, self.target, [*joined, order])
        if not wanted:
            return _Submitted([], self._carry_out(order, joined)[1].seq)
        known = [each.entry for each in before if each.entry and each.order.person == self.person.id]
        entry = (
            known[0]
            if known
            else self.ledger.append(
                rollback_orders.ORDER_ENTRY_KIND, self.target.promotion.name, {"envelope": order.envelope}
            )
        )
        return _Submitted(wanted, entry.seq)

    def _carry_out_emergency(self, order: SignedOrder) -> _Submitted:
        signed, entry = self._carry_out(order, [])
        emergency_rollback.open_incident(order, signed, self.ledger, self.governance)
        return _Submitted([], entry.seq)

    def _order_to_sign(self, key_fingerprint: str) -> Order:
        claim = OrderClaim(self.person, self.target, self.ledger.now(), key_fingerprint, self.break_glass)
        return self._emergency_order(claim) if self.break_glass else self._ordinary_order(claim)

    def _ordinary_order(self, claim: OrderClaim) -> Order:
        role = rollback_orders.deciding_role(claim, self.role, self.ledger, self.governance)
        if expired := waivers.expired_waivers(self.ledger, self.governance, self.target):
            raise Refused(
                f"{self.target.promotion.label} relies on what counts no more: {'; '.join(map(str, expired))}. In an "
                "emergency --break-glass goes back to it all the same"
            )
        pending = self._pending_orders()
        if earlier := [it for each in pending if (it := each.order).person == self.person.id and it.role != role]:
            raise Refused(
                f"{self.person.id} has ordered it in role {earlier[0].role} already, and a person counts in one role; "
                f"somebody else orders it in role {role}"
            )
        return self._new_order(role, [each.sha256 for each in pending if each.order.person != self.person.id])

    def _emergency_order(self, claim: OrderClaim) -> Order:
        allowed = emergency_rollback.require_emergency_allowed(claim, self.ledger, self.governance)
        return self._new_order(allowed.role, [])

    def _pending_orders(self) -> list[SignedOrder]:
        return rollback_orders.pending_orders(self.ledger, self.governance, self.target, self.champion_statement)

    def _new_order(self, role: str, joins: list[str]) -> Order:
        return Order(
            person=self.person.id,
            role=role,
            release=self.target.promotion.label,
            environment=self.governance.policy.environment,
            reason=self.reason,
            break_glass=self.break_glass,
            follows=self.champion_statement.sha256,
            joins=sorted(joins),
            time=self.ledger.now(),
        )

    def _require_current(self, envelope: dict[str, Any]) -> SignedOrder:
        """Verify a signed order, and that nothing on which it depends has changed since it was drafted.

        Raises:
            Refused: The ledger was changed. The order, policy, people or champion has changed, or the person or signing
                key is not valid.
        """
        # signing may have taken minutes
        in_force.require_unchanged_ledger(self.ledger, self.governance, search_places=False)
        in_force.require_still_in_force(self.ledger, self.governance)
        newest = promotions.read_promotions(
            self.ledger, self.governance, self.champion_statement.promotion.name
        ).newest_statement
        if newest is None or newest.sha256 != self.champion_statement.sha256:
            raise statements_changed_error()
        said, now = dsse.unverified_statement(envelope), self.ledger.now()
        signed = verify_envelope(envelope, rollback_orders.ORDER, self.governance, now)
        require_requested([said], [rollback_orders.order_statement(self._order_to_sign(signed.keyid), self.target)])
        require_recent(said, now)
        return SignedOrder(signed.document, envelope)

    def _carry_out(self, order: SignedOrder, joined: list[SignedOrder]) -> tuple[SignedPromotion, Entry]:
        """Append the orders and the resulting promotion statement to the ledger, as one entry.

        Returns:
            The promotion statement, and its ledger entry.

        Raises:
            Refused: Since the order was drafted, another release was promoted or a source was withdrawn.
        """
        judge_install.require_accepted_judge(self.governance.policy)
        statement = self.target.promotion.model_copy(
            update={
                "action": "rollback",
                "sequence": self.champion_statement.promotion.sequence + 1,
                "previous": self.champion_statement.sha256,
                "replaces": promotions.replaced_release(self.champion_statement),
                "requested_by": self.person.id,
                "reason": f"{'glass broken: ' * order.order.break_glass}{self.reason}",
                "order_sha256": order.sha256,
                "time": self.ledger.now(),
                "judge": judge_install.current_judge(),
            }
        )
        envelope = promotions.sign_promotion(statement, self.target.release_sha256, self.governance)
        signed = promotions.verify_promotion(envelope, self.governance)
        payload = bundle.release_folder(self.governance.state, statement.label) / bundle.PAYLOAD
        suppressions.require_not_retired(statement.label, self.ledger)
        release_sources.require_sources_not_withdrawn(payload, self.ledger, self.governance)
        recovery.require_follows_newest(
            signed, promotions.read_promotions(self.ledger, self.governance, statement.name).newest_statement
        )
        body = {"envelope": envelope, "order": order.envelope, "joined": [each.envelope for each in joined]}
        return signed, self.ledger.append(promotions.PROMOTION_KIND, statement.name, body)
