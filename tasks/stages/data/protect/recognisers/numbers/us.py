"""US numbers: Social Security, individual taxpayer, Medicare beneficiary."""

import re

from tasks.stages.data.protect.recognisers.numbers.check_digits import us_itin, us_ssn
from tasks.stages.data.protect.recognisers.span import Span

NINE_DIGITS = re.compile(r"(?<![\w-])(\d{3})([ .\-\n]?)[ ]?(\d{2})\2[ ]?(\d{4})(?![\w-]|\.\d)")
NAMED = re.compile(r"(?i)\b(?:ssn|social security|social|itin|taxpayer|tax id|tin)\b[^\n]{0,40}$")
LETTER = "[AC-HJKMNP-RT-Y]"
EITHER = "[AC-HJKMNP-RT-Y0-9]"
MBI = re.compile(rf"(?<![\w])[1-9]{LETTER}{EITHER}\d-?{LETTER}{EITHER}\d-?{LETTER}{{2}}\d{{2}}(?!\w)")
"""Pattern of a Medicare beneficiary identifier (CMS, "Understanding the MBI"): eleven characters, without S, L, O,
I, B and Z."""


def find(text: str) -> list[Span]:
    """Find US Social Security, taxpayer and Medicare numbers.

    Scores: .95 for a number that the text names; .85 for a Social Security number, and .8 for a taxpayer number, that
    is recognised only by its separators (3-2-4); .7 for a named number that cannot have been issued; .9 for a Medicare
    beneficiary identifier.
    """
    spans = [Span(*m.span(), "US_MBI", 0.9) for m in MBI.finditer(text)]
    for m in NINE_DIGITS.finditer(text):
        digits = m[1] + m[3] + m[4]
        named = NAMED.search(text, max(0, m.start() - 60), m.start())
        if us_ssn(digits) and (m[2] in ("-", " ") or named):
            spans.append(Span(*m.span(), "US_SSN", 0.95 if named else 0.85))
        elif us_itin(digits) and (m[2] == "-" or named):
            spans.append(Span(*m.span(), "US_ITIN", 0.95 if named else 0.8))
        elif named:
            spans.append(Span(*m.span(), "US_SSN", 0.7))
    return spans
