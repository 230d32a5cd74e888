"""Ledger entries that a person signs: signed outside any transaction, and recorded only if nothing has changed.

A signature can take a while, for example because somebody has to type a passphrase, and others can write to the ledger
in the meantime. The statement is therefore prepared, signed outside any transaction, and prepared again in the
transaction that records it. If the second statement differs in anything but its time, or if policy or people were
adopted in between, nothing is recorded.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from tasks.ledger.ledger import Entry, Ledger
from tasks.policy import in_force
from tasks.policy.governance import Governance
from tasks.policy.people import Person
from tasks.trust import dsse
from tasks.trust.keys import Signer
from tasks.trust.statement_checks import require_recent, require_requested


class Draft(NamedTuple):
    kind: str
    subject: str
    statement: dict[str, Any]
    """Statement to sign, in the in-toto format. Its predicate has a `time`."""
    countersigned: bool = False


DraftFunction = Callable[[], Entry | Sequence[Draft]]
"""Function that returns the statements to sign, in the order of recording. If all of them are recorded already, it
returns the last entry."""


def sign_and_record(
    ledger: Ledger, governance: Governance, person: Person, make_drafts: DraftFunction, signer: Signer | None = None
) -> Entry:
    """Let a person sign statements, record all of them or none, and return the last entry.

    Args:
        ledger: Ledger in which the entries are recorded.
        governance: Governance in force, which has the valid keys.
        person: Person who signs.
        make_drafts: Function that returns the statements. It is called twice, each time in a transaction.
        signer: Key to sign with; None to search for the person's key.

    Raises:
        Refused: The statements have changed or were prepared too long ago, the key is not valid, or another adoption
            came into force since `governance` was read.
        InputError: No private key of the person is found.
    """
    wanted = prepare_statements(ledger, make_drafts)
    if isinstance(wanted, Entry):
        return wanted
    signer = signer or governance.find_signer(person, ledger.now())
    return record_signed_statements(
        ledger, governance, person, make_drafts, [dsse.sign_statement(draft.statement, signer) for draft in wanted]
    )


def prepare_statements(ledger: Ledger, make_drafts: DraftFunction) -> Entry | Sequence[Draft]:
    """Return the statements that a person has to sign, or the last entry if all were recorded before."""
    with ledger.transaction():
        return make_drafts()


def record_signed_statements(
    ledger: Ledger,
    governance: Governance,
    person: Person,
    make_drafts: DraftFunction,
    envelopes: Sequence[dict[str, Any]],
) -> Entry:
    """Record statements that a person signed, and return the last entry.

    Raises:
        Refused: The statements have changed or were prepared too long ago, the key is not valid, or another adoption
            came into force since `governance` was read.
    """
    signed = [dsse.unverified_statement(envelope) for envelope in envelopes]
    with ledger.transaction():
        in_force.require_still_in_force(ledger, governance)
        wanted, now = make_drafts(), ledger.now()
        if isinstance(wanted, Entry):  # signatures are verified all the same, so that a foreign one is reported
            for envelope in envelopes:
                governance.verify_signature(envelope, person, now)
            return wanted
        require_requested(signed, [draft.statement for draft in wanted])
        for envelope, statement in zip(envelopes, signed, strict=True):
            require_recent(statement, now)
            governance.verify_signature(envelope, person, now)
        return [
            ledger.append(draft.kind, draft.subject, _entry_body(statement, draft.countersigned, envelope, governance))
            for draft, statement, envelope in zip(wanted, signed, envelopes, strict=True)
        ][-1]


def _entry_body(
    statement: dict[str, Any], countersigned: bool, envelope: dict[str, Any], governance: Governance
) -> dict[str, Any]:
    if not countersigned:
        return {"envelope": envelope}
    return {"envelope": envelope, "countersigned": dsse.sign_statement(statement, governance.find_signer("gate"))}
