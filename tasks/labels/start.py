"""Start of a round: rows, gold examples, guideline and people are fixed, and the ledger gets their digest."""

from dataclasses import dataclass
from pathlib import Path

from tasks.core.errors import InputError
from tasks.core.files import atomic_folder, sha256_bytes, write_bytes
from tasks.core.json_text import canonical_json
from tasks.core.machine import locks
from tasks.inquiry.access import Access
from tasks.labels import assignment, entries, guideline, items, participants, round_files, round_order
from tasks.labels.label_round import LabelRound, RoundSource
from tasks.labels.round_order import RoundOrder, canonical_label
from tasks.ledger.ledger import Ledger
from tasks.policy.governance import Governance
from tasks.sources import vault_keys
from tasks.sources.resolved_sources import load_resolved


@dataclass(frozen=True)
class StartedRound:
    round: LabelRound
    rows: int
    gold: int
    equal_to_gold: int
    """Number of rows that were left out because their text equals that of a gold example."""


def start_round(state: Path, ledger: Ledger, governance: Governance, lead: Access, order: RoundOrder) -> StartedRound:
    """Start a round. Its folder appears only when it is complete.

    Raises:
        InputError: The order is not valid, or a file of it cannot be read.
        Refused: The lead or another person may not read the rows, a source is withdrawn, or an earlier round had
            another guideline of this name and version.
    """
    governance.require_actor(lead.person.id)
    round_order.require_valid_order(order)
    sources = _round_sources(order, lead)
    participants.require_not_withdrawn(sources, ledger, governance)
    key = vault_keys.load_keys(state).annotators
    pinned, guideline_bytes = guideline.read_guideline(order.guideline, order.guideline_version, ledger)
    annotators = participants.make_annotators(governance, order.annotators, order.externals, lead, sources, key)
    deciding = order.adjudicators or ([] if order.pairs else [lead.person.id])  # the lead of a review is not blind
    adjudicators = participants.make_adjudicators(governance, deciding, annotators, sources, key)
    if not 1 <= order.overlap <= len(annotators):
        raise InputError(f"--overlap {order.overlap}: expected 1 to {len(annotators)}, the number of annotators")
    gold = items.gold_items(order, key)
    rows, equal = items.row_items(order, sources, gold, key)
    parts = {
        round_files.ROWS_FILE: round_files.serialise_lines(rows),
        round_files.GOLD_FILE: round_files.serialise_lines(gold),
        round_files.ASSIGNMENT_FILE: canonical_json(
            assignment.assign_items(
                [row.item for row in rows], [one.item for one in gold], [one.pseudonym for one in annotators],
                order.overlap, order.seed,
            )
        ),
        round_files.GUIDELINE_FILE: guideline_bytes,
    }  # fmt: skip
    review = None
    if order.pairs is not None:
        parts[round_files.PAIRS_FILE] = order.pairs.make_document([row.item for row in rows])
        review = order.pairs.make_subject(parts[round_files.PAIRS_FILE])
    started = LabelRound(
        id=order.id,
        lead=lead.person.id,
        started_at=ledger.now(),
        guideline=pinned,
        labels=[canonical_label(label, order.scale) for label in order.labels],
        scale=order.scale,
        overlap=order.overlap,
        seed=order.seed,
        annotators=annotators,
        adjudicators=adjudicators,
        run=order.run.root.name if order.run else None,
        sources=sources,
        rows_file=sha256_bytes(parts[round_files.ROWS_FILE]),
        gold_file=sha256_bytes(parts[round_files.GOLD_FILE]),
        assignment_file=sha256_bytes(parts[round_files.ASSIGNMENT_FILE]),
        review=review,
    )
    _write(state, ledger, started, parts | {round_files.ROUND_FILE: started.serialised}, len(rows), len(gold))
    return StartedRound(started, len(rows), len(gold), equal)


def _round_sources(order: RoundOrder, lead: Access) -> list[RoundSource]:
    """Return the sources of the rows, which the lead may read. An experiment takes access to all sources of its run."""
    if order.run is None:
        return []
    known = {item.source.id: item for item in load_resolved(order.run.sources_path).sources}
    if unknown := [name for name in order.sources if name not in known]:
        raise InputError(f"run {order.run.root.name} has no source {unknown[0]!r}; it has {', '.join(known)}")
    wanted = known if order.run.is_experiment or not order.sources else dict.fromkeys(order.sources)
    for name in wanted:
        lead.require_access(known[name].source)
    return [
        RoundSource(
            id=name,
            owner=known[name].source.owner,
            steward=known[name].source.steward,
            sha256=known[name].sha256,
            location=known[name].source.location,
        )
        for name in wanted
    ]


def _write(state: Path, ledger: Ledger, started: LabelRound, parts: dict[str, bytes], rows: int, gold: int) -> None:
    folder = round_files.round_folder(state, started.id)
    with locks.hold_exclusive_lock(folder.parent / ".lock", "another command starts a round"):
        if round_files.started_entry(ledger, started.id):
            raise InputError(f"round {started.id} was started already; give this one another id")
        with atomic_folder(folder, mode=0o700) as unfinished:  # replaces one that a killed command left
            for name, data in parts.items():
                write_bytes(unfinished / name, data, round_files.FILE_MODE)
        ledger.append(
            entries.STARTED,
            started.id,
            {
                "person": started.lead,
                entries.DIGEST: started.sha256,
                "guideline": started.guideline.model_dump(mode="json"),
                "rows": rows,
                "gold": gold,
                "annotators": len(started.annotators),
                "overlap": started.overlap,
                "sources": {source.id: source.sha256 for source in started.sources},
                **({entries.REVIEW_OF: started.run} if started.review else {}),
            },
        )
