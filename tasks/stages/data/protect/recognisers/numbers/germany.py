"""German numbers: tax, pension insurance, health insurance, identity cards and passports."""

import re
from collections.abc import Callable

from tasks.stages.data.protect.recognisers.numbers.check_digits import (
    is_valid_german_health_number,
    is_valid_german_pension_number,
    is_valid_german_tax_id,
    is_valid_icao,
)
from tasks.stages.data.protect.recognisers.span import Span

SEPARATOR = r"[ .\-\n/]?"
TAX_ID = re.compile(rf"(?<![\w/])[1-9]\d{SEPARATOR}\d{{3}}{SEPARATOR}\d{{3}}{SEPARATOR}\d{{3}}(?![\w/])")
TAX_ID_NAMES = r"(?:steuer-? ?(?:id|identifikations-?nummer|nummer|nr)|idnr|tin|tax id\w*)"
TAX_NUMBER = re.compile(r"(?<![\w/])\d{2,3} ?/ ?\d{3,4} ?/ ?\d{4,5}(?![\w/])")
"""Pattern of a tax number (Steuernummer) as tax offices write it. Dates do not match, because their parts are
shorter."""
PENSION_NUMBER = re.compile(
    rf"(?<!\w)\d{{2}}{SEPARATOR}(?:[0-3]\d|[5-8]\d){SEPARATOR}\d{{2}}{SEPARATOR}\d{{2}}{SEPARATOR}[A-Za-z]{SEPARATOR}\d{{2}}{SEPARATOR}\d(?!\w)"
)
PENSION_NUMBER_NAMES = r"(?:sozialversicherungs|rentenversicherungs|versicherungs|rv|sv)-?\w*|social security"
HEALTH_INSURANCE_NUMBER = re.compile(rf"(?<!\w)[A-Z]{SEPARATOR}\d{{3}}{SEPARATOR}\d{{3}}{SEPARATOR}\d{{3}}(?!\w)")
HEALTH_INSURANCE_NAMES = r"(?:kranken\w*|versicherten\w*|kvnr|kv-?nr|gesundheitskarte|egk|health insurance|insurance)"
ID_CARD = re.compile(r"(?<!\w)[CFGHJKLMNPRTVWXYZ][CFGHJKLMNPRTVWXYZ0-9]{8}(?:\d(?: ?D)?)?(?!\w)|(?<!\w)\d{10}D(?!\w)")
"""Pattern of the number of an identity card or passport (Federal Ministry of the Interior). The serial number has no
vowels and no B, D, Q or S; the tenth character is the check digit, and the D after it stands for Germany."""
ID_CARD_NAMES = r"(?:personal-?ausweis\w*|ausweis\w*|perso|reise-?pass\w*|pass\w*|id card|identity card|id)"


def find_german_numbers(text: str) -> list[Span]:
    """Find German tax, insurance and identity numbers.

    Scores: 1.0 for a valid check digit if the text also names the kind of number, .9 for a valid check digit alone, .75
    for a named number with an invalid check digit. The check digit of a Steuernummer is not verified; its score is .75.
    """
    spans = _spans_by_check_digit(text, TAX_ID, is_valid_german_tax_id, TAX_ID_NAMES, "DE_TAX_ID")
    spans += [Span(*m.span(), "DE_TAX_NUMBER", 0.75) for m in TAX_NUMBER.finditer(text)]
    spans += _spans_by_check_digit(
        text, PENSION_NUMBER, is_valid_german_pension_number, PENSION_NUMBER_NAMES, "DE_SOCIAL_SECURITY"
    )
    spans += _spans_by_check_digit(
        text, HEALTH_INSURANCE_NUMBER, is_valid_german_health_number, HEALTH_INSURANCE_NAMES, "DE_HEALTH_INSURANCE"
    )
    spans += _spans_by_check_digit(text, ID_CARD, _is_valid_card_number, ID_CARD_NAMES, "DE_ID_CARD")
    return spans


def _spans_by_check_digit(
    text: str, form: re.Pattern[str], check: Callable[[str], bool], name: str, kind: str
) -> list[Span]:
    spans = []
    for m in form.finditer(text):
        compact = re.sub(r"[^A-Za-z0-9]", "", m.group()).upper()
        valid = check(compact)
        named = re.search(rf"(?i)\b(?:{name})\b[^\n]{{0,40}}$", text[max(0, m.start() - 70) : m.start()])
        if valid or named:
            spans.append(Span(*m.span(), kind, 1.0 if valid and named else 0.9 if valid else 0.75))
    return spans


def _is_valid_card_number(compact: str) -> bool:
    bare = compact.removesuffix("D")
    return len(bare) == 10 and sum(c.isdigit() for c in bare) >= 3 and is_valid_icao(bare)
