"""What of a text is measured: its letters and digits, caseless, without version markers, dates, what stands in place
of personal data (`tasks.stages.data.protect`), and the courtesies before and behind a message.

A form finds what is alike, and keeps it on one side of the split; whether two texts of one form say the same is for
`tells_apart` to say. Prompts with the same `conversations.prompt_keys` always have the same form, since both are of
evenly spaced text.
"""

import re
from collections.abc import Iterable, Sequence
from functools import lru_cache

import pyarrow as pa
import pyarrow.compute as pc

from tasks.stages.data.deduplicate.near.lists.words import read
from tasks.stages.data.deduplicate.near.markers import DATE, MARKER, said
from tasks.stages.data.protect.placeholders import PATTERN

MASKED = f"{MARKER}|{DATE}|{PATTERN}"
SALUTATION = r"^(?:hello|hi|hey|dear|good|to whom|hallo|guten|sehr|liebe[rs]?|moin)\b[^,!.?;:]{0,40}[,!]"
"""Whom a text addresses, and how it is mistyped, makes it no less alike."""
APART = r"[^\p{L}\p{M}\p{N}]"
UMLAUTS = {"ae": "ä", "oe": "ö", "ue": "ü"}
BETWEEN = rf"{APART}*[^\p{{L}}\p{{M}}\p{{N}} ]{APART}*|  +"
"""What stands between words, but for a single space: putting one there for itself takes five times as long."""


def even(texts: Iterable[str]) -> pa.Array:
    """Casefolded, with one blank between words. Arrow has lower case only; ß and SS must meet."""
    return pa.array([" ".join(text.casefold().split()) for text in texts], pa.large_string())


def forms(texts: pa.Array) -> pa.Array:
    """Of texts that `even` has made; empty where a text has neither letter nor digit, or nothing but markers."""
    matter = _words(pc.replace_substring_regex(texts, SALUTATION, ""))
    for around in (rf"^(?:(?:{_courtesies()})(?: |$))+", rf"(?:(?:^| )(?:{_courtesies()}))+$"):
        matter = pc.replace_substring_regex(matter, around, "")
    nothing = pc.equal(matter, "")
    return pc.if_else(nothing, _words(texts), matter) if pc.any(nothing).as_py() else matter


def _words(texts: pa.Array) -> pa.Array:
    masked = pc.replace_substring_regex(texts, MASKED, " ")
    return pc.utf8_trim_whitespace(pc.replace_substring_regex(masked, BETWEEN, " "))


@lru_cache(maxsize=1)
def _courtesies() -> str:
    """As a pattern; forms have umlauts, the list has not."""
    longest_first = sorted(read("courtesy"), key=lambda phrase: (-len(phrase), phrase))
    return "|".join(re.sub("[aou]e", lambda match: f"(?:{match[0]}|{UMLAUTS[match[0]]})", p) for p in longest_first)


def may_say_edition(texts: pa.Array, words: Sequence[str] = ()) -> pa.Array:
    """Whether it is worth asking `editions` of a text that `even` has made; `words` are an owner's own."""
    own = f"|{said(words, f'{DATE}|[0-9]')}" if words else ""
    return pc.match_substring_regex(texts, f"{MARKER}{own}")
