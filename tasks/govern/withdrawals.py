"""An owner takes back a source, at any time and on their own: what holds it goes no further.

    withdraw, restore   the owner signs, the ledger keeps
    in_force            which sources are withdrawn now
    held_back           why something that uses sources may not go on, in words

Every entry is one signed statement. A withdrawal counts whoever in people.yaml signed it: it can only hold things back,
and must outlast a change of owner. Taking it back names that very withdrawal, and counts only by its signer or by the
owner in the sources.yaml in force, so that an old statement written anew lets nothing pass. A source that sources.yaml
names no longer, but runs still use, is withdrawn by who owned it in the newest of them.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Literal

from pydantic import ValidationError

from tasks.config import Frozen
from tasks.errors import InputError, Refused
from tasks.files import canonical_json, sha256_bytes
from tasks.govern import dsse, sources
from tasks.govern.governance import Governance
from tasks.govern.ledger import Entry, Ledger
from tasks.govern.people import Person
from tasks.govern.sources import Source
from tasks.params import Name, Sha256

WITHDRAWN, RESTORED = "source.withdrawn", "source.restored"
"""Kinds of ledger entries; their subject is the source's id."""
PREDICATE_TYPE = "urn:hallmark:source-withdrawal:v1"


class Notice(Frozen):
    """The predicate; the statement's subject is the source, by the digest of its declaration then."""

    verb: Literal["withdraw", "restore"]
    source: Name
    person: str
    reason: str
    restores: Sha256 | None
    """Of restore: `dsse.digest` of the withdrawal that it takes back."""
    time: datetime
    """The ledger's time when it was signed."""


@dataclass(frozen=True)
class Withdrawal:
    """A withdrawal whose signature verified."""

    entry: Entry
    notice: Notice
    sha256: str

    def __str__(self) -> str:
        told, when = self.notice, f"{self.entry.time:%Y-%m-%d %H:%M} UTC"
        return f"source {told.source} was withdrawn by {told.person} on {when} ({told.reason})"


def withdraw(ledger: Ledger, governance: Governance, source_id: str, person_id: str, reason: str) -> Entry:
    """Record that an owner takes back their source. Withdrawn twice is withdrawn once: the first entry comes back.

    Raises InputError for an unknown source or person and without a reason, Refused for whoever is not the owner.
    """
    source, person = _source(governance, source_id), governance.actor(person_id)
    _owns(source, person)
    with ledger.transaction():
        known = in_force(ledger, governance).get(source_id)
        return known.entry if known else _record(ledger, governance, source, person, reason, None)


def restore(ledger: Ledger, governance: Governance, source_id: str, person_id: str, reason: str) -> Entry:
    """Record that an owner gives a withdrawn source again. Raises as `withdraw`, and Refused for one not withdrawn."""
    source, person = _source(governance, source_id), governance.actor(person_id)
    _owns(source, person)
    with ledger.transaction():
        known = in_force(ledger, governance).get(source_id)
        if known is None:
            raise Refused(f"source {source_id} is not withdrawn, so there is nothing to take back")
        return _record(ledger, governance, source, person, reason, known.sha256)


def in_force(ledger: Ledger, governance: Governance) -> dict[str, Withdrawal]:
    """The withdrawals that nobody has taken back, by source. Raises Refused for one that cannot be verified."""
    withdrawn = [_withdrawal(entry, governance) for entry in ledger.entries(WITHDRAWN)]
    back = _taken_back(ledger, governance, {each.sha256: each.notice for each in withdrawn})
    return {each.notice.source: each for each in reversed(withdrawn) if each.sha256 not in back}


def held_back(ledger: Ledger, governance: Governance, source_ids: Collection[str]) -> str | None:
    """Who withdrew which of the sources, when, why, and what can be done; None where none is withdrawn."""
    known = in_force(ledger, governance)
    found = [known[name] for name in sorted(source_ids) if name in known]
    if not found:
        return None
    back = "; ".join(f"hallmark data withdraw {each.notice.source} --restore" for each in found)
    return (
        f"{'; '.join(map(str, found))}. Start a run whose sources.yaml does without, or ask the owner, who may take it "
        f"back: {back}"
    )


def _record(
    ledger: Ledger, governance: Governance, source: Source, person: Person, reason: str, restores: str | None
) -> Entry:
    if not reason.strip():
        raise InputError("say why with --reason, so that others can follow it later")
    notice = Notice(
        verb="restore" if restores else "withdraw",
        source=source.id,
        person=person.id,
        reason=reason.strip(),
        restores=restores,
        time=ledger.now(),
    )
    declared = sha256_bytes(canonical_json(source.model_dump(mode="json")))
    statement = dsse.statement(PREDICATE_TYPE, {source.id: declared}, notice.model_dump(mode="json"))
    envelope = dsse.sign(statement, governance.signing_key(person))
    return ledger.append(RESTORED if restores else WITHDRAWN, source.id, {"envelope": envelope})


def _source(governance: Governance, source_id: str) -> Source:
    """As the sources.yaml in force has it; one that is there no longer, as the newest run here that read it."""
    named = {source.id: source for source in sources.load(governance.folder).sources}
    found = named.get(source_id) or _of_runs(governance.state, source_id)
    if found is None:
        known = ", ".join(named)
        raise InputError(f"source {source_id!r} is not in sources.yaml, which has {known}, and no run here read it")
    return found


def _of_runs(state: Path, source_id: str) -> Source | None:
    for path in sorted((state / "runs").glob("*/inputs/sources.json"), reverse=True):
        try:
            pinned = sources.load_resolved(path).sources
        except InputError:  # of a run that was broken off, or damaged
            continue
        if found := next((item.source for item in pinned if item.source.id == source_id), None):
            return found
    return None


def _owns(source: Source, person: Person) -> None:
    if source.owner != person.id:
        raise Refused(
            f"{person.id} does not own source {source.id}; only {source.owner} may withdraw it or take that back"
        )


def _withdrawal(entry: Entry, governance: Governance) -> Withdrawal:
    try:
        return _verified(entry, governance, "withdraw")
    except Refused as error:
        raise Refused(
            f"entry {entry.seq} of the ledger, which withdraws source {entry.subject}, cannot be verified: {error}. It "
            "was changed, or who made it is no longer in people.yaml: put them back, as `active: false`"
        ) from None


def _taken_back(ledger: Ledger, governance: Governance, withdrawn: dict[str, Notice]) -> set[str]:
    """Digests of the withdrawals that were validly taken back. What does not verify takes back nothing."""
    owners = _owners(governance)
    back = set()
    for entry in ledger.entries(RESTORED):
        try:
            notice = _verified(entry, governance, "restore").notice
        except Refused:
            continue
        meant = withdrawn.get(notice.restores or "")
        if meant and meant.source == notice.source and notice.person in (meant.person, owners.get(meant.source)):
            back.add(notice.restores or "")
    return back


def _owners(governance: Governance) -> dict[str, str]:
    """Who owns each source; a folder without sources.yaml (to verify a release, say) knows of none."""
    if not (governance.folder / "sources.yaml").exists():
        return {}
    return {source.id: source.owner for source in sources.load(governance.folder).sources}


def _verified(entry: Entry, governance: Governance, verb: str) -> Withdrawal:
    """An entry's statement, signed by whom it names and about what the entry says. Raises Refused."""
    envelope = entry.body.get("envelope")
    if not isinstance(envelope, dict):
        raise Refused("it holds no signed envelope")
    person = governance.people.get(_notice(dsse.peek(envelope)).person)
    if person is None:
        raise Refused("who signed it is not in people.yaml")
    statement = dsse.verify(envelope, governance.public_key(person))
    notice = _notice(statement)
    if (notice.verb, notice.source, list(dsse.subjects(statement))) != (verb, entry.subject, [entry.subject]):
        raise Refused("what was signed is about something else")
    return Withdrawal(entry, notice, dsse.digest(envelope))


def _notice(statement: dict[str, object]) -> Notice:
    if statement["predicateType"] != PREDICATE_TYPE:
        raise Refused(f"the statement is a {statement['predicateType']}")
    try:
        return Notice.model_validate(statement["predicate"])
    except ValidationError as error:
        raise Refused(f"the statement withdraws nothing ({error.errors()[0]['msg']})") from None
