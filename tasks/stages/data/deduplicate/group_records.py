"""Records of a group of similar ones as the rules see them, and the searches for those that ask the same question."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain, islice
from typing import NamedTuple

import numpy as np

from tasks.core.params.data import NearDuplicates
from tasks.stages.data.deduplicate.record_columns import NO_DOCUMENT
from tasks.stages.data.deduplicate.similarity.equality import have_same_content
from tasks.stages.data.deduplicate.similarity.vocabulary import WordUses

MAX_COMPARISONS = 64
"""Maximum number of records with which a record is compared for each similar prompt. Preferred records are compared
first. The limit applies separately to records with another target and to other editions."""


class GroupRecord(NamedTuple):
    record: int
    rank: int
    """Position of the record in the order of preference; 0 is the most preferred."""
    authority: int
    retired: bool
    effective: int
    version: int
    document: int
    """Id of the document and heading that the record is of; NO_DOCUMENT if its source does not say them."""
    side: int
    task: int
    target: int
    answer: int
    form: int
    content: int
    signature: int
    people: int
    marked: bool
    """Whether the prompt or target states its edition, or the source has `editions: dated` in sources.yaml."""
    titled: bool
    """Whether the prompt states its edition, or the source has `editions: dated` in sources.yaml."""
    aside: bool
    synthetic: bool

    def may_be_edition_of(self, other: "GroupRecord") -> bool:
        """Whether no source says that the two records are of different documents, or below different headings."""
        return self.document == other.document or NO_DOCUMENT in (self.document, other.document)

    @property
    def precedence(self) -> tuple[int, bool, int, int]:
        return -self.authority, self.retired, -self.effective, -self.version


@dataclass(frozen=True)
class SimilarPrompts:
    starts: np.ndarray
    similar_indices: np.ndarray
    """Indices of similar prompts. Those similar to prompt i are `similar_indices[starts[i]:starts[i + 1]]`."""
    jaccards: np.ndarray
    thresholds: NearDuplicates
    texts: Sequence[str]
    uses: WordUses
    corrected: frozenset[tuple[int, int]] = frozenset()
    """Pairs of prompts that are equal once typos are corrected, the smaller index first."""
    _equalities: dict[tuple[int, int], bool] = field(default_factory=dict)

    def similar_prompts(self, form: int) -> Iterator[tuple[int, float]]:
        """Yield similar prompts with their Jaccard similarities, starting with the prompt itself."""
        begin, end = self.starts[form : form + 2]
        yield form, 1.0
        yield from zip(self.similar_indices[begin:end].tolist(), self.jaccards[begin:end].tolist(), strict=True)

    def near_identical_prompts(self, form: int) -> Iterator[tuple[int, float]]:
        """Yield the prompts near-identical to `form`, which comes first, with their Jaccard similarities."""
        return ((other, jaccard) for other, jaccard in self.similar_prompts(form) if jaccard >= self.thresholds.jaccard)

    def have_same_content(self, content: int, other: int) -> bool:
        if content == other:
            return True
        pair = (min(content, other), max(content, other))
        if pair not in self._equalities:
            texts = self.texts[content], self.texts[other]
            self._equalities[pair] = all(texts) and have_same_content(*texts, self.uses)
        return self._equalities[pair]

    def contradict(self, item: GroupRecord, other: GroupRecord, jaccard: float) -> bool:
        least = self.thresholds.conflict_jaccard
        if item.answer == other.answer or least is None:
            return False
        return jaccard >= least or (min(item.form, other.form), max(item.form, other.form)) in self.corrected


class RecordIndex:
    def __init__(self, items: Iterable[GroupRecord] = ()) -> None:
        self._by_question: dict[tuple[int, int, int], dict[int, dict[int, dict[int, GroupRecord]]]] = defaultdict(
            lambda: defaultdict(lambda: defaultdict(dict))
        )
        self._with_edition: dict[tuple[int, int], dict[int, list[GroupRecord]]] = defaultdict(lambda: defaultdict(list))
        self.add_all(items)

    def add(self, item: GroupRecord) -> None:
        """Add a record. Of records with the same content, target and document, only the first one added is kept."""
        same_content = self._by_question[item.form, item.task, item.signature][item.content]
        same_content[item.target].setdefault(item.document, item)
        if item.titled:
            self._with_edition[item.form, item.task][item.document].append(item)

    def add_all(self, items: Iterable[GroupRecord]) -> None:
        for item in items:
            self.add(item)

    def find_same_question(self, item: GroupRecord, nearness: SimilarPrompts) -> Iterator[tuple[GroupRecord, float]]:
        for form, jaccard in nearness.similar_prompts(item.form):
            for content, by_target in self._by_question.get((form, item.task, item.signature), {}).items():
                if nearness.have_same_content(item.content, content):
                    same = by_target.get(item.target, {}).values()
                    others = chain.from_iterable(
                        by.values() for target, by in by_target.items() if target != item.target
                    )
                    yield from ((o, jaccard) for some in (same, others) for o in islice(some, MAX_COMPARISONS))

    def find_editions(self, item: GroupRecord, nearness: SimilarPrompts) -> Iterator[tuple[GroupRecord, float]]:
        """Yield similar records that may be other editions of `item`.

        They have the same placeholders for personal data as `item`, and are not of another document.
        """
        for form, jaccard in nearness.near_identical_prompts(item.form) if item.titled else ():
            by_document = self._with_edition.get((form, item.task), {})
            wanted = by_document if item.document == NO_DOCUMENT else (item.document, NO_DOCUMENT)
            others = chain.from_iterable(by_document.get(document, ()) for document in wanted)
            yield from ((o, jaccard) for o in islice(others, MAX_COMPARISONS) if o.people == item.people)
