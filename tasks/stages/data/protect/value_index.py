"""Search for detected values in the texts of a record."""

from array import array
from collections.abc import Collection, Iterator

from tasks.stages.data.protect.aho_corasick import AhoCorasick
from tasks.stages.data.protect.detected_span import DetectedSpan
from tasks.stages.data.protect.values import DetectedValue
from tasks.stages.data.protect.words import RecordText


class ValueIndex:
    def __init__(self, values: Collection[DetectedValue]) -> None:
        spelled = {words: value for value in values for words in value.word_sequences}
        self._values = list(spelled.values())
        self._finder = AhoCorasick(spelled)
        self._lengths = [len(words) for words in spelled]

    def find_occurrences(self, text: RecordText) -> Iterator[DetectedSpan]:
        """Yield the occurrences of values in a text. Of those that end at the same word, only the longest is yielded.

        Occurrences may overlap.
        """
        if not self._values:
            return
        words, starts, ends, names_field = text.words(), array("q"), array("q"), array("b")

        def read() -> Iterator[str]:
            for word in words:
                starts.append(word.start)
                ends.append(word.end)
                names_field.append(word.names_field)
                yield word.plain

        for last, sequence in self._finder.find_matches(read()):
            value, first = self._values[sequence], last - self._lengths[sequence] + 1
            if (value.is_searched_in_field_names or not names_field[last]) and value.matches_at(
                text, starts[first], ends[last]
            ):
                yield DetectedSpan(starts[first], ends[last], value.category, value.spelling)
