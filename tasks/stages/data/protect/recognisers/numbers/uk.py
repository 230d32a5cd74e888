"""British numbers: National Insurance, NHS, driving licences, sort codes."""

import re

from tasks.stages.data.protect.recognisers.numbers.check_digits import is_valid_nhs_number
from tasks.stages.data.protect.recognisers.span import Span

NATIONAL_INSURANCE_NUMBER = re.compile(
    r"(?<![A-Za-z0-9])(?!BG|GB|KN|NK|NT|TN|ZZ)[A-CEGHJ-PR-TW-Z][A-CEGHJ-NPR-TW-Z]"
    r"(?:[ .\-\n]?\d{2}){3}[ .\-\n]?[A-D]?(?![A-Za-z0-9])",
    re.IGNORECASE,
)
"""Pattern of a National Insurance number (HMRC, National Insurance Manual NIM39110). The suffix is often left out. A
number without suffix counts only if the text says that it is a National Insurance number."""
NATIONAL_INSURANCE_NAME_BEFORE = re.compile(r"(?i)\b(?:national insurance|ni|nino|n\.i\.)\b[^\n]{0,30}$")
NHS_NUMBER = re.compile(r"(?<![\w-])\d{3}[ \-\n]?\d{3}[ \-\n]?\d{4}(?![\w-])")
NHS_NAME_BEFORE = re.compile(r"(?i)\bnhs\b[^\n]{0,30}$")
DRIVING_LICENCE = re.compile(r"(?<!\w)[A-Z9]{5} ?\d[0156]\d[0-3]\d\d ?[A-Z9]{2} ?[A-Z0-9]{3}(?!\w)")
"""Pattern of a DVLA driver number: surname, date of birth with 5 added to the first digit of the month for women,
initials and check characters."""
SORT_CODE = re.compile(r"(?i)\bsort[ -]?code\b[^\d\n]{0,15}(\d{2}[ -]?\d{2}[ -]?\d{2})(?!\d)")


def find_british_numbers(text: str) -> list[Span]:
    """Find British National Insurance and NHS numbers, driving licences and sort codes.

    Scores: .95 for a National Insurance number if the text says what it is, otherwise .85; 1.0 for a valid NHS number
    if the text says what it is, otherwise .8; .85 for driving licences; .9 for sort codes. An NHS number without spaces
    counts only if the text says what it is, because one ten-digit number in eleven passes the check.
    """
    spans = []
    for m in NATIONAL_INSURANCE_NUMBER.finditer(text):
        named = NATIONAL_INSURANCE_NAME_BEFORE.search(text, max(0, m.start() - 40), m.start())
        if named or (m.group()[-1].isalpha() and m.group()[:2].isupper()):
            spans.append(Span(*m.span(), "UK_NINO", 0.95 if named else 0.85))
    for m in NHS_NUMBER.finditer(text):
        named = NHS_NAME_BEFORE.search(text, max(0, m.start() - 40), m.start())
        valid = is_valid_nhs_number(re.sub(r"\D", "", m.group()))
        if named or (valid and " " in m.group()):
            spans.append(Span(*m.span(), "UK_NHS", 1.0 if named and valid else 0.8))
    spans += [Span(*m.span(), "UK_DRIVING_LICENCE", 0.85) for m in DRIVING_LICENCE.finditer(text)]
    spans += [Span(*m.span(1), "SORT_CODE", 0.9) for m in SORT_CODE.finditer(text)]
    return spans
