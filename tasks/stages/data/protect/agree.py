"""What was found in one text of a record is found in all of them, as one value with one token.

A recogniser sees one text, and the same name stands otherwise in another: "melody by hanna sjedokowa" has "hanna" found
behind "by", and {"artist": "hanna sjedokowa"} nothing. A target with a placeholder that its prompt lacks cannot be
learned, and what is left of the name can be read. So each value is looked for in all texts of its record:

- Of two that stand at one place the longer is there: "hanna sjedokowa", in both texts, if one of them had it whole.
- A value of the target that stands in the prompt within a longer one alone parts that one, in both texts: the prompt
  has "anna schmidt", the target "Dear Ms Schmidt", so both have "schmidt", and the prompt has "anna" beside it.
  The record stays findable by the whole (`Agreed.parted`). So does a field of the target that is a part of one.
- A field of the target that is a name and words that nothing explains is a name as a whole.
- Nothing that was found becomes readable, but ordinary words that a rule took into a name by mistake (`is_ordinary`).

Takes time linear in the texts, and depends on nothing but the record.
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
"""A value that is parted leaves pieces, which are values that others may have to be parted for; seldom more than twice.
What still disagrees then is counted at the data gate."""

MOST_WORDS = 6
"""Of a field of the target that may be a name: as many as recognisers take for one."""
MOST_UNEXPLAINED = 2
"""Words that nothing explains beside a name in its field: German has no list that is long enough for more."""


class Agreed(NamedTuple):
    texts: list[list[Stretch]]
    """What to replace in each text, with the spelling of each value."""
    parted: set[Stretch]
    """Finds that are replaced in pieces, with their spelling."""


def agree(texts: Sequence[str], found: Sequence[Sequence[Stretch]], said: Sequence[Stretch] = ()) -> Agreed:
    """The finds of a record's texts, the target's last, each sorted and without overlaps.

    `said` is what the source's owner says of the target: it goes before what was found, and counts as a value wherever
    it is spelled so, though it may be an ordinary word.
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
    """The texts of a record, and every value that is known of it."""

    def __init__(self, texts: Sequence[Text], found: Sequence[Sequence[Stretch]], said: Iterable[Stretch]) -> None:
        self._texts = texts
        sure = (Value.of(it.category, texts[-1].spelled(it.start, it.end)).surely for it in said)
        self.values: dict[tuple[str, ...], Value] = {value.key: value for value in sure}
        """By their words; if two classes have the same words, the class that came first."""
        self._found = [
            [self._known(text, find) for find in trimmed(text.text, finds)]
            for text, finds in zip(texts, found, strict=True)
        ]

    def placed(self, apart: Collection[Value]) -> list[list[Stretch]]:
        """What to replace in each text. Values in `apart` go before longer ones. Pieces of finds become values."""
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
        """Take fields of the target up as names that begin or end with one, if nothing explains their other words."""
        target = self._texts[-1]
        names = [it for it in placed if it.category == "name"]
        for start, end in target.fields():
            first = bisect_left(names, start, key=lambda it: it.start)
            inside = [it for it in names[first : first + MOST_WORDS] if it.end <= end]
            left = words_beside(target.text, Stretch(start, end, "name"), inside)
            if inside and 0 < len(left) <= MOST_UNEXPLAINED and all(map(is_unexplained, left)):
                self._known(target, Stretch(start, end, "name"))

    def fields_within(self, placed: Sequence[Sequence[Stretch]]) -> list[Value]:
        """Fields of the target of which nothing is replaced, and that are part of what is replaced in the prompt. Those
        of ordinary words stay: a label such as "top up" is nobody's name."""
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
        """Finds of which no stretch has the whole."""
        return {
            find
            for found, stretches in zip(self._found, placed, strict=True)
            for find in found
            if one_around(find, stretches) is None
        }

    def _known(self, text: Text, find: Stretch) -> Stretch:
        """The find, as the value that its words are."""
        value = Value.of(find.category, text.spelled(find.start, find.end))
        value = self.values.setdefault(value.key, value)
        return find._replace(category=value.category, spelling=value.spelling)

    def _placed(self, text: Text, first: list[Stretch], others: list[Stretch]) -> list[Stretch]:
        whole = {*first, *others}
        placed: list[Stretch] = []
        for stretch in merged(list(swept(first)), list(swept(others))):
            placed += [stretch] if stretch in whole else [self._known(text, piece) for piece in rest(text, stretch)]
        return placed
