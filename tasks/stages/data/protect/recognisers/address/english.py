"""Streets of English-speaking countries: number, name, type of street and flat."""

import re

from tasks.stages.data.protect.recognisers.address.patterns import CAPITALISED_WORD
from tasks.stages.data.protect.recognisers.alternation import alternation

STREET_TYPES = alternation(
    """alley, annex, arcade, avenue, ave, bayou, beach, bend, bluffs?, bottom, boulevard, blvd, branch, bridge,
    brooks?, burgs?, bypass, camp, canyon, cape, causeway, centers?, centres?, circles?, cliffs?, club, commons?,
    corners?, course, courts?, ct, coves?, creek, crescent, cres, crest, crossing, crossroad, curve, dale, dam,
    divide, drives?, dr, estates?, expressway, extensions?, falls?, ferry, fields?, flats?, fords?, forest, forges?,
    forks?, fort, freeway, gardens?, gateway, glens?, greens?, groves?, harbors?, haven, heights, highway, hwy,
    hills?, hollow, inlet, islands?, isle, junctions?, keys?, knolls?, lakes?, landing, lane, ln, lights?, loaf,
    locks?, lodge, loop, mall, manors?, meadows?, mews, mills?, mission, motorway, mount, mountains?, neck, orchard,
    oval, overpass, parks?, parkways?, pkwy, pass, passage, path, pike, pines?, places?, pl, plains?, plaza,
    points?, ports?, prairie, radial, ramp, ranch, rapids?, rest, ridges?, river, roads?, rd, route, row, rue, run,
    shoals?, shores?, skyway, springs?, spurs?, squares?, sq, station, stravenue, stream, streets?, st, summit,
    terrace, throughway, trace, track, trafficway, trail, trailer, tunnel, turnpike, underpass, unions?, valleys?,
    via, viaduct, views?, villages?, ville, vista, walks?, wall, ways?, wells?, close, drive, rise, row, hill,
    green, gate, wharf, yard, parade, quay"""
)
"""Street types from USPS Publication 28, appendix C1, and British ones."""
UNAMBIGUOUS_STREET_TYPES = alternation(
    """Street, Road, Avenue, Lane, Drive, Boulevard, Close, Crescent, Terrace, Mews, Grove, Gardens, Parkway, Way,
    Highway, Rd, Ave, Blvd, Pkwy, Ln"""
)
"""Street types that identify a street even without a house number."""
UNIT_NAMES = alternation("apt, apartment, suite, ste, unit, flat, room, floor, studio, bldg, building, #")
UNIT = rf"(?:,?[ \n]{{0,2}}{UNIT_NAMES}\.? ?[#\-]?\w{{1,6}})"
FLAT = r"(?i:flat|apartment|unit|studio|suite|apt\.?) ?\w{1,4},?[ \n](?:\d{1,6}[A-Za-z]?,?[ \n])?"
HOUSE_NUMBER = r"\d{1,6}[A-Za-z]?(?:[-/]\d{1,4})?,?[ \n]"
ORDINAL = r"\d{1,3}(?:st|nd|rd|th) "
STREET = re.compile(
    rf"(?<![\w.,/-])(?:{FLAT}|{HOUSE_NUMBER})(?:[NSEW]\.?[EW]?\.? )?(?:{CAPITALISED_WORD}\.? "
    rf"|{ORDINAL}){{1,4}}(?i:{STREET_TYPES})(?!\w)\.?"
    rf"(?: [NSEW][EW]?(?!\w))?(?i:{UNIT})?"
)
UNNUMBERED_STREET = re.compile(
    r"(?<!\w)(?!(?:Google|Hard|Flash|Tape|Test) Drive)"
    rf"(?:{CAPITALISED_WORD} |{ORDINAL}){{1,3}}{UNAMBIGUOUS_STREET_TYPES}(?!\w)(?i:{UNIT})?"
)
UNIT_ALONE = re.compile(r"(?<!\w)(?:Apt|Apartment|Suite|Flat|Studio)\.? (?:#|No\.? ?)?\d{1,5}[A-Za-z]?(?!\w)")
POST_OFFICE_BOX = re.compile(
    r"(?i:\b(?:p\.? ?o\.? ?box|postfach|psc|unit) \d[\d ]{0,8}\d?(?:,? box \d{1,5})?)"
    rf"|\bUS(?:NS|S|CGC) {CAPITALISED_WORD}(?=[\n,]{{1,2}}[FAD]PO)"
)
"""Pattern of a post office box, or of the unit or ship in a military address."""
