"""US numbers: Social Security, individual taxpayer, Medicare beneficiary."""

import re

from tasks.stages.data.protect.recognisers.numbers.check_digits import is_possible_us_itin, is_possible_us_ssn
from tasks.stages.data.protect.recognisers.span import Span

NINE_DIGITS = re.compile(r"(?<![\w-])(\d{3})([ .\-\n]?)[ ]?(\d{2})\2[ ]?(\d{4})(?![\w-]|\.\d)")
NUMBER_NAME_BEFORE = re.compile(r"(?i)\b(?:ssn|social security|social|itin|taxpayer|tax id|tin)\b[^\n]{0,40}$")
LETTER = "[AC-HJKMNP-RT-Y]"
LETTER_OR_DIGIT = "[AC-HJKMNP-RT-Y0-9]"
MEDICARE_IDENTIFIER = re.compile(
    rf"(?<![\w])[1-9]{LETTER}{LETTER_OR_DIGIT}\d-?{LETTER}{LETTER_OR_DIGIT}\d-?{LETTER}{{2}}\d{{2}}(?!\w)"
)
"""Pattern of a Medicare beneficiary identifier (CMS, "Understanding the MBI"): eleven characters, without S, L, O,
I, B and Z."""


def find_us_numbers(text: str) -> list[Span]:
    """Find US Social Security, taxpayer and Medicare numbers.

    Scores: .95 for a Social Security or taxpayer number if the text says what it is. If the number is recognised only
    by its separators (3-2-4), .85 for a Social Security number and .8 for a taxpayer number. If the text says what it
    is but the number cannot have been issued, .7. For a Medicare beneficiary identifier, .9.
    """
    spans = [Span(*m.span(), "US_MBI", 0.9) for m in MEDICARE_IDENTIFIER.finditer(text)]
    for m in NINE_DIGITS.finditer(text):
        digits = m[1] + m[3] + m[4]
        named = NUMBER_NAME_BEFORE.search(text, max(0, m.start() - 60), m.start())
        if is_possible_us_ssn(digits) and (m[2] in ("-", " ") or named):
            spans.append(Span(*m.span(), "US_SSN", 0.95 if named else 0.85))
        elif is_possible_us_itin(digits) and (m[2] == "-" or named):
            spans.append(Span(*m.span(), "US_ITIN", 0.95 if named else 0.8))
        elif named:
            spans.append(Span(*m.span(), "US_SSN", 0.7))
    return spans
