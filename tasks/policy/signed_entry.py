"""An entry of the ledger that a person signs: signed while nobody waits for it, recorded if it is still what is asked.

Whoever signs may take their time: a passphrase to type, an ssh-agent that asks its owner. Meanwhile others write to the
ledger. So what is to be signed is looked up, signed outside any transaction, and looked up again in the one that
records it; where it comes out otherwise but for the time, or other policy or people were adopted, nothing is recorded.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from tasks.ledger.ledger import Entry, Ledger
from tasks.policy import in_force
from tasks.policy.governance import Governance
from tasks.policy.people import Person
from tasks.trust import dsse
from tasks.trust.keys import Signer
from tasks.trust.unchanged import require_fresh, require_same


class Draft(NamedTuple):
    kind: str
    subject: str
    statement: dict[str, Any]
    """An in-toto statement; its predicate has a `time`."""
    countersigned: bool = False
    """By the gate's key, besides."""


Drafts = Callable[[], Entry | Sequence[Draft]]
"""What is to be signed as things stand, in the order to be recorded; or the entry that says it already."""


def record(
    ledger: Ledger, governance: Governance, person: Person, drafts: Drafts, signer: Signer | None = None
) -> Entry:
    """The entry that was there, or the last that was recorded, all together or none.

    `drafts` is asked twice, each time in a transaction. `signer` signs for the person; left out, it is the one that
    `Governance.signer` finds. Raises what these raise, and as `enter`.
    """
    wanted = draw(ledger, drafts)
    if isinstance(wanted, Entry):
        return wanted
    signer = signer or governance.signer(person, ledger.now())
    return enter(ledger, governance, person, drafts, [dsse.sign(draft.statement, signer) for draft in wanted])


def draw(ledger: Ledger, drafts: Drafts) -> Entry | Sequence[Draft]:
    """What a person is to sign as things stand, wherever their key is; or the entry that says it already."""
    with ledger.transaction():
        return drafts()


def enter(
    ledger: Ledger, governance: Governance, person: Person, drafts: Drafts, envelopes: Sequence[dict[str, Any]]
) -> Entry:
    """Record what a person signed. Raises Refused where that is not what is asked any more, the key counts no more, it
    was drawn too long ago, or something else was adopted since `governance` was read."""
    signed = [dsse.peek(envelope) for envelope in envelopes]
    with ledger.transaction():
        in_force.require_still(ledger, governance)
        wanted, now = drafts(), ledger.now()
        if isinstance(wanted, Entry):  # somebody else's signature is told as such, whatever is on record
            for envelope in envelopes:
                governance.verify(envelope, person, now)
            return wanted
        require_same(signed, [draft.statement for draft in wanted])
        for envelope, statement in zip(envelopes, signed, strict=True):
            require_fresh(statement, now)
            governance.verify(envelope, person, now)
        return [
            ledger.append(draft.kind, draft.subject, _body(statement, draft.countersigned, envelope, governance))
            for draft, statement, envelope in zip(wanted, signed, envelopes, strict=True)
        ][-1]


def _body(
    statement: dict[str, Any], countersigned: bool, envelope: dict[str, Any], governance: Governance
) -> dict[str, Any]:
    if not countersigned:
        return {"envelope": envelope}
    return {"envelope": envelope, "countersigned": dsse.sign(statement, governance.signer("gate"))}
