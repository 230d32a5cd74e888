"""Consistent replacement: a value detected in one text of a record is replaced in all of them, with one token.

A recogniser reads one text at a time, and the same name may be recognised in one text and missed in another. In "melody
by hanna sjedokowa" it finds "hanna", because of the word "by"; in {"artist": "hanna sjedokowa"} it finds nothing. The
model cannot learn a target with a placeholder that the prompt lacks, and the rest of the name stays readable. So each
value is searched for in all texts of its record:

- Of two values that overlap, the longer is replaced: "hanna sjedokowa" in both texts, if it was detected whole in one.
- A longer value of the prompt is split if the target contains only a part of it. If the prompt has "anna schmidt" and
  the target "Dear Ms Schmidt", then "schmidt" is replaced in both, and "anna" on its own in the prompt. The subjects of
  the record still include the whole name (`Agreed.parted`). A field of the target that is part of a longer value splits
  that value in the same way.
- A field of the target that consists of a name and of words on no word list is replaced as one name.
- Everything detected is replaced, except ordinary words that a rule included in a name by mistake (`is_ordinary`).

The time is linear in the length of the texts. The result depends on the record alone.
"""

from bisect import bisect_left
from collections.abc import Collection, Iterable, Sequence
from typing import NamedTuple

from tasks.stages.data.protect.pieces import one_around, rest, swept, touches, trimmed, words_beside
from tasks.stages.data.protect.sought import Sought
from tasks.stages.data.protect.stretch import Stretch, merged
from tasks.stages.data.protect.telling import Value, is_unexplained
from tasks.stages.data.protect.words import Text

ROUNDS = 4
"""Maximum number of rounds. Splitting a value yields new values, for which others may have to be split; more than two
rounds are rarely needed. The data gate counts the targets that then still have a placeholder which their prompt
lacks."""

MOST_WORDS = 6
"""Maximum number of words in a field of the target that is treated as a name; recognisers have the same limit."""
MOST_UNEXPLAINED = 2
"""Maximum number of words on no word list that a field may have beside a name. More would be unsafe, since no German
word list is long enough."""


class Agreed(NamedTuple):
    texts: list[list[Stretch]]
    """Spans to replace in each text, each with the spelling of its value."""
    parted: set[Stretch]
    """Detected spans that are replaced in several pieces, each with the spelling of the whole."""


def agree(texts: Sequence[str], found: Sequence[Sequence[Stretch]], said: Sequence[Stretch] = ()) -> Agreed:
    """Return the spans to replace in each text of a record.

    Args:
        texts: Texts of the record, the target last.
        found: Detected spans of each text, sorted and without overlaps.
        said: Spans of the target that the source's owner declares personal. They take precedence over detected spans,
            and their values are replaced in every text, even if they are ordinary words.
    """
    *before, target = found
    found = [*before, merged(said, target)]
    if not any(found):
        return Agreed([list(finds) for finds in found], set())
    record, apart = _Record([Text.of(text) for text in texts], found, said), dict[Value, None]()
    for _ in range(ROUNDS):
        known = len(record.values)
        placed = record.placed(apart)
        record.name_fields(placed[-1])
        wanted = [*record.only_in_target(placed), *record.fields_within(placed)]
        new = dict.fromkeys(value for value in wanted if value not in apart)
        if not new and len(record.values) == known:
            break
        apart |= new
    return Agreed(placed, record.parted(placed))


class _Record:
    def __init__(self, texts: Sequence[Text], found: Sequence[Sequence[Stretch]], said: Iterable[Stretch]) -> None:
        self._texts = texts
        sure = (Value.of(it.category, texts[-1].spelled(it.start, it.end)).surely for it in said)
        self.values: dict[tuple[str, ...], Value] = {value.key: value for value in sure}
        """Values by `Value.key`. If two classes have the same words, the class detected first counts."""
        self._found = [
            [self._known(text, find) for find in trimmed(text.text, finds)]
            for text, finds in zip(texts, found, strict=True)
        ]

    def placed(self, apart: Collection[Value]) -> list[list[Stretch]]:
        """Return the spans to replace in each text, and register pieces of split spans as values.

        Values in `apart` take precedence over longer ones that contain them.
        """
        first, every = Sought(apart), Sought(list(self.values.values()))
        return [
            self._placed(text, list(first.in_text(text)), [*found, *every.in_text(text)])
            for text, found in zip(self._texts, self._found, strict=True)
        ]

    def only_in_target(self, placed: Sequence[Sequence[Stretch]]) -> list[Value]:
        *before, target = (
            {self.values[Value.of(it.category, it.spelling or "").key] for it in each} for each in placed
        )
        return sorted(target.difference(*before))

    def name_fields(self, placed: Sequence[Stretch]) -> None:
        """Register fields of the target as names if they contain a name and otherwise only words on no word list."""
        target = self._texts[-1]
        names = [it for it in placed if it.category == "name"]
        for start, end in target.fields():
            first = bisect_left(names, start, key=lambda it: it.start)
            inside = [it for it in names[first : first + MOST_WORDS] if it.end <= end]
            left = words_beside(target.text, Stretch(start, end, "name"), inside)
            if inside and 0 < len(left) <= MOST_UNEXPLAINED and all(map(is_unexplained, left)):
                self._known(target, Stretch(start, end, "name"))

    def fields_within(self, placed: Sequence[Sequence[Stretch]]) -> list[Value]:
        """Return fields of the target that have no span to replace, but are part of a replaced span of the prompt.

        Fields of ordinary words are left out: a label such as "top up" is not a name.
        """
        *before, own = placed
        target = self._texts[-1]
        free = [span for span in target.fields() if not touches(span, own)]
        fields = [Value.of("name", target.spelled(*span)) for span in free]
        sought = Sought([value for value in fields if len(value.words) <= MOST_WORDS and not value.common])
        found = []
        for text, stretches in zip(self._texts, before, strict=False):
            for it in sought.in_text(text):
                if (around := one_around(it, stretches)) is not None:
                    value = Value.of(around.category, it.spelling or "")
                    found.append(self.values.setdefault(value.key, value))
        return found

    def parted(self, placed: Sequence[Sequence[Stretch]]) -> set[Stretch]:
        return {
            find
            for found, stretches in zip(self._found, placed, strict=True)
            for find in found
            if one_around(find, stretches) is None
        }

    def _known(self, text: Text, find: Stretch) -> Stretch:
        """Register the value of a span, and return the span with the class and spelling of the registered value."""
        value = Value.of(find.category, text.spelled(find.start, find.end))
        value = self.values.setdefault(value.key, value)
        return find._replace(category=value.category, spelling=value.spelling)

    def _placed(self, text: Text, first: list[Stretch], others: list[Stretch]) -> list[Stretch]:
        whole = {*first, *others}
        placed: list[Stretch] = []
        for stretch in merged(list(swept(first)), list(swept(others))):
            placed += [stretch] if stretch in whole else [self._known(text, piece) for piece in rest(text, stretch)]
        return placed
