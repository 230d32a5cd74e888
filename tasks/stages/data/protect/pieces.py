"""Stretches of one text beside and within each other. Sorted ones stay sorted, and everything is linear in them."""

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence

from tasks.stages.data.protect.stretch import Stretch, merged
from tasks.stages.data.protect.telling import is_ordinary
from tasks.stages.data.protect.words import Text


def swept(stretches: Iterable[Stretch]) -> Iterator[Stretch]:
    """Without overlaps: of two the longer at one place, then the earlier, and what the other covers beyond it."""
    end = 0
    for stretch in sorted(stretches, key=lambda stretch: (stretch.start, -stretch.end)):
        if stretch.end > end:
            yield stretch._replace(start=max(end, stretch.start))
            end = stretch.end


def rest(text: Text, piece: Stretch) -> Iterator[Stretch]:
    """What has to go of a piece of a find: from its first word to its last, if they say anything."""
    there = text.text[piece.start : piece.end]
    found = [word for word in text._replace(text=there).words() if any(map(str.isalnum, word.plain))]
    if found and not is_ordinary(piece.category, there):
        yield Stretch(piece.start + found[0].start, piece.start + found[-1].end, piece.category)


def trimmed(text: str, finds: Iterable[Stretch]) -> Iterator[Stretch]:
    """Finds without the white space at their ends, and without ordinary words that another find has left over.

    A recogniser keeps what one of two finds covers beyond the other: it begins where the other ends.
    """
    end, category = -1, ""
    for find in finds:
        there = text[find.start : find.end]
        left_over = find.start == end and find.category == category
        end, category = find.end, find.category
        if not there.strip():
            continue
        if not (left_over and is_ordinary(find.category, there)):
            ahead, behind = len(there) - len(there.lstrip()), len(there) - len(there.rstrip())
            yield find._replace(start=find.start + ahead, end=find.end - behind)


def words_beside(text: str, whole: Stretch, inside: Sequence[Stretch]) -> list[str]:
    """The words of a stretch beside those inside of it."""
    return [
        word for left in merged(inside, [whole]) if left not in inside for word in text[left.start : left.end].split()
    ]


def one_around(find: Stretch, stretches: Sequence[Stretch]) -> Stretch | None:
    """The one of the stretches that a find lies within."""
    place = bisect_right(stretches, find.start, key=lambda stretch: stretch.start) - 1
    return stretches[place] if place >= 0 and stretches[place].end >= find.end else None


def touches(span: tuple[int, int], stretches: Sequence[Stretch]) -> bool:
    place = bisect_right(stretches, span[0], key=lambda stretch: stretch.end)
    return place < len(stretches) and stretches[place].start < span[1]
