"""Towns and postal codes of the United States, United Kingdom, Canada, Australia and New Zealand.

Patterns with `_AFTER` in their name match the town after a street.
"""

import re

from tasks.stages.data.protect.recognisers.address.patterns import CAPITALISED_WORD, SEPARATOR, UNHYPHENATED_WORD
from tasks.stages.data.protect.recognisers.alternation import alternation

STATES = alternation(
    """A[AEKLPRSZ], C[AOT], D[CE], F[LM], G[AU], HI, I[ADLN], K[SY], LA, M[ADEHINOPST], N[CDEHJMVY], O[HKR], P[ARW],
    RI, S[CD], T[NX], UT, V[AIT], W[AIVY], Alabama, Alaska, Arizona, Arkansas, California, Colorado, Connecticut,
    Delaware, Florida, Georgia, Hawaii, Idaho, Illinois, Indiana, Iowa, Kansas, Kentucky, Louisiana, Maine,
    Maryland, Massachusetts, Michigan, Minnesota, Mississippi, Missouri, Montana, Nebraska, Nevada, New Hampshire,
    New Jersey, New Mexico, New York, North Carolina, North Dakota, Ohio, Oklahoma, Oregon, Pennsylvania, Rhode
    Island, South Carolina, South Dakota, Tennessee, Texas, Utah, Vermont, Virginia, Washington, West Virginia,
    Wisconsin, Wyoming"""
)
TOWN = rf"(?:{CAPITALISED_WORD}[ ]){{0,2}}{CAPITALISED_WORD}"
ZIP = r"\d{5}(?:-\d{4})?(?!\d)"
AMERICAN_TOWN = re.compile(rf"(?<!\w){TOWN},?[ ]{STATES},? {ZIP}")
AMERICAN_AFTER = re.compile(
    rf"{SEPARATOR}(?:in )?{TOWN},? {STATES}(?!\w)(?:,? {ZIP})?|{SEPARATOR}(?:in )?{TOWN}{SEPARATOR}\d{{5}}(?!\d)"
)
MILITARY_AFTER = re.compile(r"[ ,\n]{1,3}[FAD]PO,? A[AEP] \d{5}")
NAMED_POSTAL_CODE = re.compile(
    r"(?i)\b(?:zip(?: ?code)?|post(?:al )?code|plz|postleitzahl)\W{1,4}(?:(?:is|ist|lautet|code)\W{1,3})?"
    r"(\d{4,5}(?:-\d{4})?)(?!\d)"
)

OUTWARD_CODE = r"[A-PR-UWYZ](?:\d{1,2}|[A-HK-Y]\d(?:\d|[ABEHMNPRV-Y])?|\d[A-HJKPSTUW])"
BRITISH_POSTCODE = rf"(?:GIR ?0AA|{OUTWARD_CODE} {{0,2}}\d[ABD-HJLNP-UW-Z]{{2}})(?!\w)"
"""Pattern of a British postcode, by BS 7666."""
POSTCODE = re.compile(rf"(?<!\w){BRITISH_POSTCODE}")
TOWN_WORDS = rf"(?:{UNHYPHENATED_WORD}[ -]?){{1,4}}"
BRITISH_AFTER = re.compile(
    rf"(?:{SEPARATOR}{TOWN_WORDS}){{1,3}}?{SEPARATOR}{BRITISH_POSTCODE}|{SEPARATOR}{BRITISH_POSTCODE}"
)

CANADIAN_POSTAL_CODE = re.compile(r"(?<![\w-])[ABCEGHJ-NPRSTVXY]\d[A-CEGHJ-NPR-TV-Z] \d[A-CEGHJ-NPR-TV-Z]\d(?![\w-])")
CANADA = r"(?:AB|BC|MB|NB|NL|NS|NT|NU|ON|PE|QC|SK|YT),? [A-Z]\d[A-Z] ?\d[A-Z]\d"
AUSTRALIA = r"(?:NSW|VIC|QLD|SA|WA|TAS|ACT|NT),? \d{4}"
NEW_ZEALAND = r"\d{4}"
ABROAD_AFTER = re.compile(rf"(?:{SEPARATOR}{TOWN_WORDS}){SEPARATOR}(?:{CANADA}|{AUSTRALIA}|{NEW_ZEALAND})(?!\d)")
TOWN_AFTER = re.compile(rf",[ \n](?:in )?{TOWN_WORDS}(?=[,.;!?\n]|$)")
