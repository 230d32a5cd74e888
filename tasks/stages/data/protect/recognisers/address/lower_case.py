"""Addresses in lower case, as people type them: "wohne in der gartenstr. 5 in 79098 freiburg"."""

import re

from tasks.stages.data.protect.recognisers.address.german import HOUSE_NUMBER
from tasks.stages.data.protect.recognisers.alternation import alternation

WORD = r"[a-zà-ÿß]{2,25}"
STREET_ENDINGS = alternation(r"straße, strasse, str\.?, weg, allee, platz, gasse, ring, damm, ufer, chaussee")
ADJECTIVES = alternation("alte[rs]?, neue[rs]?, lange[r]?, große[rs]?, kleine[rs]?, obere[rs]?, untere[rs]?, hohe[rs]?")
GERMAN_STREET = re.compile(
    rf"(?<![\w.-])(?:{ADJECTIVES} {STREET_ENDINGS}|(?:{WORD}-){{0,3}}[a-zà-ÿß]{{2,25}}?{STREET_ENDINGS}) {HOUSE_NUMBER}"
)
TOWN = re.compile(
    rf"(?<!\w)(?:in|aus|nach|plz:?|wohnort:?) (\d{{5}} {WORD}(?:[ -](?:am|an der|im|in|ob der) {WORD})?)(?!\w)"
)
"""Pattern of a postal code and town after a word of place. Elsewhere five digits and a word may be a count."""
TOWN_AFTER = re.compile(rf"(?:,| in|,? in)? ?\d{{5}} {WORD}(?: (?:am|an der|im) {WORD})?")
ENGLISH_TYPES = alternation(
    "street, road, avenue, lane, drive, boulevard, close, crescent, court, terrace, place, square, rd, ave, blvd, ln"
)
ENGLISH_STREET = re.compile(rf"(?<![\w.,/$€£-])\d{{1,5}}[a-z]? (?:{WORD} ){{1,3}}?{ENGLISH_TYPES}(?!\w)")
BRITISH_CODE = r"[a-z]{1,2}\d[a-z\d]? ?\d[a-z]{2}"
ENGLISH_TOWN_AFTER = re.compile(rf",? (?:in )?(?:{WORD},? ){{1,3}}(?:[a-z]{{2}} )?(?:\d{{5}}|{BRITISH_CODE})(?!\w)")
