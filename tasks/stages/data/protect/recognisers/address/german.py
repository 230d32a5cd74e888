"""Addresses of Germany, Austria and Switzerland: street and house number, then postal code and town.

A number from 1900 to 2099 counts as a year, not as a house number ("Im Jahr 2024") or a postal code ("seit 2019
Kunde"). House numbers do not reach that range. Swiss and Austrian towns with such a code are recognised by a list of
their names, after a street, or after the letter of the country.
"""

import re

from tasks.stages.data.protect.recognisers.address.patterns import CAPITALISED_WORD, SEPARATOR, UNHYPHENATED_WORD
from tasks.stages.data.protect.recognisers.alternation import alternation
from tasks.stages.data.protect.recognisers.data import lists

ENDINGS = alternation(
    r"""straße, strasse, str\.?, weg, allee, platz, gasse, ring, damm, ufer, chaussee, steig, pfad, graben, markt, wall,
    hof, stieg, kamp, berg, park, tor, twiete, promenade, zeile"""
)
TYPES = alternation(r"Straße, Strasse, Str\.?, Weg, Allee, Platz, Gasse, Ring, Damm, Ufer, Chaussee, Hof, Markt")
PLACES = alternation(
    "Am, An der, An den, Im, In der, In den, Zum, Zur, Auf der, Auf dem, Unter den, Hinter der, Vor dem"
)
COMPOUND_STREET = rf"(?:{UNHYPHENATED_WORD}[ -]){{0,3}}[A-ZÄÖÜ]\w{{1,30}}?{ENDINGS}"
"""Pattern of a street whose type is part of its name, such as "Lindenstraße" or "Karl-Marx-Allee"."""
SEPARATE_STREET = rf"(?:{UNHYPHENATED_WORD}[ -]){{1,3}}{TYPES}"
"""Pattern of a street whose type is a separate word, such as "Berliner Straße"."""
LOCATION_STREET = rf"{PLACES} {CAPITALISED_WORD}"
"""Pattern of a street named by its location, such as "Am Stadtgarten"."""
YEAR = r"(?:19|20)\d\d(?!\d)"
HOUSE = rf"(?!{YEAR})" + r"\d{1,4}[ /\-]?\d{0,3}(?:[ ]?[a-zA-Z](?![\w]))?(?![\w])"
STREET = re.compile(rf"(?<![\w-])(?:{COMPOUND_STREET}|{SEPARATE_STREET}|{LOCATION_STREET})[ \n]{{1,2}}{HOUSE}")

TOWN_PREPOSITIONS = alternation("am, an der, im, in, ob der, vor der, bei, AM, AN DER, IM, IN")
COUNTRY = r"(?:(?:D|DE|A|AT|CH)-)"
LIKE_YEARS = alternation(", ".join(map(re.escape, lists.lines("towns_like_years"))))
ANY_CODE = rf"{COUNTRY}?\d{{4,5}} {UNHYPHENATED_WORD}"
CODE_AND_TOWN = rf"(?:(?!{YEAR}){ANY_CODE}|{LIKE_YEARS}(?!\w))"
TOWN_SUFFIX = rf"(?:[ /-]{TOWN_PREPOSITIONS}(?= ))?(?:[ /-]{UNHYPHENATED_WORD}){{0,2}}(?: \({CAPITALISED_WORD}\))?"
TOWN_FORM = rf"{CODE_AND_TOWN}{TOWN_SUFFIX}"
"""Pattern of a postal code and town, such as "60311 Frankfurt am Main"."""
COUNTABLE_NOUNS = alternation(
    "Euro, EUR, Dollar, USD, Pound, GBP, Franken, CHF, Stück, Uhr, Mal, Tage, Kunden, Personen, Users?, People"
)
TOWN = re.compile(rf"(?<![\w.,-])(?!\d{{1,9}} {COUNTABLE_NOUNS}s?\b){TOWN_FORM}")
TOWN_AFTER = re.compile(
    rf"{SEPARATOR}(?:in )?{ANY_CODE}{TOWN_SUFFIX}|{SEPARATOR}(?:in )?\d{{5}}(?!\d)|,? (?:in "
    rf")?(?=[A-ZÄÖÜ]){CAPITALISED_WORD}(?=[ \n,.;!?]|$)"
)
ONE_IS_NO_YEAR = rf"(?!{YEAR} ?[a-z]?[,\n] ?{YEAR})"
STREET_AND_TOWN = re.compile(
    rf"(?<![\w-])(?:{UNHYPHENATED_WORD}[ -]){{1,4}}{ONE_IS_NO_YEAR}\d{{1,4}} ?[a-z]?[,\n] ?{ANY_CODE}{TOWN_SUFFIX}"
)
"""Pattern of a street with any name, recognised by the postal code and town after it."""
