"""Withdrawal and restoration of sources by their owners, and check whether a source in use is withdrawn.

    withdraw, restore   sign and record a withdrawal or restoration
    in_force            withdrawals that are not restored
    affecting           withdrawals that affect the sources of a run or release, by name, content or location
    block_reason        message for a run or release that uses a withdrawn source

Owners can withdraw a source at any time, without approval. A withdrawal takes effect no matter who signed it, and even
if it cannot be verified. This is safe because a withdrawal can only block runs and releases, and necessary because it
must outlast a change of owner.

A restoration refers to one withdrawal by its digest, so that a replayed restoration has no effect on a later
withdrawal. It is valid if it is signed by the person who withdrew the source, or if the gate key has confirmed that the
signer owned the source at that time. If a source is no longer in sources.yaml but runs still use it, the owner is the
one named in the newest of these runs.
"""

from collections.abc import Collection, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from tasks.consent import signed_withdrawal
from tasks.consent.signed_withdrawal import PREDICATE_TYPE, RESTORED, WITHDRAWN, Withdrawal, WithdrawalNotice
from tasks.core.documents.config import validate_reason
from tasks.core.errors import HallmarkError, InputError, Refused
from tasks.core.files import sha256_bytes
from tasks.core.json_text import canonical_json
from tasks.core.layout import Layout
from tasks.declarations import declarations
from tasks.gates import cases, signed_request
from tasks.ledger.ledger import Entry, Ledger
from tasks.policy import signed_entry
from tasks.policy.governance import Governance
from tasks.policy.people import Person
from tasks.policy.signed_entry import Draft
from tasks.sources import locations, resolved_sources
from tasks.sources.dataset import Dataset
from tasks.sources.resolved_sources import ResolvedSource
from tasks.sources.sources import Source

__all__ = [
    "PREDICATE_TYPE",
    "RESTORED",
    "WITHDRAWN",
    "UsedSource",
    "Withdrawal",
    "affecting_withdrawals",
    "block_reason",
    "dataset_block_reason",
    "restore_source",
    "withdraw_source",
    "withdrawals_in_force",
]  # fmt: skip


@dataclass(frozen=True)
class UsedSource:
    name: str
    sha256: str | None = None
    location: str | None = None

    @staticmethod
    def from_resolved(item: ResolvedSource) -> "UsedSource":
        return UsedSource(item.source.id, item.sha256, item.source.location)


def withdraw_source(
    ledger: Ledger, governance: Governance, source_id: str, person_id: str, reason: str, contents: Collection[str] = ()
) -> Entry:
    """Sign and record the withdrawal of a source by its owner.

    If the person has already withdrawn the source, the existing entry is returned and nothing is recorded.

    Args:
        ledger: Ledger in which the withdrawal is recorded.
        governance: Governance in force.
        source_id: Id of the source to withdraw.
        person_id: Id of the source's owner.
        reason: Reason that the owner gives.
        contents: SHA-256 of the source's current contents. Contents that earlier runs read are added.

    Returns:
        Ledger entry of the withdrawal.

    Raises:
        InputError: The source or person is unknown, or the reason is not valid.
        Refused: The person does not own the source.
    """
    source, person = _find_source(ledger, governance, source_id), governance.require_actor(person_id, ledger.now())
    _require_owner(source, person)

    def draft() -> Entry | list[Draft]:
        known = withdrawals_in_force(ledger, governance).get(source_id, [])
        own = next((each for each in known if each.person == person.id), None)
        all_contents = sorted({*contents, *_known_contents(ledger, governance, source_id)})
        return own.entry if own else [_draft_notice(ledger, governance, source, person, reason, None, all_contents)]

    return signed_entry.sign_and_record(ledger, governance, person, draft)


def restore_source(ledger: Ledger, governance: Governance, source_id: str, person_id: str, reason: str) -> Entry:
    """Sign and record the restoration of a withdrawn source, with one entry for each withdrawal.

    The current owner restores all withdrawals of the source. A former owner restores only their own.

    Returns:
        Last of the new ledger entries.

    Raises:
        InputError: The source or person is unknown, or the reason is not valid.
        Refused: The person is not allowed to restore the source, or the source is not withdrawn.
    """
    person = governance.require_actor(person_id, ledger.now())

    def drafts() -> list[Draft]:
        source = _find_source(
            ledger, governance, source_id
        )  # read again at the recording, since the owner may have changed
        known = withdrawals_in_force(ledger, governance).get(source_id, [])
        meant = {each.sha256: each for each in known if person.id in (source.owner, each.person)}
        if not meant:
            _require_owner(source, person)
            raise Refused(f"source {source_id} is not withdrawn, so there is nothing to take back")
        return [_draft_notice(ledger, governance, source, person, reason, each) for each in meant.values()]

    return signed_entry.sign_and_record(ledger, governance, person, drafts)


def withdrawals_in_force(ledger: Ledger, governance: Governance) -> dict[str, list[Withdrawal]]:
    """Return the withdrawals of consent that are still in force, by source id, oldest first.

    Withdrawals that cannot be verified are included.
    """
    withdrawn = [signed_withdrawal.read_withdrawal(entry, governance) for entry in ledger.entries(WITHDRAWN)]
    back = _restored_withdrawals(ledger, governance, withdrawn)
    standing: dict[str, list[Withdrawal]] = {}
    for each in withdrawn:
        for name in each.sources:
            if (name, each.sha256) not in back:
                standing.setdefault(name, []).append(each)
    return standing


def affecting_withdrawals(
    withdrawals_by_source: dict[str, list[Withdrawal]], used_sources: Iterable[UsedSource], governance: Governance
) -> dict[str, list[Withdrawal]]:
    """Return the withdrawals that affect sources in use, by name of the affected source.

    A withdrawal affects every source that has the name, the content or the location of the withdrawn source.

    Args:
        withdrawals_by_source: Withdrawals by source id, as returned by `withdrawals_in_force`.
        used_sources: Sources in use.
        governance: Governance in force. Relative locations are resolved against its checkout.
    """
    root = governance.state.parent
    every = list({each.sha256: each for named in withdrawals_by_source.values() for each in named}.values())
    hit = {
        use.name: [it for it in every if it in withdrawals_by_source.get(use.name, []) or _is_affected(use, it, root)]
        for use in used_sources
    }
    return {name: each for name, each in sorted(hit.items()) if each}


def block_reason(ledger: Ledger, governance: Governance, used_sources: Iterable[UsedSource]) -> str | None:
    """Return a message about the sources in use that are withdrawn, with the remedy; None if none is withdrawn."""
    known = withdrawals_in_force(ledger, governance)
    withdrawn = affecting_withdrawals(known, used_sources, governance)
    if not withdrawn:
        return None
    texts = dict.fromkeys(
        f"{each}{'' if name in each.sources else f'; {name} is the same, by its content or where it lies'}"
        for name, standing in withdrawn.items()
        for each in standing
    )
    names = dict.fromkeys(
        own for standing in withdrawn.values() for each in standing for own in sorted(each.sources & known.keys())
    )
    back = (
        f"hallmark data withdraw {name} --restore --reason TEXT --as "
        f"{_possible_restorer(ledger, governance, name, known[name])}{governance.governance_option}"
        for name in names
    )
    return (
        f"{'; '.join(texts)}. Start a run whose sources.yaml does without, or ask the owner, who may take it back: "
        f"{'; '.join(back)}"
    )


def dataset_block_reason(ledger: Ledger, governance: Governance, dataset: Dataset | None) -> str | None:
    """Return a message about the withdrawn sources of a dataset; None if none is withdrawn or there is no dataset."""
    uses = [UsedSource(name, origin.sha256) for name, origin in dataset.sources.items()] if dataset else []
    return block_reason(ledger, governance, uses)


def _draft_notice(
    ledger: Ledger, governance: Governance, source: Source, person: Person, reason: str,
    restores: Withdrawal | None, contents: Collection[str] = (),
) -> Draft:  # fmt: skip
    reason = validate_reason(reason)
    notice = WithdrawalNotice(
        verb="restore" if restores else "withdraw",
        source=source.id,
        person=person.id,
        reason=reason,
        restores=restores.sha256 if restores else None,
        contents=list(contents),
        location=None if restores else source.location,
        environment=governance.policy.environment if restores else None,
        owned_under=governance.relative_folder if restores and restores.person != person.id else None,
        time=ledger.now(),
    )
    declared = sha256_bytes(canonical_json(source.model_dump(mode="json")))
    return signed_withdrawal.draft_entry(notice, declared)


def _restored_withdrawals(
    ledger: Ledger, governance: Governance, withdrawn: list[Withdrawal]
) -> set[tuple[str, str | None]]:
    """Return the source id and digest of each restored withdrawal. Unverified restorations are ignored."""
    signer = {each.sha256: each.person for each in withdrawn if each.person}
    back = set()
    for entry in ledger.entries(RESTORED):
        notice = signed_withdrawal.read_countersigned_restoration(entry, governance)
        own = None if notice else signed_withdrawal.read_restoration(entry, governance)
        if own and own.person == signer.get(own.restores or ""):
            notice = own
        if notice:
            back.add((notice.source, notice.restores))
    return back


def _find_source(ledger: Ledger, governance: Governance, source_id: str) -> Source:
    """Return a source's adopted declaration. If there is none, return the one in the newest local run that read it.

    In environment `local`, the declaration in sources.yaml is used instead of the adopted one.
    """
    named = declarations.sources_by_id(ledger, governance)
    source = named.get(source_id) or _source_in_runs(ledger, governance, source_id)
    if source is None:
        known = ", ".join(named) or "none"
        where = "in sources.yaml, which has" if governance.is_local else "among those adopted, which are"
        raise InputError(f"source {source_id!r} is not {where} {known}, and no run here read it")
    return source


def _known_contents(ledger: Ledger, governance: Governance, source_id: str) -> set[str]:
    """Return the digests of a source's contents that local runs have read or any run has submitted to a data gate."""
    asked = set[str]()
    with suppress(HallmarkError):  # if the ledger is damaged, the contents known from runs are still withdrawn
        datasets = [case.evidence.dataset for case in cases.read_cases(ledger, gate="data")]
        asked = {it.sources[source_id].sha256 for it in datasets if it and source_id in it.sources}
    return asked | {item.sha256 for _, item in _resolved_sources(governance) if item.source.id == source_id}


def _is_affected(use: UsedSource, withdrawn: Withdrawal, root: Path) -> bool:
    if use.sha256 in withdrawn.contents:
        return True
    if use.location is None or withdrawn.location is None:
        return False
    return locations.resolve_location(use.location, root) == locations.resolve_location(withdrawn.location, root)


def _source_in_runs(ledger: Ledger, governance: Governance, source_id: str) -> Source | None:
    return next(
        (
            item.source for layout, item in _resolved_sources(governance)
            if item.source.id == source_id and not _has_other_governance(ledger, layout, governance)
        ),
        None,
    )  # fmt: skip


def _resolved_sources(governance: Governance) -> Iterator[tuple[Layout, ResolvedSource]]:
    layouts = [Layout(path.parents[1]) for path in (governance.state / "runs").glob("*/inputs/sources.json")]
    for layout in sorted(layouts, key=lambda layout: (layout.resolved_at, layout.root.name), reverse=True):
        with suppress(InputError):  # the run was interrupted or damaged
            for item in resolved_sources.load_resolved(layout.sources_path).sources:
                yield layout, item


def _has_other_governance(ledger: Ledger, layout: Layout, governance: Governance) -> bool:
    """Return whether a run was requested under another governance folder. Such a folder can name anyone as owner."""
    named = signed_request.requested_governance(ledger, layout.root.name)
    return named is not None and (governance.state.parent / named).resolve() != governance.folder.resolve()


def _require_owner(source: Source, person: Person) -> None:
    if source.owner != person.id:
        raise Refused(
            f"{person.id} does not own source {source.id}; only {source.owner} may withdraw it or take that back"
        )


def _possible_restorer(
    ledger: Ledger, governance: Governance, source_id: str, withdrawals_of_source: list[Withdrawal]
) -> str:
    try:
        return _find_source(ledger, governance, source_id).owner
    except InputError:
        return withdrawals_of_source[-1].person or "ID"
