"""What of a text is compared: its letters and digits, caseless, without version markers, dates, and what stands in
place of personal data (`tasks.data.protect`): whom a text is about makes it no other text.

Texts that differ only in the rest have the same form, so they count as near-identical whatever the threshold. Prompts
with the same `conversations.prompt_keys` always have the same form.
"""

from collections.abc import Iterable

import pyarrow as pa
import pyarrow.compute as pc

from tasks.data.near.markers import DATE, MARKER

PROTECTED = r"\[[a-z_]+(?::[^\]\s]{1,40})?\]"
MASKED = f"{MARKER}|{DATE}|{PROTECTED}"
APART = r"[^\p{L}\p{M}\p{N}]"
BETWEEN = rf"{APART}*[^\p{{L}}\p{{M}}\p{{N}} ]{APART}*|  +"
"""What stands between words, but for a single space: putting one there for itself takes five times as long."""


def casefold(texts: Iterable[str]) -> pa.Array:
    """Arrow has lower case only; ß and SS must meet."""
    return pa.array([text.casefold() for text in texts], pa.large_string())


def forms(casefolded: pa.Array) -> pa.Array:
    """The forms; empty where a text has neither letter nor digit, or nothing but markers."""
    masked = pc.replace_substring_regex(casefolded, MASKED, " ")
    return pc.utf8_trim_whitespace(pc.replace_substring_regex(masked, BETWEEN, " "))


def has_marker(casefolded: pa.Array) -> pa.Array:
    """Whether a text says which version it is, or what it replaces."""
    return pc.match_substring_regex(casefolded, MARKER)
