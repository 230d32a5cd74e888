"""International bank account numbers (ISO 13616), with any grouping, in upper or lower case, on one line or several."""

import re

from tasks.stages.data.protect.recognisers.numbers.check_digits import IBAN_LENGTHS, is_valid_iban
from tasks.stages.data.protect.recognisers.span import Span

IBAN_HEAD = re.compile(r"(?<![A-Za-z0-9])[A-Za-z]{2}[ \n-]?\d[ ]?\d(?=[\s.\-]{0,3}[A-Za-z0-9])")
NEXT_IBAN_CHARACTER = re.compile(r"[\s.\-]{0,3}[A-Za-z0-9]")
IBAN_NAME_BEFORE = re.compile(r"(?i)\biban\b[^\n]{0,20}$")


def find_ibans(text: str) -> list[Span]:
    """Find IBANs.

    Scores: 1.0 for valid check digits, .92 for invalid ones after the word "IBAN", because a mistyped IBAN is personal
    data too.
    """
    spans = []
    for head in IBAN_HEAD.finditer(text):
        country = text[head.start() : head.start() + 2].upper()
        if country not in IBAN_LENGTHS:
            continue
        end, compact = _read_iban(text, head.start(), head.end(), IBAN_LENGTHS[country])
        if not _is_grouped(text[head.start() : end]):
            continue
        if is_valid_iban(compact):
            spans.append(Span(head.start(), end, "IBAN_CODE", 1.0))
        elif sum(c.isdigit() for c in compact) >= 8 and IBAN_NAME_BEFORE.search(
            text, max(0, head.start() - 30), head.start()
        ):
            spans.append(Span(head.start(), end, "IBAN_CODE", 0.92))
    return spans


def _is_grouped(text: str) -> bool:
    """Return whether every group of characters except the second ("GB29 NWBK …") has a digit.

    Without this rule, ordinary sentences would match, because one string in 97 passes MOD 97 by chance.
    """
    others = re.split(r"[\s.\-]+", text)[1:]
    if any(not _has_digit(group) for group in others[1:]):
        return False
    return not others or len(others[0]) <= 4 or others[0].isupper() or _has_digit(others[0])


def _has_digit(group: str) -> bool:
    return any(letter.isdigit() for letter in group)


def _read_iban(text: str, start: int, at: int, length: int) -> tuple[int, str]:
    compact = [c for c in text[start:at] if c.isalnum()]
    while len(compact) < length and (step := NEXT_IBAN_CHARACTER.match(text, at)):
        at = step.end()
        compact.append(text[at - 1])
    return at, "".join(compact).upper()
