"""Outcome of each pair: labels mapped back from A and B to the models, and one outcome from several labels."""

from collections import Counter
from collections.abc import Mapping
from typing import Literal

from tasks.labels.given_labels import GivenLabels, Votes
from tasks.review import pair_text
from tasks.review.answer_order import OrderedPair, ReviewPairs

Preference = Literal["candidate", "other", "both", "neither"]
Outcome = Literal["candidate", "other", "both", "neither", "split"]
"""Outcome of a pair. `split`: annotators disagree without a majority, and nobody adjudicated."""
OUTCOMES: tuple[Outcome, ...] = ("candidate", "other", "both", "neither", "split")


def preference_of(label: str, pair: OrderedPair) -> Preference:
    """Return what a label says about the models of a pair."""
    if label in (pair_text.FIRST, pair_text.SECOND):
        return "candidate" if (label == pair_text.FIRST) == (pair.first == "candidate") else "other"
    return "both" if label == pair_text.BOTH else "neither"


def map_votes(review: ReviewPairs, given: GivenLabels) -> Votes:
    """Return the preference of each annotator by pseudonym, by item."""
    return {
        pair.item: {who: preference_of(label, pair) for who, label in given.rows[pair.item].items()}
        for pair in review.pairs
        if pair.item in given.rows
    }


def decide_pairs(review: ReviewPairs, given: GivenLabels) -> Mapping[str, Outcome]:
    """Return the outcome of each labelled pair, by item.

    An adjudicator's label takes precedence. Otherwise it is the preference that more annotators have than any other.
    """
    votes, found = map_votes(review, given), dict[str, Outcome]()
    for pair in review.pairs:
        if pair.item in given.adjudicated:
            found[pair.item] = preference_of(given.adjudicated[pair.item].label, pair)
        elif pair.item in votes:
            found[pair.item] = _majority(votes[pair.item])
    return found


def _majority(votes: Mapping[str, str]) -> Outcome:
    counts = Counter(votes.values()).most_common()
    if len(counts) > 1 and counts[0][1] == counts[1][1]:
        return "split"
    return next(each for each in OUTCOMES if each == counts[0][0])
