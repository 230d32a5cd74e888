"""Sign-off of code versions by the roles that policy names under `changes.code`.

Each person counts for one role only, so two roles need two people. A withdrawal voids all earlier sign-offs of a
version. The version can be signed off again after a new review. Environment `local` accepts any version, but reports if
it was not signed off.
"""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from datetime import datetime
from typing import NamedTuple

from tasks.code_versions.signed_version import CODE_VERSION_KIND, ENTRY_KIND, CodeVersion
from tasks.core.documents.config import validate_reason
from tasks.core.errors import HallmarkError, InputError, Refused
from tasks.core.formatting import format_time
from tasks.ledger.ledger import Entry, Ledger
from tasks.policy import signed_entry, staffing
from tasks.policy.gate_rules import RequiredRole
from tasks.policy.governance import Governance
from tasks.policy.people import Person
from tasks.policy.policy import LOCAL_ENVIRONMENT, Policy
from tasks.policy.signed_document import SignedDocument, verify_entry
from tasks.policy.signed_entry import Draft
from tasks.policy.staffing import RoleNeed
from tasks.sources import source_places
from tasks.sources.sources import Source
from tasks.trust import dsse


class SignOffStatus(NamedTuple):
    sign_offs: tuple[SignedDocument[CodeVersion], ...]
    missing_signature: str
    """Message about a role whose signature is missing; empty if no signature is missing."""
    withdrawal: CodeVersion | None
    """Last withdrawal; None if there is none or if the version has been signed off again since."""

    @property
    def description(self) -> str:
        if self.withdrawal:
            taken = f"{self.withdrawal.person} took it back on {format_time(self.withdrawal.time)}"
            return f"{taken} ({self.withdrawal.reason})"
        return (
            self.missing_signature
            or f"signed off by {', '.join(signer_ids(self.sign_offs)) or 'nobody: policy names nobody for it'}"
        )


def sign_version(
    ledger: Ledger, governance: Governance, person_id: str, tree_sha256: str, commit: str, reason: str,
    withdraw: bool = False,
) -> Entry:  # fmt: skip
    """Sign off a version or withdraw its sign-offs, and record this in the ledger.

    Nothing is recorded if the person has already signed the version off in the same roles.

    Args:
        ledger: Ledger to record in.
        governance: Governance in force.
        person_id: Id of the person who signs.
        tree_sha256: Digest of the version's tree.
        commit: Commit with that tree.
        reason: Reason that the person gives.
        withdraw: Whether to withdraw the sign-offs instead.

    Returns:
        New ledger entry, or the person's earlier entry.

    Raises:
        InputError: Policy names no role that signs code off, the person is unknown, or the reason is not valid.
        Refused: The person has none of the roles, or there is no sign-off to withdraw.
    """
    person = governance.require_actor(person_id, ledger.now())
    reason = validate_reason(reason, "what you looked at")
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
        said = CodeVersion(
            verb="withdraw" if withdraw else "adopt",
            tree_sha256=tree_sha256,
            commit=commit,
            environment=governance.policy.environment,
            person=person.id,
            reason=reason,
            time=now,
        )
        return [Draft(ENTRY_KIND, tree_sha256, CODE_VERSION_KIND.statement(said))]

    return signed_entry.sign_and_record(ledger, governance, person, draft)


def sign_off_status(ledger: Ledger, governance: Governance, tree_sha256: str) -> SignOffStatus:
    said = [each for _, each in _read_statements(ledger, governance, tree_sha256)]
    signed = tuple(it for _, it in _valid_sign_offs(ledger, governance, tree_sha256))
    back = [each for each in said if each.verb == "withdraw"]
    withdrawn = back[-1] if back and not signed else None
    return SignOffStatus(signed, describe_missing_signature(governance.policy.changes.code, signed), withdrawn)


def is_signed_off(ledger: Ledger, governance: Governance, tree_sha256: str) -> bool:
    """Return whether a version has all required signatures. They are required in environment `local` too."""
    found = sign_off_status(ledger, governance, tree_sha256)
    return bool(found.sign_offs) and not found.missing_signature


def is_sign_off_required(governance: Governance, tier: str, sources_read: Iterable[Source]) -> bool:
    """Return whether a run needs code that was signed off.

    It does if its risk tier has gates, or if it reads a source that is not public or that is on a server. In the last
    case, the code receives the credentials of the server.

    Args:
        governance: Governance in force.
        tier: Risk tier of the run.
        sources_read: Sources that the run reads.

    Raises:
        InputError: The risk tier is not in policy.yaml.
    """
    if governance.policy.tier(tier).gates:
        return True
    return any(
        source.classification != "public" or source_places.find_local_path(source) is None for source in sources_read
    )


def require_signed_off(ledger: Ledger, governance: Governance, tree_sha256: str, commit: str) -> None:
    """Verify that a version is signed off. Environment `local` accepts any version.

    Raises:
        Refused: The version is not signed off, or policy names no role that could sign it off.
    """
    if governance.is_local:
        return
    if not governance.policy.changes.code:
        raise Refused(
            f"the policy in force names nobody who signs code off, which environment {governance.policy.environment} "
            "asks for: say under `changes` who does, `code: [{role: NAME}]`, and have it adopted: hallmark policy adopt"
        )
    found = sign_off_status(ledger, governance, tree_sha256)
    if found.missing_signature:
        raise Refused(
            f"commit {commit[:12]} is no version that was signed off: {found.description}; "
            "who reviewed it says so with: "
            f"hallmark code adopt {commit[:12]} --as ID --reason TEXT"
        )


def describe_missing_signature(
    required_roles: Sequence[RequiredRole], sign_offs: Sequence[SignedDocument[CodeVersion]]
) -> str:
    """Return a message about a role whose signature is missing; empty if no signature is missing.

    Each person's signature counts for one role only.

    Args:
        required_roles: Roles that have to sign, each with the required number of people.
        sign_offs: Valid sign-offs.
    """
    needs = [
        RoleNeed(
            role.role, role.count, frozenset(it.document.person for it in sign_offs if role.role in _signer_roles(it))
        )
        for role in required_roles
    ]
    short = staffing.first_unfilled_need(needs)
    return f"it lacks the signature of somebody in role {short.role}" if short else ""


def signer_ids(sign_offs: Iterable[SignedDocument[CodeVersion]]) -> list[str]:
    return sorted({it.document.person for it in sign_offs})


def is_valid_sign_off(sign_off: SignedDocument[CodeVersion], policy: Policy, tree_sha256: str) -> bool:
    """Return whether a sign-off is valid.

    It must be for this tree and environment, and its signer must have held a required role when signing. Sign-offs of
    demo identities are valid in environment `local` only.
    """
    said, person = sign_off.document, sign_off.person
    asked = {role.role for role in policy.changes.code}
    return (
        person is not None
        and (said.tree_sha256, said.environment) == (tree_sha256, policy.environment)
        and not asked.isdisjoint(_signer_roles(sign_off))
        and not (person.demo and policy.environment != LOCAL_ENVIRONMENT)
    )


def _valid_sign_offs(
    ledger: Ledger, governance: Governance, tree_sha256: str
) -> list[tuple[Entry, SignedDocument[CodeVersion]]]:
    found: list[tuple[Entry, SignedDocument[CodeVersion]]] = []
    for entry, said in _read_statements(ledger, governance, tree_sha256):
        if said.verb == "withdraw":
            found = []
            continue
        with suppress(HallmarkError):
            signed = verify_entry(entry, CODE_VERSION_KIND, governance)
            if is_valid_sign_off(signed, governance.policy, tree_sha256):
                found.append((entry, signed))
    return found


def _read_statements(ledger: Ledger, governance: Governance, tree_sha256: str) -> Iterator[tuple[Entry, CodeVersion]]:
    """Yield all statements about a version in this environment, unverified and oldest first.

    A withdrawal has effect even if it can no longer be verified, for example because its signer has lost the role. This
    is safe, because a withdrawal can only prevent runs. An envelope that was recorded before is skipped, so recording a
    withdrawn sign-off again does not restore it.
    """
    seen: set[str] = set()
    for entry in ledger.entries(ENTRY_KIND, tree_sha256):
        with suppress(HallmarkError, KeyError, TypeError):
            envelope = entry.body["envelope"]
            said, digest = CODE_VERSION_KIND.unverified_document(envelope), dsse.envelope_digest(envelope)
            if digest in seen:
                continue
            seen.add(digest)
            if (said.tree_sha256, said.environment) == (tree_sha256, governance.policy.environment):
                yield entry, said


def _signer_roles(sign_off: SignedDocument[CodeVersion]) -> list[str]:
    return sign_off.person.roles_at(sign_off.effective_at) if sign_off.person else []


def _require_role(person: Person, policy: Policy, at: datetime) -> None:
    asked, held = [role.role for role in policy.changes.code], person.roles_at(at)
    if not set(asked) & set(held):
        raise Refused(
            f"{person.id} holds {', '.join(held) or 'no role'}; a version of the code is signed off by "
            f"{', '.join(asked)}"
        )
