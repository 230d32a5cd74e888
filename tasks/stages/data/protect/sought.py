"""Search for detected values in the texts of a record."""

from array import array
from collections.abc import Collection, Iterator

from tasks.stages.data.protect.sequences import Finder
from tasks.stages.data.protect.stretch import Stretch
from tasks.stages.data.protect.telling import Value
from tasks.stages.data.protect.words import Text


class Sought:
    """Index of values by the sequences of words for which a text is searched."""

    def __init__(self, values: Collection[Value]) -> None:
        spelled = {words: value for value in values for words in value.ways}
        self._values = list(spelled.values())
        self._finder = Finder(spelled)
        self._lengths = [len(words) for words in spelled]

    def in_text(self, text: Text) -> Iterator[Stretch]:
        """Yield the occurrences of values in a text: of those that end at the same word, the longest.

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

        for last, sequence in self._finder.ends(read()):
            value, first = self._values[sequence], last - self._lengths[sequence] + 1
            if (value.may_name_field or not names_field[last]) and value.is_at(text, starts[first], ends[last]):
                yield Stretch(starts[first], ends[last], value.category, value.spelling)
