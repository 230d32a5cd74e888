"""Rollback to an earlier champion: by the orders that policy requires, or by one person in an emergency."""

from contextlib import suppress
from typing import Any, NamedTuple

from tasks.consent import release_sources
from tasks.core.documents.config import checked_reason
from tasks.core.errors import Refused, Unavailable
from tasks.ledger.ledger import Ledger
from tasks.policy import in_force, judge
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
from tasks.trust import dsse, keys
from tasks.trust.statement_checks import changed_error, require_recent, require_requested


class RollbackRequest(NamedTuple):
    reason: str
    role: str | None = None
    """Role in which the person orders the rollback; None if the person has only one suitable role."""
    break_glass: bool = False


class RollbackResult(NamedTuple):
    release: Release
    waiting_for: list[str]
    """Descriptions of the orders that other people still have to give; empty if the rollback was carried out."""
    entry: int
    """Number of the newest ledger entry about the rollback."""


def rollback(
    ledger: Ledger, governance: Governance, label: str, person_id: str, reason: str, role: str | None = None,
    break_glass: bool = False,
) -> RollbackResult:  # fmt: skip
    """Sign a person's order to restore an earlier release, and carry it out if no other order is required.

    If an error is raised, the champion does not change. Other promotions can be made while the person signs.

    Raises:
        InputError: The release or person is unknown, or the reason is missing.
        Refused: The person is not allowed to order the rollback, the release fails verification, or it relies on an
            expired waiver (which is allowed in an emergency rollback).
        Unavailable: The ledger cannot be used.
    """
    ordering = _ordering(ledger, governance, label, person_id, RollbackRequest(reason, role, break_glass))
    signer = governance.signer(ordering.person, ledger.now())
    return _submit(ordering, dsse.sign(ordering.statement(keys.fingerprint(signer.public_line)), signer))


def draft_order(
    ledger: Ledger, governance: Governance, label: str, person_id: str, wish: RollbackRequest
) -> dict[str, Any]:
    """Return an unsigned order as a statement, for signing outside of this process.

    The function raises the same errors as `rollback`.
    """
    return _ordering(ledger, governance, label, person_id, wish).statement()


def submit_order(
    ledger: Ledger, governance: Governance, label: str, person_id: str, wish: RollbackRequest, envelope: dict[str, Any]
) -> RollbackResult:
    """Record an order that was drafted by `draft_order` and signed, and carry it out if no other order is required.

    The function also raises the same errors as `rollback`.

    Raises:
        Refused: The envelope contains another order, was drafted too long ago, or is not signed with the person's key.
    """
    return _submit(_ordering(ledger, governance, label, person_id, wish), envelope)


def _ordering(
    ledger: Ledger, governance: Governance, label: str, person_id: str, wish: RollbackRequest
) -> "_OrderDraft":
    checked_reason(wish.reason)
    with intents.hold_lock(governance.state):
        recovery.settle_pending(ledger, governance)
    line = promotions.read(ledger, governance, releases.get(ledger, governance, label).name)
    back_to = rollback_orders.target_statement(ledger, governance, line, label)
    assert line.newest is not None, "there is no earlier release without a newer one"
    return _OrderDraft(ledger, governance, back_to, line.newest, person_id, wish)


def _submit(ordering: "_OrderDraft", envelope: dict[str, Any]) -> RollbackResult:
    ledger, governance, target = ordering.ledger, ordering.governance, ordering.back_to.promotion
    with intents.hold_lock(governance.state):
        recovery.settle_pending(ledger, governance)
        wanted = ordering.submit(envelope)
        if not wanted:
            with suppress(Unavailable):  # the promotion stands; `reconcile` sets the aliases when MLflow is back
                mlflow_mirror.set_aliases(ledger, governance, target.name)
    return RollbackResult(
        releases.get(ledger, governance, target.label), wanted, ledger.entries(None, target.name)[-1].seq
    )


class _OrderDraft:
    """Rollback order of one person, from the first draft to the ledger entry.

    The order is signed outside of any transaction and lock, because signing can take long
    (tasks/policy/signed_entry.py).
    """

    def __init__(
        self,
        ledger: Ledger,
        governance: Governance,
        back_to: SignedPromotion,
        newest: SignedPromotion,
        person_id: str,
        wish: RollbackRequest,
    ) -> None:
        self.ledger, self.governance, self.back_to, self.newest = ledger, governance, back_to, newest
        self.role, self.break_glass, self.reason = wish.role, wish.break_glass, wish.reason.strip()
        self.person = governance.actor(person_id, ledger.now())

    def statement(self, key_fingerprint: str = "") -> dict[str, Any]:
        """Return the statement to sign. `key_fingerprint` is empty if the signing key is not known yet.

        Raises:
            Refused: The person is not allowed to give the order.
        """
        with self.ledger.transaction():
            return rollback_orders.order_statement(self._order_to_sign(key_fingerprint), self.back_to)

    def submit(self, envelope: dict[str, Any]) -> list[str]:
        """Record the signed order, and carry it out if no other order is required.

        The caller must hold the lock (`intents.hold_lock`).

        Returns:
            Descriptions of the orders that are still required.
        """
        with self.ledger.transaction():
            order = self._require_current(envelope)
            return self._carry_out_emergency(order) if self.break_glass else self._join(order)

    def _join(self, order: SignedOrder) -> list[str]:
        before = self._pending_orders()
        joined = [each for each in before if each.order.person != self.person.id]
        wanted = rollback_orders.missing_orders(self.governance, self.back_to, [*joined, order])
        if not wanted:
            self._carry_out(order, joined)
        elif len(joined) == len(before):
            self.ledger.append(rollback_orders.ORDERED, self.back_to.promotion.name, {"envelope": order.envelope})
        return wanted

    def _carry_out_emergency(self, order: SignedOrder) -> list[str]:
        emergency_rollback.open_incident(order, self._carry_out(order, []), self.ledger, self.governance)
        return []

    def _order_to_sign(self, key_fingerprint: str) -> Order:
        claim = OrderClaim(self.person, self.back_to, self.ledger.now(), key_fingerprint, self.break_glass)
        return self._emergency_order(claim) if self.break_glass else self._ordinary_order(claim)

    def _ordinary_order(self, claim: OrderClaim) -> Order:
        role = rollback_orders.deciding_role(claim, self.role, self.ledger, self.governance)
        if expired := waivers.expired_waivers(self.ledger, self.governance, self.back_to):
            raise Refused(
                f"{self.back_to.promotion.label} relies on what counts no more: {'; '.join(map(str, expired))}. In an "
                "emergency --break-glass goes back to it all the same"
            )
        return self._order(
            role, [each.sha256 for each in self._pending_orders() if each.order.person != self.person.id]
        )

    def _emergency_order(self, claim: OrderClaim) -> Order:
        allowed = emergency_rollback.require_allowed(claim, self.ledger, self.governance)
        return self._order(allowed.role, [])

    def _pending_orders(self) -> list[SignedOrder]:
        return rollback_orders.pending_orders(self.ledger, self.governance, self.back_to, self.newest)

    def _order(self, role: str, joins: list[str]) -> Order:
        return Order(
            person=self.person.id,
            role=role,
            release=self.back_to.promotion.label,
            environment=self.governance.policy.environment,
            reason=self.reason,
            break_glass=self.break_glass,
            follows=self.newest.sha256,
            joins=sorted(joins),
            time=self.ledger.now(),
        )

    def _require_current(self, envelope: dict[str, Any]) -> SignedOrder:
        """Verify, before a signed order is recorded, that nothing it depends on has changed.

        Raises:
            Refused: The order, policy, people or champion changed in the meantime, or the person or signing key is not
                valid.
        """
        in_force.require_unchanged(self.ledger, self.governance)
        newest = promotions.read(self.ledger, self.governance, self.newest.promotion.name).newest
        if newest is None or newest.sha256 != self.newest.sha256:
            raise changed_error()
        said, now = dsse.unverified_statement(envelope), self.ledger.now()
        signed = verify_envelope(envelope, rollback_orders.ORDER, self.governance, now)
        require_requested([said], [rollback_orders.order_statement(self._order_to_sign(signed.keyid), self.back_to)])
        require_recent(said, now)
        return SignedOrder(signed.document, envelope)

    def _carry_out(self, order: SignedOrder, joined: list[SignedOrder]) -> SignedPromotion:
        """Append the orders and the resulting promotion statement to the ledger, as one entry.

        Raises:
            Refused: Another release was promoted, or a source withdrawn, since the order was drafted.
        """
        judge.require(self.governance.policy)
        statement = self.back_to.promotion.model_copy(
            update={
                "action": "rollback",
                "sequence": self.newest.promotion.sequence + 1,
                "previous": self.newest.sha256,
                "replaces": promotions.replaced_release(self.newest),
                "requested_by": self.person.id,
                "reason": f"{'glass broken: ' * order.order.break_glass}{self.reason}",
                "order_sha256": order.sha256,
                "time": self.ledger.now(),
                "judge": judge.current(),
            }
        )
        envelope = promotions.sign(statement, self.back_to.release_sha256, self.governance)
        signed = promotions.verify(envelope, self.governance)
        payload = bundle.folder(self.governance.state, statement.label) / bundle.PAYLOAD
        release_sources.require_not_withdrawn(payload, self.ledger, self.governance)
        recovery.require_follows_newest(signed, promotions.read(self.ledger, self.governance, statement.name).newest)
        body = {"envelope": envelope, "order": order.envelope, "joined": [each.envelope for each in joined]}
        self.ledger.append(promotions.PROMOTED, statement.name, body)
        return signed
