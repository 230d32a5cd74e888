"""Dates of birth: dates near a word such as "born" or "Geburtsdatum"."""

import re

from tasks.stages.data.protect.recognisers.alternation import alternation
from tasks.stages.data.protect.recognisers.span import Span

MONTHS = (
    "jan(?:uary|uar)?|feb(?:ruary|ruar)?|mar(?:ch)?|märz?|mrz|apr(?:il)?|ma[yi]|june?|juni|july?|juli|aug(?:ust)?"
    "|sept?(?:ember)?|o[ck]t(?:ober)?|nov(?:ember)?|de[cz](?:ember)?|jänner"
)
DATE = (
    alternation(
        rf"""\d{{4}}[-/.]\d{{1,2}}[-/.]\d{{1,2}}, \d{{1,2}} ?[-/.] ?\d{{1,2}} ?[-/.] ?\d{{2,4}},
    \d{{1,2}} \d{{1,2}} (?:19|20)\d\d, (?:0[1-9]|[12]\d|3[01])(?:0[1-9]|1[0-2])(?:19|20)\d\d,
    \d{{1,2}}(?:st|nd|rd|th|\.)?[ -](?:of )?(?:{MONTHS})\.?,?(?:[ -]\d{{2,4}})?,
    (?:{MONTHS})\.? \d{{1,2}}(?:st|nd|rd|th)?(?:,? \d{{4}})?"""
    )
    + r"(?!\d)"
)
BIRTH_WORDS = r"(?:born|birth(?:day|date)?|d\.?o\.?b\.?|bday|date of birth|geboren\w*|geb\.?|geburts(?:datum|tag)?)"
BIRTH_STAR = r"(?:\*|(?<=[,;(])\* |(?<=[,;(] )\* )"
"""Pattern of a star before a date of birth, as in "(* 12.3.1980)". The star must touch the date or follow a bracket,
comma or semicolon, because a star with a space also begins the items of a list."""
DATE_AFTER_CUE = re.compile(rf"(?i)(?<!\w)(?:{BIRTH_WORDS}(?!\w)[^\d\n]{{0,40}}?|{BIRTH_STAR})(?P<date>{DATE})")
DATE_OF_BIRTH_LABELS = alternation(
    r"date of birth, birth ?date, dob, d\.o\.b\.?, geburtsdatum, geburtstag, geboren(?: am)?, born(?: on)?"
)
DATE_ON_NEXT_LINE = re.compile(
    rf"(?i)(?<!\w){DATE_OF_BIRTH_LABELS}(?!\w)(?: ?\([^()\n]{{0,30}}\))?"
    rf"[\s:|>*_()-]{{0,8}}(?:(?:am|on) )?(?P<date>{DATE})"
)
CUES_AFTER = alternation("geboren, my birthday, is when (?:i|he|she) was born, geb\\b")
DATE_BEFORE_CUE = re.compile(rf"(?i)(?P<date>{DATE})[^\w\n]{{0,3}}(?:\w+ ){{0,4}}?{CUES_AFTER}")


def find_birth_dates(text: str) -> list[Span]:
    """Find dates of birth. Score .9.

    A date without a word such as "born" near it is never found, however plausible its year.
    """
    return [
        Span(*m.span("date"), "DATE_OF_BIRTH", 0.9)
        for form in (DATE_AFTER_CUE, DATE_ON_NEXT_LINE, DATE_BEFORE_CUE)
        for m in form.finditer(text)
    ]
