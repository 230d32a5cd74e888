"""Proposals of policy and people, and the signatures that bring them into force.

A proposal follows one adoption and lapses when another adoption follows it instead.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from tasks.core.errors import HallmarkError, Refused
from tasks.ledger.ledger import Entry, Ledger
from tasks.policy import adoption
from tasks.policy.adoption import Adoption, AdoptionInForce
from tasks.policy.adoption_entries import (
    ADOPTED,
    PROPOSED,
    SIGNED,
    AdoptionChain,
    envelope_of,
    first_entry_times,
    read_chain,
    require_plausible_date,
    signature_entries,
)
from tasks.policy.machine_keys import require_machine_keys_kept
from tasks.policy.people import People
from tasks.policy.policy import Policy
from tasks.trust import dsse
from tasks.trust.keys import Signer
from tasks.trust.statement_checks import require_requested, statements_changed_error


@dataclass(frozen=True)
class Proposal:
    adoption: Adoption
    signatures: list[tuple[Entry, dict[str, Any]]]

    @property
    def envelopes(self) -> list[dict[str, Any]]:
        return [part for _, part in self.signatures]

    def is_for(self, policy: Policy, people: People) -> bool:
        return (self.adoption.policy, self.adoption.people) == (policy, people)


@dataclass(frozen=True)
class SigningOutcome:
    entry: Entry
    is_adopted: bool
    missing_text: str


def sign_adoption(
    ledger: Ledger,
    root: str,
    policy: Policy,
    people: People,
    signer: Signer,
    require_allowed: Callable[[], None] | None = None,
) -> SigningOutcome:
    """Sign an adoption of policy and people, and bring it into force if no other signature is missing.

    The call has no effect if it is repeated, or if these policy and people are already in force.

    Args:
        ledger: Ledger in which the signature is recorded.
        root: Fingerprint of the root key.
        policy: Policy to adopt.
        people: People to adopt, each with their valid keys (`in_force.with_resolved_keys`).
        signer: Key to sign with: a person's key or the root key.
        require_allowed: Further check, called in the transaction that records the signature. It raises an error if the
            adoption is not allowed.

    Raises:
        Refused: Policy does not require this signer, the adoption cannot follow the one in force, or the adoption in
            force or the proposal changed during signing.
    """
    with ledger.transaction():
        wanted = _proposal_or_outcome(ledger, root, policy, people, signer)
    if isinstance(wanted, SigningOutcome):
        return wanted
    part = dsse.sign_statement(
        adoption.statement_of(wanted.adoption), signer
    )  # may take minutes, so outside a transaction
    with ledger.transaction():
        if require_allowed:
            require_allowed()
        now = _proposal_or_outcome(ledger, root, policy, people, signer)
        if isinstance(now, SigningOutcome):
            return now
        require_requested([adoption.statement_of(wanted.adoption)], [adoption.statement_of(now.adoption)])
        if now.signatures and now.adoption != wanted.adoption:  # proposed meanwhile with another time
            raise statements_changed_error()
        return _record_signature(ledger, read_chain(ledger, root), Proposal(wanted.adoption, now.signatures), part)


def _proposal_or_outcome(
    ledger: Ledger, root: str, policy: Policy, people: People, signer: Signer
) -> Proposal | SigningOutcome:
    chain, now = read_chain(ledger, root), ledger.now()
    before = chain.newest_adoption
    if before and (before.policy, before.people) == (policy, people):
        return SigningOutcome(chain.entries[-1], is_adopted=True, missing_text="")
    known = (each for each in _valid_proposals(ledger, chain.in_force, now) if each.is_for(policy, people))
    proposal = next(known, None) or Proposal(_next_adoption(before, policy, people, signer, now), [])
    adoption.require_succession(proposal.adoption, before)
    adoption.apply_adoption(proposal.adoption, chain.in_force)
    require_machine_keys_kept(people, before)
    return proposal


def _record_signature(ledger: Ledger, chain: AdoptionChain, proposal: Proposal, part: dict[str, Any]) -> SigningOutcome:
    wanted, before, now = proposal.adoption, chain.newest_adoption, ledger.now()
    adoption.require_succession(wanted, before)
    if not proposal.signatures:
        require_plausible_date(wanted, now, now)
    if before:
        _require_signer(part, wanted, before, now)
    kind = SIGNED if proposal.signatures else PROPOSED
    mark = dsse.unverified_signers(part)  # keys in hardware sign with a counter, so bytes differ each time
    same = next((entry for entry, each in proposal.signatures if dsse.unverified_signers(each) == mark), None)
    entry = same or ledger.append(kind, adoption.adoption_digest(wanted), {"envelope": part})
    envelope = adoption.merge_signatures([*proposal.envelopes, part])
    if before and (missing := missing_signatures_text(wanted, before, adoption.split_signatures(envelope), now)):
        return SigningOutcome(entry, is_adopted=False, missing_text=missing)
    adoption.verify_adoption(envelope, chain.in_force, chain.root_fingerprint)
    entry = ledger.append(ADOPTED, adoption.adoption_digest(wanted), {"envelope": envelope})
    return SigningOutcome(entry, is_adopted=True, missing_text="")


def open_proposals(ledger: Ledger, chain: AdoptionChain) -> list[tuple[Adoption, str]]:
    """Return the proposals that can follow the adoption in force, each with a description of its missing signatures."""
    before, now = chain.newest_adoption, ledger.now()
    if before is None:
        return []
    known = _valid_proposals(ledger, chain.in_force, now)
    return [(each.adoption, missing_signatures_text(each.adoption, before, each.envelopes, now)) for each in known]


def missing_signatures_text(
    wanted: Adoption, before: Adoption, parts: Iterable[Mapping[str, Any]], at: datetime
) -> str:
    needed, signers = (
        adoption.required_signatures(before, wanted),
        [adoption.verified_signer(part, before, at) for part in parts],
    )
    if needed.needs_root_key and None not in signers:
        return "the root key has to sign"
    people = [person for person in signers if person]
    role = adoption.missing_role(needed, people, at)
    able = [p.id for p in before.people.holders_of(role, at) if not p.demo and p not in people] if role else []
    return f"somebody in role {role} has to sign: {', '.join(able) or 'nobody is left who could'}" if role else ""


def _next_adoption(before: Adoption | None, policy: Policy, people: People, signer: Signer, now: datetime) -> Adoption:
    if before:  # an unchanged document keeps its bytes and so its digest, even if today's version writes it differently
        policy = before.policy if policy == before.policy else policy
        people = before.people if people == before.people else people
    return Adoption(
        environment=policy.environment,
        sequence=before.sequence + 1 if before else 1,
        previous=adoption.adoption_digest(before) if before else None,
        root=before.root if before else signer.public_line,
        policy=policy,
        people=people,
        time=max(now, before.time) if before else now,  # `before` may be of another machine, whose clock is ahead
    )


def _require_signer(part: Mapping[str, Any], wanted: Adoption, before: Adoption, now: datetime) -> None:
    needed, person = adoption.required_signatures(before, wanted), adoption.verified_signer(part, before, now)
    asked = [role.role for role in needed.roles]
    if person is None and not needed.needs_root_key:
        raise Refused(f"the root key adopts nothing where policy names who does: {', '.join(asked)}")
    if person and not set(asked) & set(person.roles_at(now)):
        raise Refused(f"{person.id} holds {', '.join(person.roles_at(now)) or 'no role'}; this change is signed off by "
                      f"{', '.join(asked) or 'the root key'}")  # fmt: skip


def _valid_proposals(ledger: Ledger, in_force: AdoptionInForce | None, now: datetime) -> list[Proposal]:
    """Return the proposals that can follow the adoption in force, oldest first.

    Signatures that were not valid at the statement's time, or are not valid now, are left out.
    """
    proposals: dict[str, Proposal] = {}
    if in_force is None:
        return []
    before, entries = in_force.adoption, signature_entries(ledger)
    first = first_entry_times(entries)
    for entry in entries:
        try:
            (part,) = adoption.split_signatures(envelope_of(entry.body))
            wanted = adoption.read_adoption(part)
            adoption.require_succession(wanted, before)
            for moment in (wanted.time, now):
                adoption.verified_signer(part, before, moment)
            if (mark := adoption.adoption_digest(wanted)) not in proposals:
                require_plausible_date(wanted, first.get(mark, entry.time), entry.time)
                adoption.apply_adoption(wanted, in_force)
        except (HallmarkError, ValueError):
            continue
        proposals.setdefault(mark, Proposal(wanted, [])).signatures.append((entry, part))
    return list(proposals.values())
