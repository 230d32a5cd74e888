"""An owner takes back a source, at any time and on their own: what holds it goes no further.

    withdraw, restore   the owner signs, the ledger keeps
    in_force            which sources are withdrawn now
    reached             which of the sources that something uses are withdrawn, by name, content or place
    held_back           why something that uses sources may not go on, in words

A withdrawal counts whoever signed it, and also where that cannot be verified: it can only hold things back, and must
outlast a change of owner. Taking it back names that very withdrawal, so that an old statement written anew lets nothing
pass, and counts by who withdrew it, or where this installation's key signed that whoever did it owned the source then.
A source that sources.yaml names no longer, but runs still use, is withdrawn by who owned it in the newest of them.
"""

from collections.abc import Collection, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from tasks.consent import signed_withdrawal
from tasks.consent.signed_withdrawal import PREDICATE_TYPE, RESTORED, WITHDRAWN, Notice, Withdrawal
from tasks.core.config import checked_reason
from tasks.core.errors import HallmarkError, InputError, Refused
from tasks.core.files import canonical_json, sha256_bytes
from tasks.core.layout import Layout
from tasks.declarations import declarations
from tasks.gates import cases, signed_request
from tasks.ledger.ledger import Entry, Ledger
from tasks.policy import signed_entry
from tasks.policy.governance import Governance
from tasks.policy.people import Person
from tasks.policy.signed_entry import Draft
from tasks.sources import places, sources
from tasks.sources.sources import ResolvedSource, Source

__all__ = [
    "PREDICATE_TYPE", "RESTORED", "WITHDRAWN", "Use", "Withdrawal",
    "held_back", "in_force", "reached", "restore", "withdraw",
]  # fmt: skip


@dataclass(frozen=True)
class Use:
    """A source as something uses it: a run, a release."""

    name: str
    sha256: str | None = None
    """Of its content, where that is known."""
    location: str | None = None

    @staticmethod
    def of(item: ResolvedSource) -> "Use":
        return Use(item.source.id, item.sha256, item.source.location)


def withdraw(
    ledger: Ledger, governance: Governance, source_id: str, person_id: str, reason: str, contents: Collection[str] = ()
) -> Entry:
    """Record that an owner takes back their source. Withdrawn twice by one person is withdrawn once: the first entry
    comes back. `contents` are digests of what it holds now; those of what was read of it before are known.

    Raises InputError for an unknown source or person and without a reason, Refused for whoever is not the owner.
    """
    source, person = _source(ledger, governance, source_id), governance.actor(person_id, ledger.now())
    _owns(source, person)

    def draft() -> Entry | list[Draft]:
        known = in_force(ledger, governance).get(source_id, [])
        own = next((each for each in known if each.person == person.id), None)
        held = sorted({*contents, *_contents(ledger, governance, source_id)})
        return own.entry if own else [_draft(ledger, governance, source, person, reason, None, held)]

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


def reached(
    standing: dict[str, list[Withdrawal]], uses: Iterable[Use], governance: Governance
) -> dict[str, list[Withdrawal]]:
    """By the name under which something uses it, the withdrawals in force of each source that is withdrawn: under that
    name, or under another with the same content or at the same place. `standing` is what `in_force` gives."""
    root = governance.state.parent
    every = list({each.sha256: each for named in standing.values() for each in named}.values())
    hit = {
        use.name: [it for it in every if it in standing.get(use.name, []) or _is_the_same(use, it, root)]
        for use in uses
    }
    return {name: each for name, each in sorted(hit.items()) if each}


def held_back(ledger: Ledger, governance: Governance, uses: Iterable[Use]) -> str | None:
    """Who withdrew which of the sources, when, why, and what can be done; None where none is withdrawn."""
    known = in_force(ledger, governance)
    withdrawn = reached(known, uses, governance)
    if not withdrawn:
        return None
    texts = dict.fromkeys(
        f"{each}{'' if name in each.about else f'; {name} is the same, by its content or where it lies'}"
        for name, standing in withdrawn.items()
        for each in standing
    )
    names = dict.fromkeys(
        own for standing in withdrawn.values() for each in standing for own in sorted(each.about & known.keys())
    )
    back = (
        f"hallmark data withdraw {name} --restore --reason TEXT --as {_restorer(ledger, governance, name, known[name])}"
        f"{governance.option}"
        for name in names
    )
    return (
        f"{'; '.join(texts)}. Start a run whose sources.yaml does without, or ask the owner, who may take it back: "
        f"{'; '.join(back)}"
    )


def _draft(
    ledger: Ledger, governance: Governance, source: Source, person: Person, reason: str,
    restores: Withdrawal | None, contents: Collection[str] = (),
) -> Draft:  # fmt: skip
    reason = checked_reason(reason, "say why with --reason, so that others can follow it later")
    notice = Notice(
        verb="restore" if restores else "withdraw",
        source=source.id,
        person=person.id,
        reason=reason,
        restores=restores.sha256 if restores else None,
        contents=list(contents),
        location=None if restores else source.location,
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
    """As it was adopted, in `local` as sources.yaml has it; one that is there no longer, as the newest run here that
    read it."""
    named = declarations.inventory(ledger, governance)
    source = named.get(source_id) or _of_runs(ledger, governance, source_id)
    if source is None:
        known = ", ".join(named) or "none"
        where = "in sources.yaml, which has" if governance.local else "among those adopted, which are"
        raise InputError(f"source {source_id!r} is not {where} {known}, and no run here read it")
    return source


def _contents(ledger: Ledger, governance: Governance, source_id: str) -> set[str]:
    """Digests of what was read of a source: by the runs that are here, and by those that asked a data gate anywhere."""
    asked = set[str]()
    with suppress(HallmarkError):  # of a ledger that is damaged: what is known is withdrawn all the same
        datasets = [case.evidence.dataset for case in cases.read(ledger, gate="data")]
        asked = {it.sources[source_id].sha256 for it in datasets if it and source_id in it.sources}
    return asked | {item.sha256 for _, item in _pinned(governance) if item.source.id == source_id}


def _is_the_same(use: Use, withdrawn: Withdrawal, root: Path) -> bool:
    if use.sha256 in withdrawn.contents:
        return True
    if use.location is None or withdrawn.location is None:
        return False
    return places.place(use.location, root) == places.place(withdrawn.location, root)


def _of_runs(ledger: Ledger, governance: Governance, source_id: str) -> Source | None:
    return next(
        (
            item.source for layout, item in _pinned(governance)
            if item.source.id == source_id and not _of_others(ledger, layout, governance)
        ),
        None,
    )  # fmt: skip


def _pinned(governance: Governance) -> Iterator[tuple[Layout, ResolvedSource]]:
    """The sources of the runs that are here, newest first."""
    layouts = [Layout(path.parents[1]) for path in (governance.state / "runs").glob("*/inputs/sources.json")]
    for layout in sorted(layouts, key=lambda layout: (layout.made, layout.root.name), reverse=True):
        with suppress(InputError):  # of a run that was broken off, or damaged
            for item in sources.load_resolved(layout.sources).sources:
                yield layout, item


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
