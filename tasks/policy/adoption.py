"""Signed adoptions of policy and people. Each adoption names the one before it, and the root key signs the first.

An adoption is a DSSE envelope over an in-toto statement `urn:hallmark:governance:v1`. Its predicate (`Adoption`) holds
all of policy.yaml and people.yaml, including public keys that `hallmark init` created, and the digest of the adoption
before it. It has one signature for each person who signed it off, sorted by keyid.

Only the root key signs the first adoption, and its fingerprint is the root of trust. A later adoption is signed by the
roles that the previous policy names under `changes` for the changed file. Different people must sign for each role, and
the previous people.yaml decides who holds it. If that policy names no role, which only environment `local` allows, the
root key signs. Roles and keys that an adoption adds are valid from its time on (effective_times.py), and keys that
ended stay ended (ended_keys.py).

Nothing here reads a ledger, a clock or a file. `verify_chain` needs the envelopes, oldest first, as
`in_force.read_chain` and release bundles hold them, and the fingerprint of the root key.
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
from tasks.policy.gate_rules import LOCAL_ENVIRONMENT, RequiredRole
from tasks.policy.people import People, Person
from tasks.policy.policy import Policy
from tasks.trust import dsse, keys
from tasks.trust.validity import PublicKey, UtcTime

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
    time: UtcTime
    """Time of the proposal, by the ledger's clock. The signers' keys and roles must be valid at this time."""


class AdoptionInForce(NamedTuple):
    """Verified adoption, with the resulting periods of people's roles and keys."""

    adoption: Adoption
    people: People
    """People with their roles and keys. A role or key is valid from the time of the adoption that added it."""
    key_ends: KeyEnds
    """End of each key by fingerprint. Keys that only earlier adoptions contain are included."""


class RequiredSignatures(NamedTuple):
    roles: list[RequiredRole]
    needs_root_key: bool


def verify_chain(envelopes: Iterable[Mapping[str, Any]], root_fingerprint: str) -> AdoptionInForce:
    """Verify the envelopes of a chain, oldest first, and return the resulting adoption in force.

    Raises:
        Refused: An envelope is not valid, or there is none. The message contains the envelope's number and the reason.
    """
    in_force: AdoptionInForce | None = None
    for number, envelope in enumerate(envelopes, start=1):
        try:
            in_force = verify_adoption(envelope, in_force, root_fingerprint)
        except HallmarkError as error:
            raise Refused(f"adoption {number} of policy and people does not count: {error}") from None
    if in_force is None:
        raise Refused("no policy was adopted: the chain of adoptions is empty")
    return in_force


def verify_adoption(
    envelope: Mapping[str, Any], previous: AdoptionInForce | None, root_fingerprint: str
) -> AdoptionInForce:
    """Verify that an envelope is an adoption that can follow another one.

    Args:
        envelope: Envelope with the signatures of the adoption.
        previous: Adoption that the new one must follow; None if the new one must be the first.
        root_fingerprint: Fingerprint of the root key.

    Raises:
        Refused: The envelope is not such an adoption.
    """
    adoption, older = read_adoption(envelope), previous.adoption if previous else None
    if keys.fingerprint(adoption.root) != root_fingerprint:
        raise Refused(f"it follows from root key {keys.fingerprint(adoption.root)}, expected {root_fingerprint}")
    require_succession(adoption, older)
    require_signatures(envelope, adoption, older, adoption.time)
    return apply_adoption(adoption, previous)


def apply_adoption(adoption: Adoption, previous: AdoptionInForce | None) -> AdoptionInForce:
    """Apply an adoption whose signatures were verified, and return the result.

    Raises:
        Refused: A key that had ended would be valid again, or a person has no role or key that could ever be valid.
    """
    ends = ended_keys.carry_over_key_ends(adoption.people, previous.key_ends if previous else {}, adoption.time)
    people = (
        effective_times.effective_people(adoption.people, previous.people, adoption.time)
        if previous
        else adoption.people
    )
    return AdoptionInForce(adoption, people, ends)


def read_adoption(envelope: Mapping[str, Any]) -> Adoption:
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
    return dsse.make_statement(PREDICATE_TYPE, subjects, adoption.json_value)


def adoption_digest(adoption: Adoption) -> str:
    return sha256_bytes(canonical_json(statement_of(adoption)))


def require_signatures(
    envelope: Mapping[str, Any], adoption: Adoption, previous: Adoption | None, at: datetime
) -> None:
    """Verify that all required signers have signed, with keys and roles that were valid at the time `at`.

    Raises:
        Refused: A signature is missing or not valid, or the root key signed although people have to sign.
    """
    parts = split_signatures(envelope)
    if previous is None:
        if len(parts) != 1:
            raise Refused("the genesis is signed by the root key alone")
        dsse.verify_envelope(parts[0], [adoption.root])
        return
    needed, signed_by = required_signatures(previous, adoption), [verified_signer(part, previous, at) for part in parts]
    if (None in signed_by) != needed.needs_root_key:
        raise Refused(
            "it lacks the root key's signature" if needed.needs_root_key else "the root key signed where people must"
        )
    people = [person for person in signed_by if person]
    if role := missing_role(needed, people, at):
        names = ", ".join(sorted({person.id for person in people})) or "nobody"
        raise Refused(f"it lacks the signature of somebody in role {role}; signed by {names}")


def required_signatures(previous: Adoption, adoption: Adoption) -> RequiredSignatures:
    """Return the signatures that policy requires for the changes. A role that both files require signs only once."""
    changed = {
        "policy": previous.policy.sha256 != adoption.policy.sha256,
        "people": previous.people.sha256 != adoption.people.sha256,
    }
    asked: list[list[RequiredRole]] = [
        getattr(previous.policy.changes, what) for what, differs in changed.items() if differs
    ]
    if not asked:
        raise Refused("it changes nothing")
    counts: dict[str, int] = {}
    for role in (role for roles in asked for role in roles):
        counts[role.role] = max(counts.get(role.role, 0), role.count)
    return RequiredSignatures(
        [RequiredRole(role=role, count=count) for role, count in counts.items()], needs_root_key=not all(asked)
    )


def missing_role(needed: RequiredSignatures, signed_by: Sequence[Person], at: datetime) -> str:
    """Return a role whose signature is missing; empty if different signers can be assigned to all roles."""
    able = [(role, frozenset(p.id for p in signed_by if role.role in p.roles_at(at))) for role in needed.roles]
    short = staffing.first_unfilled_need([staffing.RoleNeed(role.role, role.count, people) for role, people in able])
    return short.role if short else ""


def verified_signer(signed_part: Mapping[str, Any], previous: Adoption, at: datetime) -> Person | None:
    """Verify a signature and return the person who signed, or None for the root key.

    Raises:
        Refused: The signature is not valid, or its key is unknown, belongs to a demo identity or was not valid at that
            time.
    """
    keyid = dsse.unverified_signers(signed_part)[0]
    if keyid == keys.fingerprint(previous.root):
        dsse.verify_envelope(signed_part, [previous.root])
        return None
    for person in previous.people.people:
        counting = [key.public_key for key in person.keys if key.fingerprint == keyid and key.is_valid(at)]
        if counting and not person.demo:
            dsse.verify_envelope(signed_part, counting)
            return person
    raise Refused(f"signed by {keyid}, which is no key that counted then of anybody who may sign off changes")


def split_signatures(envelope: Mapping[str, Any]) -> list[Envelope]:
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


def merge_signatures(parts: Sequence[Mapping[str, Any]]) -> Envelope:
    by_key = {part["signatures"][0]["keyid"]: part["signatures"][0] for part in parts}
    return {**parts[0], "signatures": [by_key[keyid] for keyid in sorted(by_key)]}


def require_succession(adoption: Adoption, before: Adoption | None) -> None:
    place = (adoption.sequence, adoption.previous)
    if place != ((before.sequence + 1, adoption_digest(before)) if before else (1, None)):
        raise Refused(f"it is number {adoption.sequence} and does not follow the one before it here")
    if adoption.environment != adoption.policy.environment or (before and before.environment != adoption.environment):
        raise Refused("an environment is adopted once: another one has a ledger and a root key of its own")
    if before and adoption.root != before.root:
        raise Refused("the root key is one for the whole chain")
    if any(key.fingerprint == keys.fingerprint(adoption.root) for key in adoption.people.all_keys()):
        raise Refused("the root key is nobody's, and people.yaml gives it to somebody")
    if before and adoption.time < before.time:
        raise Refused("it was proposed before the one that it follows")
    installed = [key for key in adoption.people.all_keys() if key.installed]
    if adoption.environment != LOCAL_ENVIRONMENT and installed:
        raise Refused(f"keys made by `hallmark init` count in environment {LOCAL_ENVIRONMENT} alone")
