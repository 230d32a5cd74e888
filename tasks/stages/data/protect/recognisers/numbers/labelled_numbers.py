"""Numbers recognised by the label before them: "account number 12345678", "MRN: 00-1234", "Kundennr. 4711-22".

The pattern is a label, up to five connecting words, and a value with at least four digits.
"""

import re
from functools import lru_cache

from tasks.stages.data.protect.recognisers.alternation import alternation
from tasks.stages.data.protect.recognisers.numbers.uuids import is_in_uuid
from tasks.stages.data.protect.recognisers.span import Span

NUMBER_WORD = r"[ \-]?(?:numbers?|no|num|nr|nummer|id|code|#|№)"
LABELS = {
    "MEDICAL_RECORD": r"mrn|medical records?|patient(?:en)?|chart|hospital|krankenakte"
    r"|health records?|health plan|beneficiary",
    "MEDICAL_CASE": r"fall|akten(?:zeichen)?|case",
    "HEALTH_INSURANCE": r"(?:health |medical |travel )?insurance|medicare|medicaid|member(?:ship)?|subscriber|group"
    r"|krankenkassen?|krankenversicherungs?|versicherten|mitglieds?|versicherungs?(?:schein)?s?|polic(?:y|e|en)|policen",
    "ACCOUNT": r"(?:bank |checking |savings |current )?(?:account|acct|a/c)|konto|depot|loan|darlehens|kredit|iban"
    r"|routing|aba|bankleitzahl|blz|bic|swift",
    "CUSTOMER": r"customer|client|kunden|vertrags|contract|employee|staff|personal|student|matrikel|mitarbeiter"
    r"|benutzer",
    "PASSPORT": r"passports?|reise-?pass|pass",
    "DRIVER_LICENSE": r"(?:driver'?s?|driving)[ -]?licen[cs]es?|dl|führerschein|fahrerlaubnis|licen[cs]e",
    "ID_NUMBER": r"(?:national |personal |government )?id(?:entity|entification)?(?: card)?|ausweis|personal-?ausweis"
    r"|steuer|tax"
    r"|green card|resident(?:ce)? (?:permit|card)|alien registration|voter|vat|ust|steueridentifikations"
    r"|sozialversicherungs|rentenversicherungs|ssn|social security|national insurance|visa",
    "VEHICLE": r"(?:number|license|licence) plates?|registration|kennzeichen|kfz-?kennzeichen|vin|fahrgestell",
}
CONNECTING_WORDS = alternation(
    r"""is, was, are, ist, war, lautet, lauten, the, my, our, meine?, die, der, das, number, no\.?, nr\.?, id, of, for,
    with, ends? (?:in|with), which, it'?s, here, to, following, as follows, folgende, mit, von, auf, und zwar"""
)
LABEL_TO_VALUE = rf"(?:[\s:=#,;()\"'*\-]{{1,4}}{CONNECTING_WORDS}(?=[\s:=#,;])){{0,5}}[\s:=#,;.()\"'*\-]{{0,4}}"
VALUE = re.compile(
    r"(?:(?:[A-Z]{1,5}|[a-z]{1,3})[./_\- ]{0,2}){0,2}"  # letters before the first digit
    r"\d(?:[./_\-]{0,2}[A-Za-z0-9]|[ \n](?=[A-Z]{0,3}\d)[A-Z0-9]){3,29}(?![\w@])"
)
NOT_AN_IDENTIFIER = re.compile(
    r"(?:0?[1-9]|[12]\d|3[01])[./-](?:0?[1-9]|[12]\d|3[01])[./-]\d{2,4}$"
    r"|(?:19|20)\d\d$"
    r"|\d{1,3}(?:[.,]\d{3})*[.,]\d\d$"
    r"|\d{1,2}:\d\d"
    r"|\d+(?:st|nd|rd|th|am|pm|min|days?|hrs?|hours?)$",
    re.IGNORECASE,
)
"""Pattern of values that may follow a label but are not identifiers: dates, years, amounts and times."""
UNITS = alternation(
    r"[€$£%], eur\b, usd\b, gbp\b, euros?\b, dollars?\b, pounds?\b, days?\b, hours?\b, minutes?\b, tage?n?\b, "
    r"stunden\b, uhr\b, mal\b, times\b"
)
UNIT = re.compile(rf"\s?{UNITS}", re.IGNORECASE)


MEDICAL_WORD = re.compile(
    r"(?i)patient|clinic|hospital|medic|doctor|surg|diagnos|klinik|kranken|arzt|ärzt|praxis|behandl"
)
MEDICAL_CONTEXT = 200
"""Number of characters before and after the number of a case in which a word has to make it medical."""


@lru_cache(maxsize=1)
def _label_pattern() -> re.Pattern[str]:
    kinds = "|".join(f"(?P<{kind}>{words})" for kind, words in LABELS.items())
    numbered = rf"{NUMBER_WORD}(?![A-Za-z]){LABEL_TO_VALUE}"
    bare = rf"(?![A-Za-z])(?=[:#=]|\s(?:is|ist|lautet)\s|\s\(?[A-Z]{{0,4}}-?(?:\d[ .\-/]?){{4}}){LABEL_TO_VALUE}"
    return re.compile(rf"(?i)(?<![A-Za-z])(?:{kinds})(?:{numbered}|{bare})")


def find_labelled_numbers(text: str) -> list[Span]:
    """Find numbers that follow a label such as "account number". Score .8."""
    spans = []
    for label in _label_pattern().finditer(text):
        value = VALUE.match(text, label.end())
        if value and _is_number(text, value):
            spans.append(Span(*value.span(), str(label.lastgroup), 0.8))
    return [_as_record(span) for span in spans if span.kind != "MEDICAL_CASE" or _is_medical(text, span)]


def _as_record(span: Span) -> Span:
    return span._replace(kind="MEDICAL_RECORD") if span.kind == "MEDICAL_CASE" else span


def _is_medical(text: str, span: Span) -> bool:
    return bool(MEDICAL_WORD.search(text, max(0, span.start - MEDICAL_CONTEXT), span.end + MEDICAL_CONTEXT))


def _is_number(text: str, value: re.Match[str]) -> bool:
    number = value.group()
    if sum(c.isdigit() for c in number) < 4 or NOT_AN_IDENTIFIER.match(number) or is_in_uuid(text, value.start()):
        return False
    return not UNIT.match(text, value.end()) and text[max(0, value.start() - 1)] not in "€$£"
