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
from tasks.trust.unchanged import require_same


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
    `Governance.signer` finds. Raises what these raise, and Refused where what was signed is not what is asked any more,
    the key counts no more, or something else was adopted since `governance` was read.
    """
    with ledger.transaction():
        wanted = drafts()
    if isinstance(wanted, Entry):
        return wanted
    signer = signer or governance.signer(person, ledger.now())
    envelopes = [dsse.sign(draft.statement, signer) for draft in wanted]
    with ledger.transaction():
        in_force.require_still(ledger, governance)
        now = drafts()
        if isinstance(now, Entry):
            return now
        require_same([draft.statement for draft in wanted], [draft.statement for draft in now])
        for envelope in envelopes:
            governance.verify(envelope, person, ledger.now())
        return [
            ledger.append(draft.kind, draft.subject, _body(draft, envelope, governance))
            for draft, envelope in zip(wanted, envelopes, strict=True)
        ][-1]


def _body(draft: Draft, envelope: dict[str, Any], governance: Governance) -> dict[str, Any]:
    if not draft.countersigned:
        return {"envelope": envelope}
    return {"envelope": envelope, "countersigned": dsse.sign(draft.statement, governance.signer("gate"))}
