"""Policy and people in force: signed statements, each following from the one before, from a genesis that the root key
signed.

An adoption is a DSSE envelope over an in-toto statement `urn:hallmark:governance:v1`. Its predicate (`Adoption`) holds
policy.yaml and people.yaml whole, with the public keys that count also where `hallmark init` made them, and the digest
of the adoption before. It has one signature for each person who signed it off, sorted by keyid.

The first is signed by the root key alone, whose fingerprint is the root of trust. A later one is signed by the roles
that the policy BEFORE it names under `changes` for what changed, each by another person, under the people before it.
Where that names nobody, which environment `local` alone allows, the root key signs. What an adoption adds counts from
its time on (counting.py), and what ended stays so (ended.py).

Nothing here reads a ledger, a clock or a file: `verify_chain` needs the envelopes, oldest first, as `Governance.chain`
and release bundles hold them, and the fingerprint of the root key.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any, NamedTuple

from pydantic import Field

from tasks.core.document import Document
from tasks.core.errors import HallmarkError, Refused
from tasks.core.files import canonical_json, sha256_bytes
from tasks.core.params.values import Name, Sha256
from tasks.policy import counting, ended, satisfiable
from tasks.policy.ended import Ends
from tasks.policy.gate_rules import LOCAL, Role
from tasks.policy.people import People, Person
from tasks.policy.policy import Policy
from tasks.trust import dsse, keys
from tasks.trust.validity import Moment, PublicKey

PREDICATE_TYPE = "urn:hallmark:governance:v1"
Envelope = dict[str, Any]


class Adoption(Document):
    """The predicate."""

    environment: Name
    sequence: Annotated[int, Field(ge=1)]
    """1 is the genesis."""
    previous: Sha256 | None
    """`digest` of the adoption before; null: the genesis."""
    root: PublicKey
    """The root key, the same in the whole chain."""
    policy: Policy
    people: People
    time: Moment
    """The ledger's time when it was proposed; keys and roles of those who sign are judged as of then."""


class InForce(NamedTuple):
    """An adoption, verified, and the people as they count under it."""

    adoption: Adoption
    people: People
    """Those of all adoptions up to this one: what each added counts from its time on."""
    ends: Ends
    """When the keys end that these adoptions named, those left out since too."""


class Wanted(NamedTuple):
    """Who has to sign an adoption."""

    roles: list[Role]
    root: bool


def verify_chain(envelopes: Iterable[Mapping[str, Any]], root_fingerprint: str) -> InForce:
    """What is in force after the last of the envelopes, each verified. Raises Refused with the reason, saying which."""
    in_force: InForce | None = None
    for number, envelope in enumerate(envelopes, start=1):
        try:
            in_force = verify(envelope, in_force, root_fingerprint)
        except HallmarkError as error:
            raise Refused(f"adoption {number} of policy and people does not count: {error}") from None
    if in_force is None:
        raise Refused("no policy was adopted: the chain of adoptions is empty")
    return in_force


def verify(envelope: Mapping[str, Any], before: InForce | None, root_fingerprint: str) -> InForce:
    """The adoption of an envelope, if it may follow `before` (None: it is the genesis). Raises Refused."""
    adoption, older = read(envelope), before.adoption if before else None
    if keys.fingerprint(adoption.root) != root_fingerprint:
        raise Refused(f"it follows from root key {keys.fingerprint(adoption.root)}, expected {root_fingerprint}")
    require_follows(adoption, older)
    require_signed(envelope, adoption, older, adoption.time)
    return follow(adoption, before)


def follow(adoption: Adoption, before: InForce | None) -> InForce:
    """What is in force with an adoption that was verified. Raises Refused as `ended.carried` and `counting.people`."""
    ends = ended.carried(adoption.people, before.ends if before else {}, adoption.time)
    people = counting.people(adoption.people, before.people, adoption.time) if before else adoption.people
    return InForce(adoption, people, ends)


def read(envelope: Mapping[str, Any]) -> Adoption:
    """What an envelope says, its signatures unverified. Raises Refused where it is no adoption."""
    statement = dsse.peek(envelope)
    adoption = dsse.predicate(statement, PREDICATE_TYPE, Adoption, "an adoption")
    if statement != statement_of(adoption):
        raise Refused("the statement is about other digests than what it holds")
    return adoption


def statement_of(adoption: Adoption) -> dict[str, Any]:
    subjects = {"policy": adoption.policy.sha256, "people": adoption.people.sha256}
    return dsse.statement(PREDICATE_TYPE, subjects, adoption.said)


def digest(adoption: Adoption) -> str:
    """SHA-256 of its statement, whoever signed it."""
    return sha256_bytes(canonical_json(statement_of(adoption)))


def require_signed(envelope: Mapping[str, Any], adoption: Adoption, before: Adoption | None, at: datetime) -> None:
    """Raises Refused where those who must have not all signed, or somebody who is nobody has; keys and roles are
    judged `at` then."""
    parts = signatures(envelope)
    if before is None:
        if len(parts) != 1:
            raise Refused("the genesis is signed by the root key alone")
        dsse.verify(parts[0], [adoption.root])
        return
    needed, signed_by = wanted(before, adoption), [signer(part, before, at) for part in parts]
    if (None in signed_by) != needed.root:
        raise Refused("it lacks the root key's signature" if needed.root else "the root key signed where people must")
    people = [person for person in signed_by if person]
    if role := lacking(needed, people, at):
        names = ", ".join(sorted({person.id for person in people})) or "nobody"
        raise Refused(f"it lacks the signature of somebody in role {role}; signed by {names}")


def wanted(before: Adoption, adoption: Adoption) -> Wanted:
    """Who signs, as the policy before it says of what changed; roles that both changes ask for sign once."""
    changed = {
        "policy": before.policy.sha256 != adoption.policy.sha256,
        "people": before.people.sha256 != adoption.people.sha256,
    }
    asked: list[list[Role]] = [getattr(before.policy.changes, what) for what, differs in changed.items() if differs]
    if not asked:
        raise Refused("it changes nothing")
    counts: dict[str, int] = {}
    for role in (role for roles in asked for role in roles):
        counts[role.role] = max(counts.get(role.role, 0), role.count)
    return Wanted([Role(role=role, count=count) for role, count in counts.items()], root=not all(asked))


def lacking(needed: Wanted, signed_by: Sequence[Person], at: datetime) -> str:
    """A role whose signature is missing; empty where each role has people of its own among the signers."""
    able = [(role, frozenset(p.id for p in signed_by if role.role in p.roles_at(at))) for role in needed.roles]
    short = satisfiable.unseated([satisfiable.Need(role.role, role.count, people) for role, people in able])
    return short.role if short else ""


def signer(part: Mapping[str, Any], before: Adoption, at: datetime) -> Person | None:
    """Who made a signature, None for the root key. Raises Refused for nobody whose key counted `at` then under the
    people before, for a demo identity, and where it does not match."""
    keyid = dsse.signers(part)[0]
    if keyid == keys.fingerprint(before.root):
        dsse.verify(part, [before.root])
        return None
    for person in before.people.people:
        counting = [key.public_key for key in person.keys if key.fingerprint == keyid and key.counts(at)]
        if counting and not person.demo:
            dsse.verify(part, counting)
            return person
    raise Refused(f"signed by {keyid}, which is no key that counted then of anybody who may sign off changes")


def signatures(envelope: Mapping[str, Any]) -> list[Envelope]:
    """The envelope once for each of its signatures, with that one alone. Raises Refused where they are not sorted by
    keyid, since only one spelling counts."""
    dsse.peek(envelope)
    parts = [{**envelope, "signatures": [signature]} for signature in envelope["signatures"]]
    marks = [signature["keyid"] for signature in envelope["signatures"]]
    if not parts or marks != sorted(set(marks)):
        raise Refused("the signatures are not sorted by keyid, each once")
    return parts


def merged(parts: Sequence[Mapping[str, Any]]) -> Envelope:
    """One envelope with the signatures of several over the same statement."""
    by_key = {part["signatures"][0]["keyid"]: part["signatures"][0] for part in parts}
    return {**parts[0], "signatures": [by_key[keyid] for keyid in sorted(by_key)]}


def require_follows(adoption: Adoption, before: Adoption | None) -> None:
    """Raises Refused where an adoption, whoever signed it, is not the next one."""
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
