"""Proposals, signatures and adoptions of policy and people in the ledger, and the adoption in force.

    governance.proposed   the first signature under a statement (adoption.py)
    governance.signed     a further signature
    governance.adopted    the envelope with all signatures: from this entry on the adoption is in force

The entries' subject is the digest of the statement. The statement's time is the time of the first of these entries. A
statement is not valid if it is dated after its entry or long before its proposal. A proposal follows one adoption and
lapses when another adoption follows it instead. The root of trust is HALLMARK_ROOT_FINGERPRINT, or else the key in
`.hallmark/keys/root.pub`.
"""

import os
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from pathlib import Path
from typing import Any

from tasks.core.errors import HallmarkError, InputError, Refused
from tasks.core.files import write_bytes
from tasks.core.formatting import format_time
from tasks.ledger import entry as ledger_entry
from tasks.ledger.ledger import Entry, Ledger, Row
from tasks.policy import adoption
from tasks.policy.adoption import Adoption, AdoptionInForce
from tasks.policy.machine_keys import require_machine_keys_kept
from tasks.policy.people import People
from tasks.policy.policy import Policy
from tasks.trust import dsse, keys
from tasks.trust.keys import Signer
from tasks.trust.statement_checks import require_requested, statements_changed_error
from tasks.trust.validity import CLOCK_TOLERANCE

PROPOSED, SIGNED, ADOPTED = "governance.proposed", "governance.signed", "governance.adopted"
ROOT_KEY_NAME = "root"
ROOT_VARIABLE = "HALLMARK_ROOT_FINGERPRINT"
"""Environment variable with the fingerprint of the root key. People must receive it by a separate channel."""

MAX_SIGNING_TIME = timedelta(hours=1)
"""Maximum time between the time in a statement and the ledger entry with its first signature.

An older statement would make roles and keys valid before they were in the ledger. Further signatures can take days.
"""


@dataclass(frozen=True)
class AdoptionChain:
    root_fingerprint: str
    adoptions: tuple[Adoption, ...]
    envelopes: tuple[dict[str, Any], ...]
    entries: tuple[Entry, ...]
    in_force: AdoptionInForce | None
    problems: tuple[str, ...]
    """Messages about entries that claim to be adoptions under this root key but are not valid, with the reasons."""
    foreign_problems: tuple[str, ...]
    """Messages about adoptions under other root keys, for example of an earlier environment or another machine."""

    @property
    def newest_adoption(self) -> Adoption | None:
        return self.in_force.adoption if self.in_force else None

    def signers_of(self, index: int) -> list[str]:
        """Return the ids of the people who signed an adoption.

        Args:
            index: Index of the adoption in the chain.
        """
        adopted, before = self.adoptions[index], self.adoptions[index - 1] if index else None
        parts = adoption.split_signatures(self.envelopes[index])
        people = [adoption.verified_signer(part, before, adopted.time) if before else None for part in parts]
        return [person.id if person else "the root key" for person in people]


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


def root_fingerprint(state: Path) -> str:
    """Return the fingerprint of the root key that this machine trusts.

    Raises:
        InputError: The machine has no root key, or the key on disk differs from HALLMARK_ROOT_FINGERPRINT.
    """
    pinned, path = os.environ.get(ROOT_VARIABLE, "").strip(), state / "keys" / f"{ROOT_KEY_NAME}.pub"
    on_disk = _fingerprint_of(path) if path.exists() else ""
    if pinned and on_disk and pinned != on_disk:
        raise InputError(
            f"{path} is root key {on_disk}, and {ROOT_VARIABLE} says {pinned}; put the right key there, or find out "
            "who replaced it"
        )
    if not (pinned or on_disk):
        raise InputError(
            f"whose policy is in force here? Nothing says: run `hallmark init`, or set {ROOT_VARIABLE} to the "
            "fingerprint of the root key"
        )
    return pinned or on_disk


def _fingerprint_of(path: Path) -> str:
    try:
        return keys.fingerprint(path.read_text("utf-8").strip())
    except (OSError, ValueError) as error:
        raise InputError(
            f"{path}: expected the line of a public key ({error}); put the root key's own there, or delete it where "
            f"{ROOT_VARIABLE} says whom to trust"
        ) from None


def store_root_key(state: Path, public_line: str) -> None:
    """Store the root key that this machine trusts.

    Raises:
        InputError: The machine already trusts another root key.
    """
    path = state / "keys" / f"{ROOT_KEY_NAME}.pub"
    if not path.exists():
        write_bytes(path, f"{public_line}\n".encode())
    trusted, given = root_fingerprint(state), keys.fingerprint(public_line)
    if trusted != given:
        raise InputError(f"the root key given is {given}, and what is trusted here is {trusted}")


def require_trusted_root(ledger: Ledger, state: Path, command: str = "hallmark init") -> None:
    """Verify that the ledger has no adoptions, or at least one under the root key that this machine trusts.

    Otherwise this checkout would establish a second root of trust in a ledger that others share.

    Args:
        ledger: Ledger to search for adoptions.
        state: Folder `.hallmark`.
        command: Command that begins a second root of trust if `--new-root` is added to it, for the error message.

    Raises:
        Refused: All adoptions of the ledger are under other root keys.
    """
    there = root_fingerprints(ledger)
    pinned = os.environ.get(ROOT_VARIABLE) or (state / "keys" / f"{ROOT_KEY_NAME}.pub").exists()
    trusted = root_fingerprint(state) if pinned else ""
    if not there or trusted in there:
        return
    known = " or ".join(there)
    raise Refused(
        f"this ledger was begun under another root key than is trusted here: {ledger.url} has adoptions under {known}, "
        f"and this checkout trusts {trusted or 'none yet'}. Ask its owner for the fingerprint by another way and set "
        f"{ROOT_VARIABLE} to it, or put the owner's {ROOT_KEY_NAME}.pub into {state / 'keys'}. Only to begin a second "
        f"root of trust on this ledger, under which nothing that others adopted counts: {command} --new-root"
    )


def root_fingerprints(ledger: Ledger) -> list[str]:
    """Return the fingerprints of the root keys that adoptions in the ledger name, without verifying signatures."""
    fingerprints = dict[str, None]()
    for entry in ledger.readable_entries(ADOPTED):
        with suppress(HallmarkError):
            fingerprints[keys.fingerprint(adoption.read_adoption(_envelope(entry.body)).root)] = None
    return list(fingerprints)


def create_root_key(state: Path) -> None:
    if not os.environ.get(ROOT_VARIABLE) and not (state / "keys" / f"{ROOT_KEY_NAME}.pub").exists():
        keys.create_key_pair(state / "keys", ROOT_KEY_NAME)


def read_chain(ledger: Ledger, root: str) -> AdoptionChain:
    """Return the adoptions under a root key.

    Entries that cannot be verified are described in the chain's `problems`.
    """
    proposed = _first_entry_times(_signature_entries(ledger))
    verified, problems, foreign = _verify_rows(root, tuple(ledger.rows_about(ADOPTED)), tuple(proposed.items()))
    counted = tuple(entry for entry, _ in verified)
    envelopes = tuple(entry.body["envelope"] for entry in counted)
    adoptions = tuple(in_force.adoption for _, in_force in verified)
    return AdoptionChain(root, adoptions, envelopes, counted, verified[-1][1] if verified else None, problems, foreign)


@lru_cache(maxsize=8)
def _verify_rows(
    root: str, rows: tuple[Row, ...], first_times: tuple[tuple[str, datetime], ...]
) -> tuple[tuple[tuple[Entry, AdoptionInForce], ...], tuple[str, ...], tuple[str, ...]]:
    """Return the entries of the valid adoptions, and the problems with all other entries.

    Problems under this root key and under other root keys are returned separately. `first_times` contains the time of
    each statement's first entry. The result depends only on the arguments, so it can be cached.
    """
    chain: list[tuple[Entry, AdoptionInForce]] = []
    first = dict(first_times)
    problems: list[str] = []
    foreign: list[str] = []
    for row in rows:
        before = chain[-1][1] if chain else None
        reasons = problems
        try:
            entry = ledger_entry.entry_from_row(row)
            time, envelope = entry.time, _envelope(entry.body)
            if keys.fingerprint(adoption.read_adoption(envelope).root) != root:
                reasons = foreign
            in_force = adoption.verify_adoption(envelope, before, root)
            _require_plausible_date(
                in_force.adoption, min(time, first.get(adoption.adoption_digest(in_force.adoption), time)), time
            )
            if before:  # whatever time the statement says, its keys must also have counted when it was recorded
                adoption.require_signatures(
                    envelope, in_force.adoption, before.adoption, max(time, in_force.adoption.time)
                )
        except HallmarkError as error:
            reasons.append(f"entry {row.seq} of the ledger adopts nothing here: {error}")
            continue
        chain.append((entry, in_force))
    return tuple(chain), tuple(problems), tuple(foreign)


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
        _require_plausible_date(wanted, now, now)
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


def _require_plausible_date(adopted: Adoption, proposed_at: datetime, recorded_at: datetime) -> None:
    """Verify that a statement is dated neither after its entry (`recorded_at`) nor long before its proposal."""
    if adopted.time - recorded_at > CLOCK_TOLERANCE:
        raise Refused(
            f"it is dated {format_time(adopted.time)}, and was recorded on {format_time(recorded_at)}, before that; "
            "set the clock right and sign anew"
        )
    if proposed_at - adopted.time > MAX_SIGNING_TIME:
        raise Refused(f"it is dated {format_time(adopted.time)}, and was proposed on {format_time(proposed_at)}, later "
                      f"than the "
                      f"{MAX_SIGNING_TIME // timedelta(minutes=1)} minutes that signing may take; sign "
                      f"anew")  # fmt: skip


def _valid_proposals(ledger: Ledger, in_force: AdoptionInForce | None, now: datetime) -> list[Proposal]:
    """Return the proposals that can follow the adoption in force, oldest first.

    Signatures that were not valid at the statement's time, or are not valid now, are left out.
    """
    proposals: dict[str, Proposal] = {}
    if in_force is None:
        return []
    before, entries = in_force.adoption, _signature_entries(ledger)
    first = _first_entry_times(entries)
    for entry in entries:
        try:
            (part,) = adoption.split_signatures(_envelope(entry.body))
            wanted = adoption.read_adoption(part)
            adoption.require_succession(wanted, before)
            for moment in (wanted.time, now):
                adoption.verified_signer(part, before, moment)
            if (mark := adoption.adoption_digest(wanted)) not in proposals:
                _require_plausible_date(wanted, first.get(mark, entry.time), entry.time)
                adoption.apply_adoption(wanted, in_force)
        except (HallmarkError, ValueError):
            continue
        proposals.setdefault(mark, Proposal(wanted, [])).signatures.append((entry, part))
    return list(proposals.values())


def _signature_entries(ledger: Ledger) -> list[Entry]:
    entries = [*ledger.readable_entries(PROPOSED), *ledger.readable_entries(SIGNED)]
    return sorted(entries, key=lambda entry: entry.seq)


def _first_entry_times(entries: Iterable[Entry]) -> dict[str, datetime]:
    """Return the time of the first entry of each statement, by the statement's digest.

    An entry with the digest proves that the statement existed at that time.
    """
    times: dict[str, datetime] = {}
    for entry in entries:
        times.setdefault(entry.subject, entry.time)
    return times


def _envelope(body: Mapping[str, Any]) -> dict[str, Any]:
    envelope = body.get("envelope")
    if not isinstance(envelope, dict):
        raise Refused("it holds no signed envelope")
    return envelope
