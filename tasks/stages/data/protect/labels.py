"""Search for personal data in labels, such as department and tags.

Labels have no sentence around them that explains a number or a name. So a long number counts as an account number, and
a given name next to a family name counts as a person, even in lower case.
"""

import re
from functools import lru_cache
from itertools import pairwise

from tasks.stages.data.protect.detected_span import DetectedSpan, merge
from tasks.stages.data.protect.json_spans import in_original
from tasks.stages.data.protect.recognisers.fold import fold
from tasks.stages.data.protect.recognisers.names import lists
from tasks.stages.data.protect.recognisers.span import Span
from tasks.stages.data.protect.spans import without_overlaps
from tasks.stages.data.protect.words import Text

GEOGRAPHY = "geography"
"""Label that is not searched for people's names, because many place names look like them, such as Santa Clara."""
WORD = re.compile(r"[^\W\d_]+")
NUMBER = re.compile(r"(?<!\w)[^\W\d_]{0,4}[-_/ ]?\d(?:[-_/. ]?\d){5,}\w*")
"""Pattern of a number of six or more digits, grouped or not, with up to four letters before it, such as P1234567."""


@lru_cache(maxsize=65_536)
def find(label: str, people: bool = True) -> tuple[DetectedSpan, ...]:
    """Find long numbers and names in a label, where they count as personal even without capitals or a cue.

    The label is searched with and without its zero-width characters, which may be within a word or between two words.
    """
    text = Text(label)
    folded = fold(text.decoded.text)
    spans = [folded.to_original(Span(it.start, it.end, it.category, 1)) for it in _read(folded.text, people)]
    found = [DetectedSpan(it.start, it.end, it.kind) for it in spans]  # type: ignore[arg-type]
    found = merge(found, _read(text.decoded.text, people)) if folded.removed_offsets else found
    return tuple(in_original(text, found))


def _read(label: str, people: bool) -> list[DetectedSpan]:
    numbers = [DetectedSpan(match.start(), match.end(), "account") for match in NUMBER.finditer(label)]
    names = [
        DetectedSpan(first.start(), second.end(), "name")
        for first, second in pairwise(WORD.finditer(label) if people else ())
        if _is_name(first[0].casefold(), second[0].casefold())
    ]
    return merge(numbers, list(without_overlaps(names)))


def _is_name(first: str, second: str) -> bool:
    known = lists.given_names(), lists.family_names(), lists.common_family_names()
    return (first in known[0] and any(second in names for names in known)) or (
        second in known[0] and any(first in names for names in known)
    )
