"""What of a text is compared: its letters and digits, caseless, without version markers, dates, and what stands in
place of personal data (`tasks.data.protect`): whom a text is about makes it no other text.

Texts that differ only in the rest have the same form, so they count as near-identical whatever the threshold. Prompts
with the same `conversations.prompt_keys` always have the same form, since both are of evenly spaced text.
"""

from collections.abc import Iterable

import pyarrow as pa
import pyarrow.compute as pc

from tasks.data.near.markers import DATE, MARKER
from tasks.data.protect.placeholders import PATTERN

MASKED = f"{MARKER}|{DATE}|{PATTERN}"
APART = r"[^\p{L}\p{M}\p{N}]"
BETWEEN = rf"{APART}*[^\p{{L}}\p{{M}}\p{{N}} ]{APART}*|  +"
"""What stands between words, but for a single space: putting one there for itself takes five times as long."""


def even(texts: Iterable[str]) -> pa.Array:
    """Casefolded, with one blank between words. Arrow has lower case only; ß and SS must meet."""
    return pa.array([" ".join(text.casefold().split()) for text in texts], pa.large_string())


def forms(texts: pa.Array) -> pa.Array:
    """Of texts that `even` has made; empty where a text has neither letter nor digit, or nothing but markers."""
    masked = pc.replace_substring_regex(texts, MASKED, " ")
    return pc.utf8_trim_whitespace(pc.replace_substring_regex(masked, BETWEEN, " "))


def has_marker(texts: pa.Array) -> pa.Array:
    """Whether a text that `even` has made says which version it is, or what it replaces."""
    return pc.match_substring_regex(texts, MARKER)
