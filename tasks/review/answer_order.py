"""Secret order of the answers in each pair, and the document that keeps it.

The order is drawn by the operating system's random numbers and not from the seed of the round, which annotators may
know. In half of the pairs the candidate's answer is A. The document is a file of the round, whose digest is in the
round. It has random text, without which somebody could find the order of few pairs by trying all orders.
"""

import secrets
from collections.abc import Sequence
from typing import Literal

from tasks.core.documents.config import FrozenModel
from tasks.core.documents.document import Document
from tasks.labels import pseudonyms
from tasks.review.pairs import Other, Pair, Verdict


class OrderedPair(FrozenModel):
    """Pair of a review, with what annotators do not see."""

    item: str
    """Id of the item in the round."""
    first: Literal["candidate", "other"]
    """Model whose answer is A."""
    key: str
    """Identity of the pair in its run."""
    cluster: str
    """Test row or case. Pairs of one cluster are not independent."""
    suite: str | None
    """Evaluation suite of the case; null for a test row."""
    language: str
    is_contested: bool
    """Whether automatic judges tell the two answers apart, or failed."""
    verdicts: dict[str, Verdict]
    """Verdicts of automatic judges, by metric or suite."""


class ReviewPairs(Document):
    """Pairs of a review and the order of their answers, pairs.json of a round."""

    type: Literal["urn:hallmark:review-pairs:v1"] = "urn:hallmark:review-pairs:v1"
    run: str
    compared_with: Other
    equal: int
    """Number of pairs of the run that were left out because their answers are equal."""
    pairs: list[OrderedPair]
    salt: str
    """Random text, without which the order could be found from the document's digest."""


def draw_order(size: int) -> list[bool]:
    """Return for each pair whether the candidate's answer is A.

    It is A in half of the pairs. Chance decides about an odd one.
    """
    order = [place % 2 == 0 for place in range(size + size % 2)]
    secrets.SystemRandom().shuffle(order)
    return order[:size]


def make_document(
    run: str, compared_with: Other, equal: int, pairs: Sequence[Pair], order: Sequence[bool], items: Sequence[str]
) -> ReviewPairs:
    """Return the document of a review.

    Args:
        run: Id of the run.
        compared_with: Model whose answers are compared with the candidate's.
        equal: Number of pairs that were left out.
        pairs: Pairs of the review.
        order: Whether the candidate's answer is A, for each pair.
        items: Id of each pair's item in the round.
    """
    ordered = [
        OrderedPair(
            item=item,
            first="candidate" if is_candidate_first else "other",
            key=pair.key,
            cluster=pair.cluster,
            suite=pair.suite,
            language=pair.language,
            is_contested=pair.is_contested,
            verdicts=dict(pair.verdicts),
        )
        for pair, is_candidate_first, item in zip(pairs, order, items, strict=True)
    ]
    salt = pseudonyms.make_salt()
    return ReviewPairs(run=run, compared_with=compared_with, equal=equal, pairs=ordered, salt=salt)
