"""Addresses of Germany, Austria and Switzerland: street and house number, then postal code and town.

A number from 1900 to 2099 counts as a year, not as a house number ("Im Jahr 2024") or a postal code ("seit 2019
Kunde"). House numbers do not reach that range. Swiss and Austrian towns with such a code are recognised by a list of
their names, after a street, or after the letter of the country.
"""

import re

from tasks.stages.data.protect.recognise.address.words import BARE, CAP, GAP
from tasks.stages.data.protect.recognise.data import lists
from tasks.stages.data.protect.recognise.wording import either

ENDINGS = either(
    r"""straße, strasse, str\.?, weg, allee, platz, gasse, ring, damm, ufer, chaussee, steig, pfad, graben, markt, wall,
    hof, stieg, kamp, berg, park, tor, twiete, promenade, zeile"""
)
TYPES = either(r"Straße, Strasse, Str\.?, Weg, Allee, Platz, Gasse, Ring, Damm, Ufer, Chaussee, Hof, Markt")
PLACES = either("Am, An der, An den, Im, In der, In den, Zum, Zur, Auf der, Auf dem, Unter den, Hinter der, Vor dem")
JOINED = rf"(?:{BARE}[ -]){{0,3}}[A-ZÄÖÜ]\w{{1,30}}?{ENDINGS}"
"""Street whose type is part of its name, such as "Lindenstraße" or "Karl-Marx-Allee"."""
APART = rf"(?:{BARE}[ -]){{1,3}}{TYPES}"
"""Street whose type is a separate word, such as "Berliner Straße"."""
PLACED = rf"{PLACES} {CAP}"
"""Street named by its location, such as "Am Stadtgarten"."""
YEAR = r"(?:19|20)\d\d(?!\d)"
HOUSE = rf"(?!{YEAR})" + r"\d{1,4}[ /\-]?\d{0,3}(?:[ ]?[a-zA-Z](?![\w]))?(?![\w])"
STREET = re.compile(rf"(?<![\w-])(?:{JOINED}|{APART}|{PLACED})[ \n]{{1,2}}{HOUSE}")

BY = either("am, an der, im, in, ob der, vor der, bei, AM, AN DER, IM, IN")
COUNTRY = r"(?:(?:D|DE|A|AT|CH)-)"
LIKE_YEARS = either(", ".join(map(re.escape, lists.lines("towns_like_years"))))
ANY_CODE = rf"{COUNTRY}?\d{{4,5}} {BARE}"
NO_YEAR = rf"(?:(?!{YEAR}){ANY_CODE}|{LIKE_YEARS}(?!\w))"
MORE = rf"(?:[ /-]{BY}(?= ))?(?:[ /-]{BARE}){{0,2}}(?: \({CAP}\))?"
TOWN_FORM = rf"{NO_YEAR}{MORE}"
"""Postal code and town, such as "60311 Frankfurt am Main"."""
COUNTED = either(
    "Euro, EUR, Dollar, USD, Pound, GBP, Franken, CHF, Stück, Uhr, Mal, Tage, Kunden, Personen, Users?, People"
)
TOWN = re.compile(rf"(?<![\w.,-])(?!\d{{1,9}} {COUNTED}s?\b){TOWN_FORM}")
TOWN_AFTER = re.compile(
    rf"{GAP}(?:in )?{ANY_CODE}{MORE}|{GAP}(?:in )?\d{{5}}(?!\d)|,? (?:in )?(?=[A-ZÄÖÜ]){CAP}(?=[ \n,.;!?]|$)"
)
ONE_IS_NO_YEAR = rf"(?!{YEAR} ?[a-z]?[,\n] ?{YEAR})"
ANY = re.compile(rf"(?<![\w-])(?:{BARE}[ -]){{1,4}}{ONE_IS_NO_YEAR}\d{{1,4}} ?[a-z]?[,\n] ?{ANY_CODE}{MORE}")
"""Street with any name, recognised by the postal code and town after it."""
