"""Telephone numbers in international (ITU-T E.123), European and North American formats, and in any format after a cue.

The matcher of `phonenumbers` takes several milliseconds per text (Presidio's maintainers call it their slowest
recogniser, presidio issue 1094) and misses numbers that are not assigned. These rules check the format alone.
"""

import re

from tasks.stages.data.protect.recognisers.alternation import alternation
from tasks.stages.data.protect.recognisers.numbers.uuids import is_in_uuid
from tasks.stages.data.protect.recognisers.span import Span

GAP = r"[ \t\n.\-/]{0,3}"
EXTENSION = r"(?:[ ,;]{0,2}(?:ext\.?|x|extension|durchwahl|dw|-)[ ]?\d{1,6}(?!\d))?"
COUNTRY_CODE = r"(?:\+|00(?=[ \-]?[1-9])|\(\+|\+\()[ ]?\d{1,3}\)?"
INTERNATIONAL_NUMBER = re.compile(
    rf"(?<![\w+]){COUNTRY_CODE}{GAP}(?:\(\d{{1,5}}\){GAP})?\d(?:[ \t\n().\-/]{{0,3}}\d){{5,13}}(?!\d){EXTENSION}"
)
NATIONAL_NUMBER = re.compile(
    rf"(?<![\w+])(?<!\d[.,:/-])\(?0\d{{1,5}}\)?{GAP}\d(?:[ \t\n./\-]{{0,3}}\d){{4,10}}(?![\d.,]\d|\d|:){EXTENSION}"
)
"""Pattern of a national number with a leading 0, as in Germany, the United Kingdom and most of Europe."""
AREA_CODE = r"(?:\([2-9]\d{2}\)[ .\-]{0,2}|[2-9]\d{2}[ .\-])"
NORTH_AMERICAN_NUMBER = re.compile(
    rf"(?<![\w])(?<!\d[.,-])(?:1[ .\-])?{AREA_CODE}\d{{3}}[ .\-]\d{{4}}(?!\d|-\d){EXTENSION}"
)
CUES = alternation(
    r"""tel, phone, telephone, mobile, mob, cell(?:phone)?, call(?: me| us| him| her| back)?, ring(?: me)?,
    text(?: me)?, contact, reach(?: me| us)?, fax, whatsapp, sms, telefon\w*, handy\w*, mobil\w*, festnetz\w*,
    rückruf\w*, anruf\w*, anrufen, rufnummer, erreich\w*, nummer, number"""
)
CUE = re.compile(rf"(?i)\b{CUES}\b[^\d\n+(@]{{0,25}}")
AFTER_CUE = re.compile(rf"(?<![A-Za-z])\(?\+?\d\)?(?:[ \t\n().\-/]{{0,3}}\d){{5,14}}(?!\d){EXTENSION}")
DATE = re.compile(r"\(?\d{1,2}[./-]\d{1,2}[./-](?:19|20)?\d\d(?!\d)|(?:19|20)\d\d-\d\d-\d\d(?!\d)")
OTHER_NUMBERS = alternation(
    r"""account, acct, order, invoice, ticket, reference, ref, transaction, tracking, case, customer, card, konto\w*,
    rechnung\w*, bestell\w*, auftrag\w*, kunden\w*, vorgang\w*, sendung\w*, steuer\w*, article, item, part, product,
    fall, model, serial, sku, ean, gtin, isbn, upc, version, batch, parcel, artikel\w*, produkt\w*, modell\w*,
    serien\w*, teile\w*, ersatzteil\w*, charge\w*, paket\w*"""
)
OTHER_NUMBER_BEFORE = re.compile(
    rf"(?i)\b{OTHER_NUMBERS}\W{{0,3}}(?:number|nummer|no|nr|id)?(?:\W{{1,3}}(?:is|ist|was|lautet))?\W{{0,5}}$"
)


def find_phone_numbers(text: str) -> list[Span]:
    """Find telephone numbers.

    Scores: .9 for international numbers, .75 for North American numbers, .72 for numbers after a cue, .7 for numbers
    with a leading 0.
    """
    spans = [Span(*m.span(), "PHONE_NUMBER", 0.9) for m in INTERNATIONAL_NUMBER.finditer(text)]
    for form, score in ((NATIONAL_NUMBER, 0.7), (NORTH_AMERICAN_NUMBER, 0.75)):
        matches = (m for m in form.finditer(text) if _is_phone(text, m.start(), m.group()))
        spans += [Span(*m.span(), "PHONE_NUMBER", score) for m in matches]
    for cue in CUE.finditer(text):
        m = AFTER_CUE.match(text, cue.end())
        if m and _is_phone(text, m.start(), m.group()):
            spans.append(Span(*m.span(), "PHONE_NUMBER", 0.72))
    return spans


def _is_phone(text: str, start: int, number: str) -> bool:
    if not 6 <= sum(c.isdigit() for c in number) <= 17 or DATE.match(number):
        return False
    return not is_in_uuid(text, start) and not OTHER_NUMBER_BEFORE.search(text, max(0, start - 40), start)
