"""Result of a review: preference with its interval, ties, agreement of annotators and of judges, comments.

The preference is the share of the decided pairs in which experts prefer the candidate's answer. Its interval is
that of Korn and Graubard: exact (Clopper and Pearson) if each pair is of another test row, and wider if several pairs
are cases of one row.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence

from tasks.core.documents.config import FrozenModel
from tasks.gates.signed_review import JudgeAgreement, ReviewFigure
from tasks.labels import entries
from tasks.labels.agreement import krippendorff
from tasks.labels.agreement.bootstrap import CONFIDENCE, estimate
from tasks.labels.given_labels import GivenLabels, read_given_labels
from tasks.labels.label_round import LabelSubmission
from tasks.labels.round_files import RoundFiles
from tasks.review.answer_order import OrderedPair, ReviewPairs
from tasks.review.judge_agreement import measure_judges
from tasks.review.outcomes import OUTCOMES, Outcome, Preference, decide_pairs, map_votes, preference_of
from tasks.review.pairs import Other
from tasks.stages.evaluate.suites import statistics
from tasks.stages.evaluate.suites.statistics import Outcomes


class PairCounts(FrozenModel):
    """Counts of labelled pairs by outcome, with the preference for the candidate."""

    pairs: int
    candidate: int
    other: int
    both: int
    neither: int
    split: int
    preference: ReviewFigure


class ReviewGroup(PairCounts):
    by: str
    """Field by which pairs are grouped: contested, suite or language."""
    value: str


class Comment(FrozenModel):
    """Note of an annotator or adjudicator about a pair."""

    item: str
    key: str
    """Test row or case."""
    said: Preference
    note: str


class ReviewReport(FrozenModel):
    round: str
    run: str
    compared_with: Other
    state: str
    """`open` or `finished`."""
    drawn: int
    """Number of pairs in the review, labelled or not."""
    equal: int
    """Number of pairs of the run that were left out because their answers are equal."""
    contested: int
    """Number of the labelled pairs on which automatic judges tell the models apart, or failed."""
    overall: PairCounts
    groups: list[ReviewGroup]
    alpha: ReviewFigure
    judges: dict[str, JudgeAgreement]
    comments: list[Comment] | None
    """Null for people who do not lead the review."""


def read_review(files: RoundFiles) -> ReviewPairs:
    """Return the pairs of a review with the order of their answers.

    Raises:
        InputError: The round is no review.
        Refused: The file is missing, or is not the one of the round.
    """
    return ReviewPairs.from_bytes(files.read_pairs())


def report_review(files: RoundFiles, for_lead: bool) -> ReviewReport:
    """Compute the result of a review from the labels so far.

    Args:
        files: Files of the review's round.
        for_lead: Whether the report is for the person who leads the review, who alone sees comments.
    """
    review, given = read_review(files), read_given_labels(files)
    outcomes = decide_pairs(review, given)
    labelled = [pair for pair in review.pairs if pair.item in outcomes]
    return ReviewReport(
        round=files.round.id,
        run=review.run,
        compared_with=review.compared_with,
        state="finished" if files.finished else "open",
        drawn=len(review.pairs),
        equal=review.equal,
        contested=sum(pair.is_contested for pair in labelled),
        overall=PairCounts.model_validate(count_pairs(labelled, outcomes)),
        groups=list(_groups(labelled, outcomes)),
        alpha=_alpha(review, given, files.round.seed),
        judges=measure_judges(review, outcomes, files.round.seed),
        comments=list(_comments(files, review)) if for_lead else None,
    )


def count_pairs(pairs: Sequence[OrderedPair], outcomes: Mapping[str, Outcome]) -> dict[str, object]:
    counts = Counter(outcomes[pair.item] for pair in pairs)
    decided = [pair for pair in pairs if outcomes[pair.item] in ("candidate", "other")]
    won = [outcomes[pair.item] == "candidate" for pair in decided]
    rate = statistics.pass_rate(Outcomes(won, [pair.cluster for pair in decided]), CONFIDENCE) if decided else None
    shown = rate.model_dump() if rate else {"value": None}
    return {
        "pairs": len(pairs),
        **{outcome: counts[outcome] for outcome in OUTCOMES},
        "preference": ReviewFigure(**shown, pairs=len(decided)),
    }


def _groups(pairs: Sequence[OrderedPair], outcomes: Mapping[str, Outcome]) -> Iterator[ReviewGroup]:
    fields: dict[str, Callable[[OrderedPair], str]] = {
        "contested": lambda pair: "yes" if pair.is_contested else "no",
        "suite": lambda pair: pair.suite or "(test rows)",
        "language": lambda pair: pair.language or "(none)",
    }
    for by, value_of in fields.items():
        for value in sorted({value_of(pair) for pair in pairs}):
            members = [pair for pair in pairs if value_of(pair) == value]
            yield ReviewGroup.model_validate({"by": by, "value": value, **count_pairs(members, outcomes)})


def _alpha(review: ReviewPairs, given: GivenLabels, seed: int) -> ReviewFigure:
    votes = [list(each.values()) for each in map_votes(review, given).values()]
    labels = krippendorff.count_labels(votes, (), "nominal")
    found = estimate(lambda weights: krippendorff.krippendorff_alpha(labels, weights), labels.items, seed)
    return ReviewFigure(value=found.value, low=found.low, high=found.high, pairs=found.items)


def _comments(files: RoundFiles, review: ReviewPairs) -> Iterator[Comment]:
    """Yield the newest comment of each person about each pair, in the order of the pairs."""
    by_item = {pair.item: pair for pair in review.pairs}
    newest: dict[tuple[str, str], Comment] = {}
    for kind in (entries.IMPORTED, entries.ADJUDICATED):
        for document in files.read_documents(kind, LabelSubmission):
            for given in document.labels:
                pair = by_item[given.item]
                said = preference_of(given.label, pair)
                newest[given.item, document.by] = Comment(item=given.item, key=pair.key, said=said, note=given.note)
    places = {item: place for place, item in enumerate(by_item)}
    yield from sorted((each for each in newest.values() if each.note), key=lambda each: places[each.item])
