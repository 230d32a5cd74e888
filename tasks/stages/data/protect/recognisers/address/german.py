"""Addresses of Germany, Austria and Switzerland: street and house number, then postal code and town.

A number from 1900 to 2099 counts as a year. It is not a house number ("Im Jahr 2024"), since house numbers do not reach
that range, and not a postal code ("seit 2019 Kunde"). Some Swiss and Austrian towns do have such a postal code. They
are recognised by a list of their names, after a street, or after a country code such as "CH-".
"""

import re

from tasks.stages.data.protect.recognisers.address.patterns import CAPITALISED_WORD, SEPARATOR, UNHYPHENATED_WORD
from tasks.stages.data.protect.recognisers.alternation import alternation
from tasks.stages.data.protect.recognisers.data import lists

STREET_ENDINGS = alternation(
    r"""straße, strasse, str\.?, weg, allee, platz, gasse, ring, damm, ufer, chaussee, steig, pfad, graben, markt, wall,
    hof, stieg, kamp, berg, park, tor, twiete, promenade, zeile"""
)
STREET_TYPES = alternation(r"Straße, Strasse, Str\.?, Weg, Allee, Platz, Gasse, Ring, Damm, Ufer, Chaussee, Hof, Markt")
LOCATION_PREPOSITIONS = alternation(
    "Am, An der, An den, Im, In der, In den, Zum, Zur, Auf der, Auf dem, Unter den, Hinter der, Vor dem"
)
COMPOUND_STREET = rf"(?:{UNHYPHENATED_WORD}[ -]){{0,3}}[A-ZÄÖÜ]\w{{1,30}}?{STREET_ENDINGS}"
"""Pattern of a street whose type is part of its name, such as "Lindenstraße" or "Karl-Marx-Allee"."""
SEPARATE_STREET = rf"(?:{UNHYPHENATED_WORD}[ -]){{1,3}}{STREET_TYPES}"
"""Pattern of a street whose type is a separate word, such as "Berliner Straße"."""
LOCATION_STREET = rf"{LOCATION_PREPOSITIONS} {CAPITALISED_WORD}"
"""Pattern of a street named by its location, such as "Am Stadtgarten"."""
YEAR = r"(?:19|20)\d\d(?!\d)"
HOUSE_NUMBER = rf"(?!{YEAR})" + r"\d{1,4}[ /\-]?\d{0,3}(?:[ ]?[a-zA-Z](?![\w]))?(?![\w])"
STREET = re.compile(rf"(?<![\w-])(?:{COMPOUND_STREET}|{SEPARATE_STREET}|{LOCATION_STREET})[ \n]{{1,2}}{HOUSE_NUMBER}")

TOWN_PREPOSITIONS = alternation("am, an der, im, in, ob der, vor der, bei, AM, AN DER, IM, IN")
COUNTRY_PREFIX = r"(?:(?:D|DE|A|AT|CH)-)"
TOWNS_WITH_CODE_LIKE_YEAR = alternation(", ".join(map(re.escape, lists.read_lines("towns_like_years"))))
ANY_CODE = rf"{COUNTRY_PREFIX}?\d{{4,5}} {UNHYPHENATED_WORD}"
CODE_AND_TOWN = rf"(?:(?!{YEAR}){ANY_CODE}|{TOWNS_WITH_CODE_LIKE_YEAR}(?!\w))"
TOWN_SUFFIX = rf"(?:[ /-]{TOWN_PREPOSITIONS}(?= ))?(?:[ /-]{UNHYPHENATED_WORD}){{0,2}}(?: \({CAPITALISED_WORD}\))?"
CODE_WITH_TOWN = rf"{CODE_AND_TOWN}{TOWN_SUFFIX}"
"""Pattern of a postal code and town, such as "60311 Frankfurt am Main"."""
COUNTABLE_NOUNS = alternation(
    "Euro, EUR, Dollar, USD, Pound, GBP, Franken, CHF, Stück, Uhr, Mal, Tage, Kunden, Personen, Users?, People"
)
TOWN = re.compile(rf"(?<![\w.,-])(?!\d{{1,9}} {COUNTABLE_NOUNS}s?\b){CODE_WITH_TOWN}")
TOWN_AFTER = re.compile(
    rf"{SEPARATOR}(?:in )?{ANY_CODE}{TOWN_SUFFIX}|{SEPARATOR}(?:in )?\d{{5}}(?!\d)|,? (?:in "
    rf")?(?=[A-ZÄÖÜ]){CAPITALISED_WORD}(?=[ \n,.;!?]|$)"
)
ONE_IS_NO_YEAR = rf"(?!{YEAR} ?[a-z]?[,\n] ?{YEAR})"
STREET_AND_TOWN = re.compile(
    rf"(?<![\w-])(?:{UNHYPHENATED_WORD}[ -]){{1,4}}{ONE_IS_NO_YEAR}\d{{1,4}} ?[a-z]?[,\n] ?{ANY_CODE}{TOWN_SUFFIX}"
)
"""Pattern of a street with any name, recognised by the postal code and town after it."""
