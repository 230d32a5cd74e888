"""E-mail addresses, roughly as in RFC 5321 and 6531.

They include addresses that are spelt out to hide them from machines: "anna ät web punkt de".
"""

import re

from tasks.stages.data.protect.recognisers.alternation import alternation
from tasks.stages.data.protect.recognisers.span import Span

LOCAL_PART = r"[\w.!#$%&'*+/=?^`{|}~-]{1,64}"
PLAIN_ADDRESS = re.compile(rf"(?<![\w.+%-]){LOCAL_PART}(?:@|%40)\n?(?:[\w-]{{1,63}}\.){{1,6}}[^\W\d_]{{2,24}}(?![\w])")
AT = r"(?:\s?@\s?|\s?[(\[{<]\s?(?:at|ät|@)\s?[)\]}>]\s?|\s(?:at|ät)\s)"
DOT = r"(?:\s?\.\s?|\s?[(\[{<]\s?(?:dot|punkt|\.)\s?[)\]}>]\s?|\s(?:dot|punkt)\s)"
WORDS = r"[\w-]{1,40}"
SPELT_OUT_ADDRESS = re.compile(
    rf"(?i)(?<![\w.])(?:{WORDS}{DOT}){{0,3}}{WORDS}{AT}(?:{WORDS}{DOT}){{1,3}}[a-z]{{2,10}}(?!\w)"
)
SPELLING_SIGNS = re.compile(r"(?i)[(\[{<]\s?(?:at|ät|@)\s?[)\]}>]|\s@|@\s|\s(?:dot|punkt)\s|[(\[{<]\s?(?:dot|punkt)")
"""Pattern of signs that an address was spelt out on purpose: brackets around "at" or "dot", or spaces next to "@" or
"dot"."""
HOSTS = alternation(
    """gmail, googlemail, yahoo, hotmail, outlook, live, icloud, aol, gmx, web, t-online, freenet, posteo,
    proton(?:mail)?, mail"""
)
SPELT_OUT_AT = re.compile(
    rf"(?i)(?<![\w.])[\w.+-]{{2,40}}\s(?:at|ät)\s{HOSTS}\s?\.\s?[a-z]{{2,3}}(?:\.[a-z]{{2}})?(?!\w)"
)
HINT = re.compile(r"(?i)\b(?:at|ät)\b|@")


def find_email_addresses(text: str) -> list[Span]:
    """Find e-mail addresses. Scores: .95 for ordinary addresses, .9 for addresses that are spelt out."""
    spans = []
    if "@" in text or "%40" in text:
        spans += [Span(*_address_bounds(m), "EMAIL_ADDRESS", 0.95) for m in PLAIN_ADDRESS.finditer(text)]
    if HINT.search(text):
        spans += [
            Span(*m.span(), "EMAIL_ADDRESS", 0.9)
            for m in SPELT_OUT_ADDRESS.finditer(text)
            if SPELLING_SIGNS.search(m.group())
        ]
        spans += [Span(*m.span(), "EMAIL_ADDRESS", 0.9) for m in SPELT_OUT_AT.finditer(text)]
    return spans


def _address_bounds(m: re.Match[str]) -> tuple[int, int]:
    text = m.group()
    local = text.partition("@")[0] if "@" in text else text.rpartition("%40")[0]
    lead = max(local.rfind(c) for c in "=/?&'{|")
    return m.start() + lead + 1, m.end()
