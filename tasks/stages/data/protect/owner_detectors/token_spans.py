"""Spans of characters from the probabilities that a token classifier gives to each token."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

from tasks.sources.owner_detectors import OwnerDetector
from tasks.sources.protection import Category
from tasks.stages.data.protect.recognisers.span import Span

OUTSIDE_LABEL = "O"
PREFIXED_LABEL = re.compile(r"([BIESLU])-(.+)")
"""Pattern of a label of the schemes BIO, BIOES and BILOU."""
BEGINNING_PREFIXES = ("B", "S", "U")
MAX_WORD_CHARACTERS = 100
"""Maximum number of characters by which a span is widened to a whole word, in each direction."""
UNSPACED_SCRIPTS = re.compile(
    r"[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff]"
)
"""Pattern of a letter of a script that is written without spaces between words: Thai, Lao, Burmese, Khmer, Japanese and
Chinese. A span in it is not widened."""


class Token(NamedTuple):
    """Token with its offsets in characters. Several tokens may be parts of one character, and have its offsets."""

    start: int
    end: int


@dataclass(frozen=True)
class LabelScheme:
    """Labels of a model by the index of their probability, with the categories that sources.yaml gives them."""

    labels: tuple[str, ...]
    detector: OwnerDetector

    @cached_property
    def columns(self) -> Mapping[Category, list[int]]:
        """Indexes of the labels of each category, by category in sorted order."""
        return {
            category: [index for index, label in enumerate(self.labels) if self._category_of(label) == category]
            for category in self.detector.categories
        }

    @cached_property
    def beginning_columns(self) -> Mapping[Category, list[int]]:
        """Indexes of the labels that begin a value, by category."""
        return {
            category: [index for index in indexes if self.labels[index][:2] in {f"{it}-" for it in BEGINNING_PREFIXES}]
            for category, indexes in self.columns.items()
        }

    def _category_of(self, label: str) -> Category | None:
        return None if label == OUTSIDE_LABEL else self.detector.labels[plain_label(label)]


def plain_label(label: str) -> str:
    """Return a label without the prefix of its scheme."""
    match = PREFIXED_LABEL.fullmatch(label)
    return match[2] if match else label


def find_token_spans(text: str, tokens: Sequence[Token], probabilities: Any, scheme: LabelScheme) -> list[Span]:
    """Return the spans of the tokens that belong to a category.

    The probability of a category is the sum of those of its labels. A token belongs to the most probable category whose
    threshold its probability reaches, even if it is less than that of `O`. So a lower threshold finds more. The score
    of a span is that of its least probable token. A span covers whole words, because a model may mark a part of one.

    Args:
        text: Text that the model has read.
        tokens: Tokens of the text, in order.
        probabilities: Array with a row for each token and a column for each label.
        scheme: Labels of the columns.
    """
    spans: list[Span] = []
    visible = [(row, token) for row, it in enumerate(tokens) if (token := _without_space(text, it))]
    previous = -1
    for place, (category, score, begins) in _judge_tokens([row for row, _ in visible], probabilities, scheme):
        token = visible[place][1]
        parted = not spans or bool(text[spans[-1].end : token.start])
        if spans and previous == place - 1 and spans[-1].kind == category and not (begins and parted):
            spans[-1] = spans[-1]._replace(end=max(spans[-1].end, token.end), score=min(spans[-1].score, score))
        else:
            spans.append(Span(token.start, token.end, category, score))
        previous = place
    return [_widen_to_words(text, span) for span in spans]


def _judge_tokens(
    rows: Sequence[int], probabilities: Any, scheme: LabelScheme
) -> Iterator[tuple[int, tuple[Category, float, bool]]]:
    """Yield the place of each token of a category, with the category, its probability, and whether it begins a value.

    `rows` are the rows of the tokens in `probabilities`.
    """
    totals = {category: probabilities[:, columns].sum(axis=1) for category, columns in scheme.columns.items()}
    for place, row in enumerate(rows):
        reached = [
            (float(total[row]), category)
            for category, total in totals.items()
            if total[row] >= scheme.detector.threshold_of(category)
        ]
        if reached:
            score, category = max(reached)
            beginning = float(probabilities[row, scheme.beginning_columns[category]].sum())
            yield place, (category, score, beginning > score / 2)


def _without_space(text: str, token: Token) -> Token | None:
    """Return a token without the space at its ends, which tokens of byte-level BPE may include; None if it is blank."""
    part = text[token.start : token.end]
    start = token.start + len(part) - len(part.lstrip())
    return Token(start, start + len(part.strip())) if part.strip() else None


def _widen_to_words(text: str, span: Span) -> Span:
    start, end = span.start, span.end
    while start > max(0, span.start - MAX_WORD_CHARACTERS) and _is_within_word(text, start):
        start -= 1
    while end < min(len(text), span.end + MAX_WORD_CHARACTERS) and _is_within_word(text, end):
        end += 1
    return span._replace(start=start, end=end)


def _is_within_word(text: str, offset: int) -> bool:
    around = text[offset - 1 : offset + 1]
    return all(map(str.isalnum, around)) and not UNSPACED_SCRIPTS.search(around)
