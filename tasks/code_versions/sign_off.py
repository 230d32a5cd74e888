"""Sign-off of code versions by the roles that policy names under `changes.code`.

A person counts for one role only, so each role needs its own people. A withdrawal voids all earlier sign-offs of a
version, which can be signed off again after a new review. Environment `local` accepts any version, and reports that a
version was not signed off.
"""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from datetime import datetime
from typing import NamedTuple

from tasks.code_versions.signed_version import ENTRY_KIND, VERSION, Version
from tasks.core.documents.config import checked_reason
from tasks.core.errors import HallmarkError, InputError, Refused
from tasks.core.formatting import format_time
from tasks.ledger.ledger import Entry, Ledger
from tasks.policy import signed_entry, staffing
from tasks.policy.gate_rules import RequiredRole
from tasks.policy.governance import Governance
from tasks.policy.people import Person
from tasks.policy.policy import LOCAL, Policy
from tasks.policy.signed_document import SignedDocument, verify_entry
from tasks.policy.signed_entry import Draft
from tasks.policy.staffing import Need
from tasks.sources import sources
from tasks.sources.sources import Source
from tasks.trust import dsse


class SignOffStatus(NamedTuple):
    sign_offs: tuple[SignedDocument[Version], ...]
    missing: str
    """Message about a role whose signature is missing; empty if there is no such role."""
    withdrawal: Version | None
    """Last withdrawal; None if there is none or if the version was signed off again."""

    @property
    def text(self) -> str:
        if self.withdrawal:
            taken = f"{self.withdrawal.person} took it back on {format_time(self.withdrawal.time)}"
            return f"{taken} ({self.withdrawal.reason})"
        return (
            self.missing
            or f"signed off by {', '.join(signer_ids(self.sign_offs)) or 'nobody: policy names nobody for it'}"
        )


def sign(
    ledger: Ledger, governance: Governance, person_id: str, tree_sha256: str, commit: str, reason: str,
    withdraw: bool = False,
) -> Entry:  # fmt: skip
    """Sign a version off, or withdraw its sign-offs, and record that in the ledger.

    If the person has already signed the version off in the same roles, nothing is recorded.

    Args:
        ledger: Ledger to record in.
        governance: Governance in force.
        person_id: Id of the person who signs.
        tree_sha256: Digest of the tree.
        commit: Commit with that tree.
        reason: Reason that the person gives.
        withdraw: Whether to withdraw the sign-offs instead.

    Returns:
        New entry of the ledger, or the person's earlier entry.

    Raises:
        InputError: Policy names no role for code, the person is unknown, or the reason is not valid.
        Refused: The person has none of the roles, or there is no sign-off to withdraw.
    """
    person = governance.actor(person_id, ledger.now())
    reason = checked_reason(reason, "what you looked at")
    if not governance.policy.changes.code:
        raise InputError(
            "policy names nobody who signs code off; say under `changes` who does, `code: [{role: NAME}]`, and have "
            "that adopted: hallmark policy adopt"
        )

    def draft() -> Entry | list[Draft]:
        now = ledger.now()
        _require_role(person, governance.policy, now)
        known = _valid_sign_offs(ledger, governance, tree_sha256)
        held = set(person.roles_at(now))
        own = [entry for entry, it in known if it.document.person == person.id and held <= set(_signer_roles(it))]
        if own and not withdraw:
            return own[-1]
        if withdraw and not known:
            raise Refused("nobody has signed this version off, so there is nothing to take back")
        said = Version(
            verb="withdraw" if withdraw else "adopt",
            tree_sha256=tree_sha256,
            commit=commit,
            environment=governance.policy.environment,
            person=person.id,
            reason=reason,
            time=now,
        )
        return [Draft(ENTRY_KIND, tree_sha256, VERSION.statement(said))]

    return signed_entry.sign_and_record(ledger, governance, person, draft)


def status(ledger: Ledger, governance: Governance, tree_sha256: str) -> SignOffStatus:
    said = [each for _, each in _statements(ledger, governance, tree_sha256)]
    signed = tuple(it for _, it in _valid_sign_offs(ledger, governance, tree_sha256))
    back = [each for each in said if each.verb == "withdraw"]
    withdrawn = back[-1] if back and not signed else None
    return SignOffStatus(signed, missing_signature(governance.policy.changes.code, signed), withdrawn)


def is_signed_off(ledger: Ledger, governance: Governance, tree_sha256: str) -> bool:
    """Return whether a version has all required signatures. There is no exception for environment `local`."""
    found = status(ledger, governance, tree_sha256)
    return bool(found.sign_offs) and not found.missing


def is_required(governance: Governance, tier: str, read: Iterable[Source]) -> bool:
    """Return whether a run needs code that was signed off.

    This is the case if its risk tier has gates, or if it reads a source that is not public or is in an object store:
    the code gets the credentials of the store.

    Args:
        governance: Governance in force.
        tier: Risk tier of the run.
        read: Sources that the run reads.

    Raises:
        InputError: The risk tier is not in policy.yaml.
    """
    if governance.policy.tier(tier).gates:
        return True
    return any(source.classification != "public" or "://" in sources.fill_variables(source.location) for source in read)


def require_signed_off(ledger: Ledger, governance: Governance, tree_sha256: str, commit: str) -> None:
    """Verify that a version is signed off. Environment `local` accepts any version.

    Raises:
        Refused: The version is not signed off, or policy names no role that could sign it off.
    """
    if governance.local:
        return
    if not governance.policy.changes.code:
        raise Refused(
            f"the policy in force names nobody who signs code off, which environment {governance.policy.environment} "
            "asks for: say under `changes` who does, `code: [{role: NAME}]`, and have it adopted: hallmark policy adopt"
        )
    found = status(ledger, governance, tree_sha256)
    if found.missing:
        raise Refused(
            f"commit {commit[:12]} is no version that was signed off: {found.text}; who reviewed it says so with: "
            f"hallmark code adopt {commit[:12]} --as ID --reason TEXT"
        )


def missing_signature(asked: Sequence[RequiredRole], signed: Sequence[SignedDocument[Version]]) -> str:
    """Return a message about a role whose signature is missing; empty if there is none.

    The signature of one person counts for one role only.

    Args:
        asked: Roles that policy names, each with the number of people.
        signed: Valid sign-offs.
    """
    needs = [
        Need(role.role, role.count, frozenset(it.document.person for it in signed if role.role in _signer_roles(it)))
        for role in asked
    ]
    short = staffing.first_unfilled(needs)
    return f"it lacks the signature of somebody in role {short.role}" if short else ""


def signer_ids(signed: Iterable[SignedDocument[Version]]) -> list[str]:
    return sorted({it.document.person for it in signed})


def is_valid(signed: SignedDocument[Version], policy: Policy, tree_sha256: str) -> bool:
    """Return whether a sign-off is valid.

    It must be for this tree and environment, and its signer must have had a required role. Sign-offs of demo identities
    are valid in environment `local` only.
    """
    said, person = signed.document, signed.person
    asked = {role.role for role in policy.changes.code}
    return (
        person is not None
        and (said.tree_sha256, said.environment) == (tree_sha256, policy.environment)
        and not asked.isdisjoint(_signer_roles(signed))
        and not (person.demo and policy.environment != LOCAL)
    )


def _valid_sign_offs(
    ledger: Ledger, governance: Governance, tree_sha256: str
) -> list[tuple[Entry, SignedDocument[Version]]]:
    found: list[tuple[Entry, SignedDocument[Version]]] = []
    for entry, said in _statements(ledger, governance, tree_sha256):
        if said.verb == "withdraw":
            found = []
            continue
        with suppress(HallmarkError):
            signed = verify_entry(entry, VERSION, governance)
            if is_valid(signed, governance.policy, tree_sha256):
                found.append((entry, signed))
    return found


def _statements(ledger: Ledger, governance: Governance, tree_sha256: str) -> Iterator[tuple[Entry, Version]]:
    """Yield all unverified statements about a version in this environment, oldest first.

    A withdrawal has effect even if it can no longer be verified, for example because its signer has lost the role: it
    can only prevent runs. An envelope that was recorded twice is skipped, so that a withdrawn sign-off stays void.
    """
    seen: set[str] = set()
    for entry in ledger.entries(ENTRY_KIND, tree_sha256):
        with suppress(HallmarkError, KeyError, TypeError):
            envelope = entry.body["envelope"]
            said, digest = VERSION.predicate(envelope), dsse.digest(envelope)
            if digest in seen:
                continue
            seen.add(digest)
            if (said.tree_sha256, said.environment) == (tree_sha256, governance.policy.environment):
                yield entry, said


def _signer_roles(signed: SignedDocument[Version]) -> list[str]:
    return signed.person.roles_at(signed.effective_at) if signed.person else []


def _require_role(person: Person, policy: Policy, at: datetime) -> None:
    asked, held = [role.role for role in policy.changes.code], person.roles_at(at)
    if not set(asked) & set(held):
        raise Refused(
            f"{person.id} holds {', '.join(held) or 'no role'}; a version of the code is signed off by "
            f"{', '.join(asked)}"
        )
