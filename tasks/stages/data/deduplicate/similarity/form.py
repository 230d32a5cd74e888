"""Normalised form of a text, on which similarity is measured: its letters and digits, casefolded.

The normalised text has no version markers, no dates, no placeholders of personal data (`tasks.stages.data.protect`),
and no courtesy phrases at both ends of a message. Prompts with similar normalised texts are in one partition;
`equality.py` decides whether they say the same. Prompts with the same prompt key always have the same normalised text,
because both are derived from text with normalised spaces.
"""

import re
from collections.abc import Iterable, Sequence
from functools import lru_cache

import pyarrow as pa
import pyarrow.compute as pc

from tasks.stages.data.deduplicate.similarity.lists.words import read_list
from tasks.stages.data.deduplicate.similarity.markers import DATE, EDITION_MARKER, edition_pattern
from tasks.stages.data.protect.placeholders import PLACEHOLDER_PATTERN
from tasks.stages.data.protect.recognisers.fold import fold_text

IGNORED_PATTERN = f"{EDITION_MARKER}|{DATE}|{PLACEHOLDER_PATTERN}"
SALUTATION = r"^(?:hello|hi|hey|dear|good|to whom|hallo|guten|sehr|liebe[rs]?|moin)\b[^,!.?;:]{0,40}[,!]"
"""Pattern of a salutation with a name. Normalised texts do not contain the salutation, because the name may be
mistyped."""
NON_WORD = r"[^\p{L}\p{M}\p{N}]"
UMLAUTS = {"ae": "ä", "oe": "ö", "ue": "ü"}
WORD_SEPARATOR = rf"{NON_WORD}*[^\p{{L}}\p{{M}}\p{{N}} ]{NON_WORD}*|  +"
"""Pattern of the characters between words, except a single space. Replacing single spaces as well would take five times
as long."""


def casefold_texts(texts: Iterable[str]) -> pa.Array:
    """Casefold texts and normalise their spaces and characters. Arrow only converts to lower case, but ß must equal SS.

    Characters that nobody sees are removed, and letters of other scripts that look like Latin ones become these, so
    that a copy with such characters is near-identical to its original.
    """
    return pa.array([" ".join(fold_text(text).text.casefold().split()) for text in texts], pa.large_string())


def normalise_for_similarity(texts: pa.Array) -> pa.Array:
    """Return the normalised texts on which similarity is measured, given casefolded texts.

    A normalised text is empty if the text has neither letters nor digits, or nothing except dates and versions.
    """
    matter = _remove_ignored_parts(pc.replace_substring_regex(texts, SALUTATION, ""))
    for around in (rf"^(?:(?:{_courtesy_pattern()})(?: |$))+", rf"(?:(?:^| )(?:{_courtesy_pattern()}))+$"):
        matter = pc.replace_substring_regex(matter, around, "")
    nothing = pc.equal(matter, "")
    return pc.if_else(nothing, _remove_ignored_parts(texts), matter) if pc.any(nothing).as_py() else matter


def _remove_ignored_parts(texts: pa.Array) -> pa.Array:
    masked = pc.replace_substring_regex(texts, IGNORED_PATTERN, " ")
    return pc.utf8_trim_whitespace(pc.replace_substring_regex(masked, WORD_SEPARATOR, " "))


@lru_cache(maxsize=1)
def _courtesy_pattern() -> str:
    """Return a pattern of the courtesy phrases that also matches umlauts, which the list spells as ae, oe and ue."""
    longest_first = sorted(read_list("courtesy"), key=lambda phrase: (-len(phrase), phrase))
    return "|".join(re.sub("[aou]e", lambda match: f"(?:{match[0]}|{UMLAUTS[match[0]]})", p) for p in longest_first)


def may_state_edition(texts: pa.Array, words: Sequence[str] = ()) -> pa.Array:
    """Return whether each casefolded text may state an edition.

    This check is faster than `editions.parse_edition`. `words` are additional words, declared by the owner, that state
    an edition if a date or number follows.
    """
    own = f"|{edition_pattern(words, f'{DATE}|[0-9]')}" if words else ""
    return pc.match_substring_regex(texts, f"{EDITION_MARKER}{own}")
