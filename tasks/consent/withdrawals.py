"""An owner takes back a source, at any time and on their own: what holds it goes no further.

    withdraw, restore   the owner signs, the ledger keeps
    in_force            which sources are withdrawn now
    held_back           why something that uses sources may not go on, in words

A withdrawal counts whoever signed it, and also where that cannot be verified: it can only hold things back, and must
outlast a change of owner. Taking it back names that very withdrawal, so that an old statement written anew lets nothing
pass, and counts by who withdrew it, or where this installation's key signed that whoever did it owned the source then.
A source that sources.yaml names no longer, but runs still use, is withdrawn by who owned it in the newest of them.
"""

from collections.abc import Collection

from tasks.consent import signed_withdrawal
from tasks.consent.signed_withdrawal import PREDICATE_TYPE, RESTORED, WITHDRAWN, Notice, Withdrawal
from tasks.core.config import clear
from tasks.core.errors import InputError, Refused
from tasks.core.files import canonical_json, sha256_bytes
from tasks.core.layout import Layout
from tasks.gates import signed_request
from tasks.ledger.ledger import Entry, Ledger
from tasks.policy import signed_entry
from tasks.policy.governance import Governance
from tasks.policy.people import Person
from tasks.policy.signed_entry import Draft
from tasks.sources import sources
from tasks.sources.sources import Source

__all__ = ["PREDICATE_TYPE", "RESTORED", "WITHDRAWN", "Withdrawal", "held_back", "in_force", "restore", "withdraw"]


def withdraw(ledger: Ledger, governance: Governance, source_id: str, person_id: str, reason: str) -> Entry:
    """Record that an owner takes back their source. Withdrawn twice by one person is withdrawn once: the first entry
    comes back.

    Raises InputError for an unknown source or person and without a reason, Refused for whoever is not the owner.
    """
    source, person = _source(ledger, governance, source_id), governance.actor(person_id, ledger.now())
    _owns(source, person)

    def draft() -> Entry | list[Draft]:
        known = in_force(ledger, governance).get(source_id, [])
        own = next((each for each in known if each.person == person.id), None)
        return own.entry if own else [_draft(ledger, governance, source, person, reason, None)]

    return signed_entry.record(ledger, governance, person, draft)


def restore(ledger: Ledger, governance: Governance, source_id: str, person_id: str, reason: str) -> Entry:
    """Record that an owner gives a source again, whoever withdrew it; who owned it before takes back their own alone.

    One entry for each withdrawal that is taken back; the last comes back. Raises as `withdraw`, and Refused for a
    source that is not withdrawn.
    """
    person = governance.actor(person_id, ledger.now())

    def drafts() -> list[Draft]:
        source = _source(ledger, governance, source_id)  # who owns it is what counts, so as of the recording
        known = in_force(ledger, governance).get(source_id, [])
        meant = {each.sha256: each for each in known if person.id in (source.owner, each.person)}
        if not meant:
            _owns(source, person)
            raise Refused(f"source {source_id} is not withdrawn, so there is nothing to take back")
        return [_draft(ledger, governance, source, person, reason, each) for each in meant.values()]

    return signed_entry.record(ledger, governance, person, drafts)


def in_force(ledger: Ledger, governance: Governance) -> dict[str, list[Withdrawal]]:
    """The withdrawals that nobody has taken back, by source, oldest first; those that cannot be verified among them."""
    withdrawn = [signed_withdrawal.withdrawal(entry, governance) for entry in ledger.entries(WITHDRAWN)]
    back = _taken_back(ledger, governance, withdrawn)
    standing: dict[str, list[Withdrawal]] = {}
    for each in withdrawn:
        for name in each.about:
            if (name, each.sha256) not in back:
                standing.setdefault(name, []).append(each)
    return standing


def held_back(ledger: Ledger, governance: Governance, source_ids: Collection[str]) -> str | None:
    """Who withdrew which of the sources, when, why, and what can be done; None where none is withdrawn."""
    known = in_force(ledger, governance)
    withdrawn = {name: known[name] for name in sorted(source_ids) if name in known}
    if not withdrawn:
        return None
    texts = dict.fromkeys(str(each) for standing in withdrawn.values() for each in standing)
    back = (
        f"hallmark data withdraw {name} --restore --reason TEXT --as {_restorer(ledger, governance, name, standing)}"
        f"{governance.option}"
        for name, standing in withdrawn.items()
    )
    return (
        f"{'; '.join(texts)}. Start a run whose sources.yaml does without, or ask the owner, who may take it back: "
        f"{'; '.join(back)}"
    )


def _draft(
    ledger: Ledger, governance: Governance, source: Source, person: Person, reason: str, restores: Withdrawal | None
) -> Draft:
    if not reason.strip():
        raise InputError("say why with --reason, so that others can follow it later")
    clear(reason, "the reason")
    notice = Notice(
        verb="restore" if restores else "withdraw",
        source=source.id,
        person=person.id,
        reason=reason.strip(),
        restores=restores.sha256 if restores else None,
        environment=governance.policy.environment if restores else None,
        owned_under=governance.place if restores and restores.person != person.id else None,
        time=ledger.now(),
    )
    declared = sha256_bytes(canonical_json(source.model_dump(mode="json")))
    return signed_withdrawal.draft(notice, declared)


def _taken_back(ledger: Ledger, governance: Governance, withdrawn: list[Withdrawal]) -> set[tuple[str, str | None]]:
    """Source and digest of every withdrawal that was taken back. What does not verify takes back nothing."""
    signer = {each.sha256: each.person for each in withdrawn if each.person}
    back = set()
    for entry in ledger.entries(RESTORED):
        notice = signed_withdrawal.countersigned(entry, governance)
        own = None if notice else signed_withdrawal.restoration(entry, governance)
        if own and own.person == signer.get(own.restores or ""):
            notice = own
        if notice:
            back.add((notice.source, notice.restores))
    return back


def _source(ledger: Ledger, governance: Governance, source_id: str) -> Source:
    """As the sources.yaml in force has it; one that is there no longer, as the newest run here that read it."""
    named = {source.id: source for source in sources.load(governance.folder).sources}
    source = named.get(source_id) or _of_runs(ledger, governance, source_id)
    if source is None:
        known = ", ".join(named)
        raise InputError(f"source {source_id!r} is not in sources.yaml, which has {known}, and no run here read it")
    return source


def _of_runs(ledger: Ledger, governance: Governance, source_id: str) -> Source | None:
    layouts = [Layout(path.parents[1]) for path in (governance.state / "runs").glob("*/inputs/sources.json")]
    for layout in sorted(layouts, key=lambda layout: (layout.made, layout.root.name), reverse=True):
        try:
            pinned = sources.load_resolved(layout.sources).sources
        except InputError:  # of a run that was broken off, or damaged
            continue
        source = next((item.source for item in pinned if item.source.id == source_id), None)
        if source and not _of_others(ledger, layout, governance):
            return source
    return None


def _of_others(ledger: Ledger, layout: Layout, governance: Governance) -> bool:
    """Whether a run was asked for under other governance files than these, which may name anybody as an owner."""
    named = signed_request.named_governance(ledger, layout.root.name)
    return named is not None and (governance.state.parent / named).resolve() != governance.folder.resolve()


def _owns(source: Source, person: Person) -> None:
    if source.owner != person.id:
        raise Refused(
            f"{person.id} does not own source {source.id}; only {source.owner} may withdraw it or take that back"
        )


def _restorer(ledger: Ledger, governance: Governance, source_id: str, standing: list[Withdrawal]) -> str:
    """Who may take all of it back: the owner; where no file here says who that is, who withdrew it last."""
    try:
        return _source(ledger, governance, source_id).owner
    except InputError:
        return standing[-1].person or "ID"
