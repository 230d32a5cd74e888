"""Verdicts on similar records: the rule that removes a record, and the record that is kept instead.

    near_test           near-identical to a record of a fixed test set, which is never removed itself
    synthetic_copy      synthetic, and near-identical to a real record, whichever target they have
    superseded          older edition: retired, or older and one of the two states its edition
    near_duplicate      same question and same target
    conflict            same question, another target, and lower precedence than the other record
    conflict_undecided  same question, another target and equal precedence, and one of the two sources says
                        `contradictions: put_aside`; or same question as a record removed by this rule, and another
                        target
    conflict_kept       same question, another target and equal precedence, and neither source says
                        `contradictions: put_aside`: both records are kept, and their owners see them side by side

The record with the higher authority has precedence. If authorities are equal, a record that is not retired has
precedence, then the record with the newer effective date, then the record whose text states the newer edition. All
rules except `near_test` and `synthetic_copy` apply to records of the same task. Two prompts are the same question if
they differ only in typos (`similarity/equality.py`). Prompts with another difference, such as a number, are two
questions. In that case, one supersedes the other only if both state their edition. A record never supersedes one of
another document, or below another heading, if the sources of both say which these are (`mapping.document`).
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from types import MappingProxyType
from typing import NamedTuple

from tasks.stages.data.deduplicate.group_records import GroupRecord, RecordIndex, SimilarPrompts
from tasks.stages.data.deduplicate.record_columns import FIXED_TEST, NO_DOCUMENT

SYNTHETIC_COPY, PARENT_QUARANTINED = "synthetic_copy", "parent_quarantined"
CONFLICT_UNDECIDED, CONFLICT_KEPT = "conflict_undecided", "conflict_kept"
CONFLICT_PARAPHRASED = "conflict_paraphrased"
"""Rule of a pair in conflicts.parquet that a sentence model found. It is no verdict, since the pair may be none."""
CONTRADICTION_RULES = ("conflict", CONFLICT_UNDECIDED, CONFLICT_KEPT)
REASONS_BY_RULE = {
    "exact_duplicate": "the same conversation and target as the record kept instead",
    "near_test": "near-identical to a record of a fixed test set",
    SYNTHETIC_COPY: "synthetic, and near-identical to a real record, so it adds nothing to it",
    PARENT_QUARANTINED: "synthetic, and a record that it was made from was quarantined",
    "superseded": "an older edition of the record kept instead",
    "near_duplicate": "the same words as the record kept instead but for slips and courtesies, with the same target",
    "conflict": "asks the same as the record kept instead, which has another target and the higher authority or the "
    "newer date",
    CONFLICT_UNDECIDED: "asks the same as a record with another target, of the same authority and date, or "
    "contradicts records in dispute: an owner's to decide",
}


class Verdict(NamedTuple):
    record: int
    rule: str
    other_record: int
    """Record that is kept instead or, if neither record has precedence, a record that contradicts this one."""
    jaccard: float

    @property
    def is_removed(self) -> bool:
        return self.rule != CONFLICT_KEPT


Twins = Mapping[int, Sequence[GroupRecord]]
"""Exact duplicates of a record in other documents, by record. They have its `record` and `rank`, because it is kept
instead of them, but their own dates and document, so that older editions of their document are found."""


def judge_group(
    items: Sequence[GroupRecord], similar_prompts: SimilarPrompts, twins: Twins = MappingProxyType({})
) -> Iterator[Verdict]:
    """Yield the verdicts on a group of similar records, which are given in order of preference.

    Each verdict cites a record that is itself similar to the judged record. The cited record is kept, unless the
    verdict is an undecided contradiction.
    """
    tests: dict[int, GroupRecord] = {}
    for item in items:
        if item.side == FIXED_TEST:
            tests.setdefault(item.form, item)
    rest = []
    for item in items:
        if item.side == FIXED_TEST:
            continue
        near = (
            (tests[form], jaccard, "near_test")
            for form, jaccard in similar_prompts.near_identical_prompts(item.form)
            if form in tests
        )
        if verdict := _best_verdict(item, near):
            yield verdict
        else:
            rest.append(item)
    yield from _judge_real_first(rest, similar_prompts, twins)


def _judge_real_first(items: Sequence[GroupRecord], similar_prompts: SimilarPrompts, twins: Twins) -> Iterator[Verdict]:
    """Judge records without a test record near them. A synthetic one that is near-identical to a real one is removed.

    Its verdict cites the record that is kept instead of that real one, if the real one is removed itself.
    """
    real: dict[int, GroupRecord] = {}
    for item in items:
        if not item.synthetic:
            real.setdefault(item.form, item)
    copies = {
        item: verdict
        for item in items
        if item.synthetic
        and (
            verdict := _best_verdict(
                item,
                (
                    (real[form], jaccard, SYNTHETIC_COPY)
                    for form, jaccard in similar_prompts.near_identical_prompts(item.form)
                    if form in real
                ),
            )
        )
    }
    verdicts = list(_judge_by_precedence([item for item in items if item not in copies], similar_prompts, twins))
    yield from verdicts
    fate = {verdict.record: verdict for verdict in verdicts if verdict.is_removed}
    for verdict in copies.values():
        end = fate.get(verdict.other_record)
        undecided = end is not None and end.rule == CONFLICT_UNDECIDED
        other = end.other_record if end and not undecided else verdict.other_record
        yield verdict._replace(other_record=other, rule=CONFLICT_UNDECIDED if undecided else SYNTHETIC_COPY)


def _judge_by_precedence(items: Sequence[GroupRecord], nearness: SimilarPrompts, twins: Twins) -> Iterator[Verdict]:
    """Judge records in order of precedence, so that no later verdict removes a record that was kept."""
    kept, disputed = RecordIndex(), RecordIndex()
    ranks = {item.record: item.rank for item in items}
    for _, same_precedence in groupby(items, key=lambda item: item.precedence):
        level = list(same_precedence)
        removals = {item: verdict for item in level if (verdict := _removal_verdict(item, kept, nearness))}
        left = [item for item in level if item not in removals]
        peers = RecordIndex(left)
        clashes = {item: _dispute_verdict(item, disputed, peers, nearness) for item in left}
        stay = []
        for item, clash in clashes.items():
            if clash:
                disputed.add(item)
            elif verdict := _removal_verdict(item, kept, nearness):
                removals[item] = verdict
            else:
                kept.add(item)
                stay.append(item)
        yield from removals.values()
        yield from filter(None, clashes.values())
        yield from filter(None, (_contradiction_verdict(item, kept, nearness) for item in stay))
        for item in stay:
            kept.add_all(twins.get(item.record, ()))
        for item, removal in removals.items():
            kept.add_all(_as_other_record(item, removal, ranks, twins))


def _as_other_record(
    item: GroupRecord, removal: Verdict, ranks: Mapping[int, int], twins: Twins
) -> Iterator[GroupRecord]:
    """Yield a removed near-duplicate and its twins under the name of the record that is kept instead.

    Without them, an older edition of their document would stay.
    """
    if removal.rule == "near_duplicate" and item.document != NO_DOCUMENT:
        for each in (item, *twins.get(item.record, ())):
            yield each._replace(record=removal.other_record, rank=ranks[removal.other_record])


def _removal_verdict(item: GroupRecord, kept: RecordIndex, nearness: SimilarPrompts) -> Verdict | None:
    same = (
        (o, jaccard, _same_question_rule(o, item, jaccard, nearness))
        for o, jaccard in kept.find_same_question(item, nearness)
    )
    editions = ((o, jaccard, _edition_rule(o, item)) for o, jaccard in kept.find_editions(item, nearness))
    return _best_verdict(item, (*same, *editions))


def _dispute_verdict(
    item: GroupRecord, disputed: RecordIndex, peers: RecordIndex, nearness: SimilarPrompts
) -> Verdict | None:
    candidates = [(other, jaccard, True) for other, jaccard in disputed.find_same_question(item, nearness)]
    candidates += [(o, jaccard, item.aside or o.aside) for o, jaccard in peers.find_same_question(item, nearness)]
    return _best_verdict(
        item,
        (
            (o, j, CONFLICT_UNDECIDED if aside and nearness.contradict(item, o, j) else None)
            for o, j, aside in candidates
        ),
    )


def _contradiction_verdict(item: GroupRecord, kept: RecordIndex, nearness: SimilarPrompts) -> Verdict | None:
    near = kept.find_same_question(item, nearness)
    return _best_verdict(item, ((o, j, CONFLICT_KEPT if nearness.contradict(item, o, j) else None) for o, j in near))


def _best_verdict(item: GroupRecord, candidates: Iterable[tuple[GroupRecord, float, str | None]]) -> Verdict | None:
    ruled = [(other.rank, rule, other.record, jaccard) for other, jaccard, rule in candidates if rule]
    if not ruled:
        return None
    _, rule, other, jaccard = min(ruled)
    return Verdict(item.record, rule, other, jaccard)


def _same_question_rule(
    better: GroupRecord, worse: GroupRecord, jaccard: float, nearness: SimilarPrompts
) -> str | None:
    if better.authority == worse.authority and better.may_be_edition_of(worse):
        later = _is_later(better, worse)
        if (worse.retired and (later or not better.retired)) or (later and (better.marked or worse.marked)):
            return "superseded"
    if better.target == worse.target:
        return "near_duplicate"
    decided = better.precedence < worse.precedence
    return "conflict" if decided and nearness.contradict(better, worse, jaccard) else None


def _edition_rule(better: GroupRecord, worse: GroupRecord) -> str | None:
    return "superseded" if better.authority == worse.authority and _is_later(better, worse) else None


def _is_later(better: GroupRecord, worse: GroupRecord) -> bool:
    return (better.effective, better.version) > (worse.effective, worse.version)
