"""Search for personal data in labels, such as department and tags.

Labels have no sentence around them that explains a number or a name. So a long number counts as an account number, and
a given name next to a family name counts as a person, even in lower case.
"""

import re
from functools import lru_cache
from itertools import pairwise

from tasks.stages.data.protect.detected_span import DetectedSpan, merge_spans
from tasks.stages.data.protect.json_spans import to_original_spans
from tasks.stages.data.protect.recognisers.fold import fold_text
from tasks.stages.data.protect.recognisers.names import lists
from tasks.stages.data.protect.recognisers.span import Span
from tasks.stages.data.protect.spans import remove_overlaps
from tasks.stages.data.protect.words import RecordText

GEOGRAPHY = "geography"
"""Name of the label that is not searched for people's names, because many place names look like people's names, for
example Santa Clara."""
LABEL_WORD = re.compile(r"[^\W\d_]+")
LONG_NUMBER = re.compile(r"(?<!\w)[^\W\d_]{0,4}[-_/ ]?\d(?:[-_/. ]?\d){5,}\w*")
"""Pattern of a number of six or more digits, grouped or not, with up to four letters before it, such as P1234567."""


@lru_cache(maxsize=65_536)
def find_in_label(label: str, people: bool = True) -> tuple[DetectedSpan, ...]:
    """Find long numbers and names in a label, where they count as personal even without capitals or a cue.

    The label is searched with and without its zero-width characters, which may be within a word or between two words.
    """
    text = RecordText(label)
    folded = fold_text(text.decoded.text)
    spans = [folded.to_original(Span(it.start, it.end, it.category, 1)) for it in _detect_in_label(folded.text, people)]
    found = [DetectedSpan(it.start, it.end, it.kind) for it in spans]  # type: ignore[arg-type]
    found = merge_spans(found, _detect_in_label(text.decoded.text, people)) if folded.removed_offsets else found
    return tuple(to_original_spans(text, found))


def _detect_in_label(label: str, people: bool) -> list[DetectedSpan]:
    numbers = [DetectedSpan(match.start(), match.end(), "account") for match in LONG_NUMBER.finditer(label)]
    names = [
        DetectedSpan(first.start(), second.end(), "name")
        for first, second in pairwise(LABEL_WORD.finditer(label) if people else ())
        if _is_name(first[0].casefold(), second[0].casefold())
    ]
    return merge_spans(numbers, list(remove_overlaps(names)))


def _is_name(first: str, second: str) -> bool:
    known = lists.given_names(), lists.family_names(), lists.common_family_names()
    return (first in known[0] and any(second in names for names in known)) or (
        second in known[0] and any(first in names for names in known)
    )
