"""Payment cards: numbers of 12 to 19 digits in issued ranges with a valid check digit, security codes, expiry dates."""

import re

from tasks.stages.data.protect.recognisers.alternation import alternation
from tasks.stages.data.protect.recognisers.numbers.check_digits import is_valid_luhn
from tasks.stages.data.protect.recognisers.span import Span

DIGIT_RUN = re.compile(r"(?<![\d.,+])(?:\d[ \t\n./*_-]{0,3}){11,18}\d(?!\d)")
ISSUER_PREFIX = re.compile(r"3[0-9]|4|5[0-9]|6[0-9]|2[2-7]|1800|2131|0604")
"""Pattern of the first digits of issued cards (ISO/IEC 7812): American Express, Diners, JCB, Visa, Mastercard,
Maestro, Discover, UnionPay."""
CARD_NAMES = alternation(
    r"card, visa, master ?card, amex, american express, maestro, karte, kreditkarte\w*, kartennummer, cc"
)
CARD_NAME = re.compile(rf"(?i)\b{CARD_NAMES}\b")
SECURITY_CODE_NAMES = alternation("cvv2?, cvc2?, cid, security code, prüfziffer, kartenprüfnummer")
EXPIRY_NAMES = alternation(r"expir\w{0,4}, exp, valid (?:thru|until|to), gültig bis, ablaufdatum")
CARD_DETAIL = re.compile(
    rf"(?i)\b{SECURITY_CODE_NAMES}\b[^\d\n]{{0,12}}(?P<cvv>\d{{3,4}})(?!\d)"
    rf"|\b{EXPIRY_NAMES}\b[^\d\n]{{0,12}}(?P<until>(?:0?[1-9]|1[0-2]) ?[/.-] ?(?:20)?\d\d)(?!\d)"
)


def find_cards(text: str) -> list[Span]:
    """Find payment cards.

    Scores: 1.0 for a number with a valid check digit, .75 for a number with an invalid one if the text mentions a card
    in the 60 characters before it, .8 for security codes and expiry dates. A valid number of 12 digits without
    separators has score .6, unless the text mentions a card before it.
    """
    spans = []
    for run in DIGIT_RUN.finditer(text):
        length = _card_length(run.group())
        named = CARD_NAME.search(text, max(0, run.start() - 60), run.start())
        if length:
            sure = length > 12 or named
            spans.append(Span(run.start(), run.start() + length, "CREDIT_CARD", 1.0 if sure else 0.6))
        elif named and sum(c.isdigit() for c in run.group()) > 12:
            spans.append(Span(run.start(), run.end(), "CREDIT_CARD", 0.75))
    if spans or CARD_NAME.search(text):
        spans += [Span(*m.span("cvv" if m["cvv"] else "until"), "CARD_DETAIL", 0.8) for m in CARD_DETAIL.finditer(text)]
    return spans


def _card_length(run: str) -> int:
    """Return the length in characters of the card number at the beginning of the run; 0 if there is none.

    Digits after a separator may be something else, such as an expiry date, so shorter numbers are tried too.
    """
    digits = [c for c in run if c.isdigit()]
    if not ISSUER_PREFIX.match("".join(digits[:4])):
        return 0
    ends = [i + 1 for i, c in enumerate(run) if c.isdigit()]
    for n in range(len(digits), 11, -1):
        at_boundary = n == len(digits) or ends[n] - ends[n - 1] > 1
        if at_boundary and is_valid_luhn("".join(digits[:n])) and len(set(digits[:n])) > 1:
            return ends[n - 1]
    return 0
