"""Pairs of answers of a run's models, which an expert review (tasks/review) prepares as the rows of its round."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from tasks.labels.label_round import ReviewSubject


class PairRow(NamedTuple):
    key: str
    """Identity of the pair among those of the round. It does not say which answer is whose."""
    text: str
    """Prompt and both answers as annotators see them."""
    record_id: str | None


@dataclass(frozen=True)
class PreparedPairs:
    rows: Sequence[PairRow]
    make_document: Callable[[Sequence[str]], bytes]
    """Function that returns the content of the file that says which answer is whose, from the item id of each row."""
    make_subject: Callable[[bytes], ReviewSubject]
    """Function that returns the subject of the review, from that content."""
