"""Streets of France, Spain, Italy, Poland, the Netherlands and India, with postal code and town after them."""

import re

from tasks.stages.data.protect.recognisers.address.german import STREET_ENDINGS, YEAR
from tasks.stages.data.protect.recognisers.address.patterns import CAPITALISED_WORD, SEPARATOR, UNHYPHENATED_WORD
from tasks.stages.data.protect.recognisers.alternation import alternation

PARTICLES = r"(?:(?:de la|de las|de los|de l'|de|del|della|delle|dei|degli|des|du|d'|la|le|les|el|van|van de|von)[ ]?)"
NAME = rf"{PARTICLES}?{CAPITALISED_WORD}(?:[ -]{PARTICLES}?{CAPITALISED_WORD}){{0,3}}"
NUMBER = r"\d{1,5}(?:[ ]?(?:bis|ter|[A-Za-z])(?!\w))?(?:[/-]\d{1,4})?(?!\w)"

FRENCH_TYPES = alternation(
    "rue, avenue, av\\., boulevard, bd, place, chemin, impasse, quai, allée, cours, square, route"
)
FRENCH_STREET = rf"{NUMBER},? (?i:{FRENCH_TYPES}) {NAME}"
SPANISH_TYPES = alternation(r"calle, c/, avenida, avda?\., paseo, plaza, plza\., carrer, ronda, camino, travesía")
ITALIAN_TYPES = alternation("viale, piazza, piazzale, corso, largo, vicolo, strada")
NAMED_THEN_NUMBERED = rf"(?i:{SPANISH_TYPES}|{ITALIAN_TYPES}) ?{NAME},?(?: n[.º°]?)? {NUMBER}"
VIA = rf"Via {NAME},?(?: n[.º°]?)? {NUMBER}(?=,|\n|\.?$| \d{{5}})"
"""Pattern of an Italian via. The word is also a preposition, so the address must go on or end after the number."""
POLISH_STREET = rf"(?:ul|al|pl|os)\. ?{CAPITALISED_WORD}(?: {CAPITALISED_WORD}){{0,2}} {NUMBER}(?: ?m\.? ?\d{{1,4}})?"
DUTCH_ENDINGS = alternation("straat, laan, plein, gracht, kade, dijk, singel, steeg, plantsoen, hof")
DUTCH_STREET = rf"(?:{UNHYPHENATED_WORD} )?[A-Z]\w{{2,30}}?{DUTCH_ENDINGS} {NUMBER}"
NUMBER_FIRST_GERMAN = rf"(?!{YEAR}){NUMBER} [A-ZÄÖÜ]\w{{1,30}}?{STREET_ENDINGS}(?!\w)"
"""Pattern of a German street with its number first, as forms in English print it."""
INDIAN_TYPES = alternation(
    "Road, Rd, Street, Nagar, Marg, Colony, Layout, Enclave, Sector, Cross, Main, Chowk, Bazaar, Vihar"
)
INDIAN_STREET = (
    rf"(?:(?i:flat|house|plot|door|h)\.? ?(?i:no\.?)? ?)?{NUMBER},? "
    rf"(?:{CAPITALISED_WORD},? ){{1,4}}{INDIAN_TYPES}(?: \d{{1,3}})?"
)
STREET = re.compile(
    rf"(?<![\w.,/-])(?:{FRENCH_STREET}|{NAMED_THEN_NUMBERED}|{VIA}|{POLISH_STREET}|{DUTCH_STREET}|{NUMBER_FIRST_GERMAN})"
)

CODES = alternation(r"\d{2}-\d{3}, \d{4} ?[A-Z]{2}, \d{5}, \d{4}")
TOWN_AFTER = re.compile(
    rf"{SEPARATOR}(?:{CODES} )?{UNHYPHENATED_WORD}(?:[ -]{UNHYPHENATED_WORD}){{0,2}}(?: \([A-Z]{{2}}\))?"
)
CODE_AND_TOWN = re.compile(
    rf"(?<![\w-])\d{{2}}-\d{{3}} {UNHYPHENATED_WORD}|(?<![\w-])\d{{4}} ?[A-Z]{{2}} {UNHYPHENATED_WORD}"
)
"""Pattern of a Polish or Dutch postal code and town, which stand alone as well."""
INDIAN_ADDRESS = re.compile(
    rf"(?<![\w/-]){INDIAN_STREET}(?:,? {CAPITALISED_WORD}){{0,4}}[ ,-]{{1,3}}[1-9]\d{{2}} ?\d{{3}}(?!\d)"
)
"""Pattern of an Indian street, town and postal index number. Without that number it may be any English street."""
COUNTRIES = alternation(
    """Germany, Austria, Switzerland, France, Italy, Spain, Netherlands, Poland, Belgium, Denmark, Sweden, Norway,
    United Kingdom, United States, Canada, Australia, New Zealand, India, Deutschland, Österreich, Schweiz"""
)
CODE_AFTER_COUNTRY = re.compile(rf"(?<!\w){COUNTRIES}[ ,]{{1,2}}(\d{{4,5}})(?!\d)(?=[\n,.;]|$)")
