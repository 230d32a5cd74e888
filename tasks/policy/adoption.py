"""Signed adoptions of policy and people, each of which follows from the one before; the root key signs the first.

An adoption is a DSSE envelope over an in-toto statement `urn:hallmark:governance:v1`. Its predicate (`Adoption`) holds
all of policy.yaml and people.yaml, including public keys that `hallmark init` created, and the digest of the adoption
before it. It has one signature for each person who signed it off, sorted by keyid.

Only the root key signs the first adoption, and its fingerprint is the root of trust. A later adoption is signed by the
roles that the previous policy names under `changes` for the changed file. Different people must sign for each role, and
the previous people.yaml decides who holds it. If that policy names no role, which only environment `local` allows, the
root key signs. Roles and keys that an adoption adds are valid from its time on (effective_times.py), and keys that
ended stay ended (ended_keys.py).

Nothing here reads a ledger, a clock or a file. `verify_chain` needs the envelopes, oldest first, as `Governance.chain`
and release bundles hold them, and the fingerprint of the root key.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any, NamedTuple

from pydantic import Field

from tasks.core.documents.document import Document
from tasks.core.errors import HallmarkError, Refused
from tasks.core.files import sha256_bytes
from tasks.core.json_text import canonical_json
from tasks.core.params.values import Name, Sha256
from tasks.policy import effective_times, ended_keys, staffing
from tasks.policy.ended_keys import KeyEnds
from tasks.policy.gate_rules import LOCAL, RequiredRole
from tasks.policy.people import People, Person
from tasks.policy.policy import Policy
from tasks.trust import dsse, keys
from tasks.trust.validity import PublicKey, Time

PREDICATE_TYPE = "urn:hallmark:governance:v1"
Envelope = dict[str, Any]


class Adoption(Document):
    """Adoption of policy and people as it is signed: the predicate of an in-toto statement."""

    environment: Name
    sequence: Annotated[int, Field(ge=1)]
    """Number of the adoption in the chain, counted from 1."""
    previous: Sha256 | None
    """Digest of the previous adoption's statement; null for the first adoption."""
    root: PublicKey
    """Public key of the root, the same for all adoptions of a chain."""
    policy: Policy
    people: People
    time: Time
    """Time of the proposal, by the ledger's clock. The signers' keys and roles must be valid at this time."""


class AdoptionInForce(NamedTuple):
    """Verified adoption, with the resulting periods of people's roles and keys."""

    adoption: Adoption
    people: People
    """People with roles and keys, each valid from the time of the adoption that added it."""
    key_ends: KeyEnds
    """Ends of all keys that the adoptions have named, including keys that later adoptions leave out."""


class RequiredSignatures(NamedTuple):
    roles: list[RequiredRole]
    root_key: bool


def verify_chain(envelopes: Iterable[Mapping[str, Any]], root_fingerprint: str) -> AdoptionInForce:
    """Verify the envelopes of a chain, oldest first, and return the resulting adoption in force.

    Raises:
        Refused: An envelope is not valid, or there is none. The message has its number and the reason.
    """
    in_force: AdoptionInForce | None = None
    for number, envelope in enumerate(envelopes, start=1):
        try:
            in_force = verify(envelope, in_force, root_fingerprint)
        except HallmarkError as error:
            raise Refused(f"adoption {number} of policy and people does not count: {error}") from None
    if in_force is None:
        raise Refused("no policy was adopted: the chain of adoptions is empty")
    return in_force


def verify(envelope: Mapping[str, Any], before: AdoptionInForce | None, root_fingerprint: str) -> AdoptionInForce:
    """Verify that an envelope is an adoption that can follow another one.

    Args:
        envelope: Envelope with the signatures of the adoption.
        before: Adoption that the new one must follow; None if the new one must be the first.
        root_fingerprint: Fingerprint of the root key.

    Raises:
        Refused: The envelope is not such an adoption.
    """
    adoption, older = read(envelope), before.adoption if before else None
    if keys.fingerprint(adoption.root) != root_fingerprint:
        raise Refused(f"it follows from root key {keys.fingerprint(adoption.root)}, expected {root_fingerprint}")
    require_follows(adoption, older)
    require_signed(envelope, adoption, older, adoption.time)
    return apply(adoption, before)


def apply(adoption: Adoption, before: AdoptionInForce | None) -> AdoptionInForce:
    """Apply an adoption whose signatures were verified, and return the result.

    Raises:
        Refused: A key that had ended would be valid again, or a person has no role or key that could ever be valid.
    """
    ends = ended_keys.carry_over(adoption.people, before.key_ends if before else {}, adoption.time)
    people = (
        effective_times.effective_people(adoption.people, before.people, adoption.time) if before else adoption.people
    )
    return AdoptionInForce(adoption, people, ends)


def read(envelope: Mapping[str, Any]) -> Adoption:
    """Return the adoption in an envelope without verifying its signatures.

    Raises:
        Refused: The envelope does not contain an adoption.
    """
    statement = dsse.unverified_statement(envelope)
    adoption = dsse.read_predicate(statement, PREDICATE_TYPE, Adoption, "an adoption")
    if statement != statement_of(adoption):
        raise Refused("the statement is about other digests than what it holds")
    return adoption


def statement_of(adoption: Adoption) -> dict[str, Any]:
    subjects = {"policy": adoption.policy.sha256, "people": adoption.people.sha256}
    return dsse.statement(PREDICATE_TYPE, subjects, adoption.json_value)


def digest(adoption: Adoption) -> str:
    return sha256_bytes(canonical_json(statement_of(adoption)))


def require_signed(envelope: Mapping[str, Any], adoption: Adoption, before: Adoption | None, at: datetime) -> None:
    """Verify that all required signers have signed and nobody else, with keys and roles valid at the time `at`."""
    parts = signatures(envelope)
    if before is None:
        if len(parts) != 1:
            raise Refused("the genesis is signed by the root key alone")
        dsse.verify(parts[0], [adoption.root])
        return
    needed, signed_by = required_signatures(before, adoption), [signer(part, before, at) for part in parts]
    if (None in signed_by) != needed.root_key:
        raise Refused(
            "it lacks the root key's signature" if needed.root_key else "the root key signed where people must"
        )
    people = [person for person in signed_by if person]
    if role := missing_role(needed, people, at):
        names = ", ".join(sorted({person.id for person in people})) or "nobody"
        raise Refused(f"it lacks the signature of somebody in role {role}; signed by {names}")


def required_signatures(before: Adoption, adoption: Adoption) -> RequiredSignatures:
    """Return the signatures that policy requires for the changes. A role required for both files signs once."""
    changed = {
        "policy": before.policy.sha256 != adoption.policy.sha256,
        "people": before.people.sha256 != adoption.people.sha256,
    }
    asked: list[list[RequiredRole]] = [
        getattr(before.policy.changes, what) for what, differs in changed.items() if differs
    ]
    if not asked:
        raise Refused("it changes nothing")
    counts: dict[str, int] = {}
    for role in (role for roles in asked for role in roles):
        counts[role.role] = max(counts.get(role.role, 0), role.count)
    return RequiredSignatures(
        [RequiredRole(role=role, count=count) for role, count in counts.items()], root_key=not all(asked)
    )


def missing_role(needed: RequiredSignatures, signed_by: Sequence[Person], at: datetime) -> str:
    """Return a role whose signature is missing; empty if different signers can be assigned to all roles."""
    able = [(role, frozenset(p.id for p in signed_by if role.role in p.roles_at(at))) for role in needed.roles]
    short = staffing.first_unfilled([staffing.Need(role.role, role.count, people) for role, people in able])
    return short.role if short else ""


def signer(part: Mapping[str, Any], before: Adoption, at: datetime) -> Person | None:
    """Verify a signature and return the person who signed, or None for the root key.

    Raises:
        Refused: The signature is not valid, or its key is unknown, belongs to a demo identity or was not valid then.
    """
    keyid = dsse.unverified_signers(part)[0]
    if keyid == keys.fingerprint(before.root):
        dsse.verify(part, [before.root])
        return None
    for person in before.people.people:
        counting = [key.public_key for key in person.keys if key.fingerprint == keyid and key.is_valid(at)]
        if counting and not person.demo:
            dsse.verify(part, counting)
            return person
    raise Refused(f"signed by {keyid}, which is no key that counted then of anybody who may sign off changes")


def signatures(envelope: Mapping[str, Any]) -> list[Envelope]:
    """Split an envelope into one envelope for each signature.

    Raises:
        Refused: The signatures are not sorted by keyid, as the canonical form requires.
    """
    dsse.unverified_statement(envelope)
    parts = [{**envelope, "signatures": [signature]} for signature in envelope["signatures"]]
    marks = [signature["keyid"] for signature in envelope["signatures"]]
    if not parts or marks != sorted(set(marks)):
        raise Refused("the signatures are not sorted by keyid, each once")
    return parts


def merge(parts: Sequence[Mapping[str, Any]]) -> Envelope:
    by_key = {part["signatures"][0]["keyid"]: part["signatures"][0] for part in parts}
    return {**parts[0], "signatures": [by_key[keyid] for keyid in sorted(by_key)]}


def require_follows(adoption: Adoption, before: Adoption | None) -> None:
    place = (adoption.sequence, adoption.previous)
    if place != ((before.sequence + 1, digest(before)) if before else (1, None)):
        raise Refused(f"it is number {adoption.sequence} and does not follow the one before it here")
    if adoption.environment != adoption.policy.environment or (before and before.environment != adoption.environment):
        raise Refused("an environment is adopted once: another one has a ledger and a root key of its own")
    if before and adoption.root != before.root:
        raise Refused("the root key is one for the whole chain")
    if any(key.fingerprint == keys.fingerprint(adoption.root) for key in adoption.people.every_key()):
        raise Refused("the root key is nobody's, and people.yaml gives it to somebody")
    if before and adoption.time < before.time:
        raise Refused("it was proposed before the one that it follows")
    installed = [key for key in adoption.people.every_key() if key.installed]
    if adoption.environment != LOCAL and installed:
        raise Refused(f"keys made by `hallmark init` count in environment {LOCAL} alone")
