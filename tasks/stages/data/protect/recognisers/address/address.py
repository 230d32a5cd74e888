"""Recogniser of postal addresses: a street with the town after it, or a part of an address alone."""

import re

from tasks.stages.data.protect.recognisers.address import abroad, english, german, lower_case, towns
from tasks.stages.data.protect.recognisers.span import Span

STREETS_WITH_TOWNS = (
    (german.STREET, (german.TOWN_AFTER,)),
    (lower_case.GERMAN_STREET, (lower_case.TOWN_AFTER,)),
    (lower_case.ENGLISH_STREET, (lower_case.ENGLISH_TOWN_AFTER,)),
    (abroad.STREET, (abroad.TOWN_AFTER,)),
    (english.STREET, (towns.AMERICAN_AFTER, towns.BRITISH_AFTER, towns.ABROAD_AFTER, towns.TOWN_AFTER)),
    (english.POST_OFFICE_BOX, (towns.MILITARY_AFTER, towns.AMERICAN_AFTER)),
)
STANDALONE_PARTS = (
    (towns.AMERICAN_TOWN, 0.75),
    (towns.POSTCODE, 0.75),
    (german.TOWN, 0.65),
    (english.UNNUMBERED_STREET, 0.65),
    (english.UNIT_ALONE, 0.6),
    (towns.CANADIAN_POSTAL_CODE, 0.7),
    (german.STREET_AND_TOWN, 0.9),
    (abroad.CODE_AND_TOWN, 0.75),
    (abroad.INDIAN_ADDRESS, 0.9),
)


def find_addresses(text: str) -> list[Span]:
    """Find postal addresses.

    Scores: .95 for a street with its town, .88 for a street without a town, .6 to .9 for other parts of an address, .85
    for a postal code after a word such as "zip code".
    """
    spans = [_with_town(text, street, tails) for form, tails in STREETS_WITH_TOWNS for street in form.finditer(text)]
    spans += [Span(*m.span(), "ADDRESS", score) for form, score in STANDALONE_PARTS for m in form.finditer(text)]
    parts = ((towns.NAMED_POSTAL_CODE, 0.85), (abroad.CODE_AFTER_COUNTRY, 0.65), (lower_case.TOWN, 0.65))
    return spans + [Span(*m.span(1), "ADDRESS", score) for form, score in parts for m in form.finditer(text)]


def _with_town(text: str, street: re.Match[str], tails: tuple[re.Pattern[str], ...]) -> Span:
    for tail in tails:
        if town := tail.match(text, street.end()):
            return Span(street.start(), town.end(), "ADDRESS", 0.95)
    return Span(*street.span(), "ADDRESS", 0.88)
