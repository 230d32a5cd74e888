"""Consistent replacement: a value detected in one text of a record is replaced in all of them, with one token.

A recogniser reads one text at a time, and the same name may be recognised in one text and missed in another. In "melody
by hanna sjedokowa" it finds "hanna", because of the word "by"; in {"artist": "hanna sjedokowa"} it finds nothing. The
model cannot learn a target with a placeholder that the prompt lacks, and the rest of the name stays readable. So each
value is searched for in all texts of its record:

- Of two values that overlap, the longer is replaced: "hanna sjedokowa" in both texts, if it was detected whole in one.
- A longer value of the prompt is split if the target contains only a part of it. If the prompt has "anna schmidt" and
  the target "Dear Ms Schmidt", then "schmidt" is replaced in both, and "anna" on its own in the prompt. The subjects of
  the record still include the whole name (`RecordSpans.split_spans`). A field of the target that is part of a longer
  value splits that value in the same way.
- A field of the target that consists of a name and of words on no word list is replaced as one name.
- Everything detected is replaced, except ordinary words that a rule included in a name by mistake
  (`values.is_ordinary_piece`).

The time is linear in the length of the texts. The result depends on the record alone.
"""

from bisect import bisect_left
from collections.abc import Collection, Iterable, Sequence
from typing import NamedTuple

from tasks.stages.data.protect.detected_span import DetectedSpan, merge_spans
from tasks.stages.data.protect.spans import (
    drop_leftovers,
    enclosing_span,
    overlaps_any,
    remove_overlaps,
    replaceable_part,
    words_outside,
)
from tasks.stages.data.protect.value_index import ValueIndex
from tasks.stages.data.protect.values import DetectedValue, is_unknown_word
from tasks.stages.data.protect.words import RecordText

MAX_ROUNDS = 4
"""Maximum number of rounds in which values are split. Splitting a value can make it necessary to split other values;
more than two rounds are rarely needed. Values that are still not split after the last
round are counted at the data gate: their targets have a placeholder that the prompts lack."""

MAX_FIELD_WORDS = 6
"""Maximum number of words in a target field that can be treated as a name. Recognisers have the same limit."""
MAX_UNKNOWN_WORDS = 2
"""Maximum number of unknown words in a target field that is replaced as one name. Unknown words are on no word list. A
higher limit would be unsafe, because no German word list is complete."""


class RecordSpans(NamedTuple):
    spans_by_text: list[list[DetectedSpan]]
    """Spans to replace in each text, each with the spelling of its value."""
    split_spans: set[DetectedSpan]
    """Detected spans that are replaced in several pieces, each with the spelling of its whole value."""


def propagate_spans(
    texts: Sequence[str], found: Sequence[Sequence[DetectedSpan]], declared: Sequence[DetectedSpan] = ()
) -> RecordSpans:
    """Return the spans to replace in each text of a record.

    Args:
        texts: Texts of the record, the target last.
        found: Detected spans of each text, sorted and without overlaps.
        declared: Spans of the target that the source's owner declares personal. They take precedence over detected
            spans, and their values are replaced in every text, even if they are ordinary words.
    """
    *before, target = found
    found = [*before, merge_spans(declared, target)]
    if not any(found):
        return RecordSpans([list(finds) for finds in found], set())
    record, apart = _Record([RecordText(text) for text in texts], found, declared), dict[DetectedValue, None]()
    for _ in range(MAX_ROUNDS):
        known = len(record.values)
        placed = record.spans_to_replace(apart)
        record.register_name_fields(placed[-1])
        wanted = [*record.values_only_in_target(placed), *record.fields_within_spans(placed)]
        new = dict.fromkeys(value for value in wanted if value not in apart)
        if not new and len(record.values) == known:
            break
        apart |= new
    return RecordSpans(placed, record.split_spans(placed))


class _Record:
    def __init__(
        self, texts: Sequence[RecordText], found: Sequence[Sequence[DetectedSpan]], said: Iterable[DetectedSpan]
    ) -> None:
        self._texts = texts
        sure = (
            DetectedValue.from_spelling(it.category, texts[-1].decoded_part(it.start, it.end)).as_declared
            for it in said
        )
        self.values: dict[tuple[str, ...], DetectedValue] = {value.comparison_key: value for value in sure}
        """Values by key. If two categories have the same words, the category detected first counts."""
        self._found = [
            [self._register_value(text, find) for find in drop_leftovers(text, finds)]
            for text, finds in zip(texts, found, strict=True)
        ]

    def spans_to_replace(self, preferred_values: Collection[DetectedValue]) -> list[list[DetectedSpan]]:
        """Return the spans to replace in each text, and register pieces of split spans as values.

        Values in `preferred_values` take precedence over longer values that contain them.
        """
        first, every = ValueIndex(preferred_values), ValueIndex(list(self.values.values()))
        return [
            self._choose_spans(text, list(first.find_occurrences(text)), [*found, *every.find_occurrences(text)])
            for text, found in zip(self._texts, self._found, strict=True)
        ]

    def values_only_in_target(self, placed: Sequence[Sequence[DetectedSpan]]) -> list[DetectedValue]:
        *before, target = (
            {self.values[DetectedValue.from_spelling(it.category, it.spelling or "").comparison_key] for it in each}
            for each in placed
        )
        return sorted(target.difference(*before))

    def register_name_fields(self, placed: Sequence[DetectedSpan]) -> None:
        """Register as one name each target field that consists of a name and of words on no word list."""
        target = self._texts[-1]
        names = [it for it in placed if it.category == "name"]
        for start, end in target.field_spans():
            first = bisect_left(names, start, key=lambda it: it.start)
            inside = [it for it in names[first : first + MAX_FIELD_WORDS] if it.end <= end]
            left = words_outside(target, DetectedSpan(start, end, "name"), inside)
            if inside and 0 < len(left) <= MAX_UNKNOWN_WORDS and all(map(is_unknown_word, left)):
                self._register_value(target, DetectedSpan(start, end, "name"))

    def fields_within_spans(self, placed: Sequence[Sequence[DetectedSpan]]) -> list[DetectedValue]:
        """Return target fields that have no span to replace, but are part of a replaced span of the prompt.

        Fields of ordinary words are left out: a label such as "top up" is not a name.
        """
        *before, own = placed
        target = self._texts[-1]
        free = [span for span in target.field_spans() if not overlaps_any(span, own)]
        fields = [DetectedValue.from_spelling("name", target.decoded_part(*span)) for span in free]
        sought = ValueIndex([value for value in fields if len(value.words) <= MAX_FIELD_WORDS and not value.common])
        found = []
        for text, stretches in zip(self._texts, before, strict=False):
            for it in sought.find_occurrences(text):
                if (around := enclosing_span(it, stretches)) is not None:
                    value = DetectedValue.from_spelling(around.category, it.spelling or "")
                    found.append(self.values.setdefault(value.comparison_key, value))
        return found

    def split_spans(self, placed: Sequence[Sequence[DetectedSpan]]) -> set[DetectedSpan]:
        return {
            find
            for found, stretches in zip(self._found, placed, strict=True)
            for find in found
            if enclosing_span(find, stretches) is None
        }

    def _register_value(self, text: RecordText, find: DetectedSpan) -> DetectedSpan:
        value = DetectedValue.from_spelling(find.category, text.decoded_part(find.start, find.end))
        value = self.values.setdefault(value.comparison_key, value)
        return find._replace(category=value.category, spelling=value.spelling)

    def _choose_spans(
        self, text: RecordText, first: list[DetectedSpan], others: list[DetectedSpan]
    ) -> list[DetectedSpan]:
        whole = {*first, *others}
        placed: list[DetectedSpan] = []
        for stretch in merge_spans(list(remove_overlaps(first)), list(remove_overlaps(others))):
            placed += (
                [stretch]
                if stretch in whole
                else [self._register_value(text, piece) for piece in replaceable_part(text, stretch)]
            )
        return placed
