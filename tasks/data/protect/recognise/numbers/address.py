"""Postal addresses: German, British and American, in one line or over several, whole or only the street."""

import re

from tasks.data.protect.recognise.span import Span

CAP = r"[A-ZÄÖÜÀ-Ý][\w'’\-]{1,24}"
BARE = r"[A-ZÄÖÜÀ-Ý][\w'’]{1,24}"
"""Without hyphens, for where a hyphen may also stand between two words: else the ways to cut `Aa-Aa-Aa` multiply."""
GAP = r"[ \t]{0,3}(?:,|\n|;|\||-)?[ \t\n]{0,3}"

GERMAN_TYPES = "straße|strasse|str\\.?|weg|allee|platz|gasse|ring|damm|ufer|chaussee|steig|pfad|graben|markt|wall|hof|stieg|kamp|berg|park|tor|twiete|promenade|zeile"
GERMAN_STREET = re.compile(
    rf"(?<![\w-])(?:(?:{BARE}[ -]){{0,3}}[A-ZÄÖÜ]\w{{1,30}}?(?:{GERMAN_TYPES})|(?:{BARE}[ -]){{1,3}}(?:Straße|Strasse|Str\.?|Weg|Allee|Platz|Gasse|Ring|Damm|Ufer|Chaussee|Hof|Markt)"
    rf"|(?:Am|An der|An den|Im|In der|In den|Zum|Zur|Auf der|Auf dem|Unter den|Hinter der|Vor dem) {CAP})[ \n]{{1,2}}\d{{1,4}}[ /\-]?\d{{0,3}}(?:[ ]?[a-zA-Z](?![\w]))?(?![\w])"
)
GERMAN_TOWN_FORM = rf"(?:D-|DE-|A-|CH-)?\d{{4,5}} {BARE}(?:[ -](?:am|an der|im|in|ob der|vor der|bei|{BARE})(?![a-z]))?(?:[ -]{BARE})?(?: \({CAP}\))?"
GERMAN_TOWN = re.compile(rf"(?<![\w.,-]){GERMAN_TOWN_FORM}")
GERMAN_TOWN_AFTER = re.compile(
    rf"{GAP}(?:in )?{GERMAN_TOWN_FORM}|{GAP}(?:in )?\d{{5}}(?!\d)|,? (?:in )?(?=[A-ZÄÖÜ]){CAP}(?=[ \n,.;!?]|$)"
)

# USPS Publication 28 appendix C1, and what British streets are called besides.
STREET_TYPES = (
    "alley|annex|arcade|avenue|ave|bayou|beach|bend|bluffs?|bottom|boulevard|blvd|branch|bridge|brooks?|burgs?|bypass|camp|canyon|cape|causeway|centers?|centres?|circles?|cliffs?|club"
    "|commons?|corners?|course|courts?|ct|coves?|creek|crescent|cres|crest|crossing|crossroad|curve|dale|dam|divide|drives?|dr|estates?|expressway|extensions?|falls?|ferry"
    "|fields?|flats?|fords?|forest|forges?|forks?|fort|freeway|gardens?|gateway|glens?|greens?|groves?|harbors?|haven|heights|highway|hwy|hills?|hollow|inlet|islands?|isle|junctions?|keys?"
    "|knolls?|lakes?|landing|lane|ln|lights?|loaf|locks?|lodge|loop|mall|manors?|meadows?|mews|mills?|mission|motorway|mount|mountains?|neck|orchard|oval|overpass|parks?|parkways?|pkwy|pass|passage"
    "|path|pike|pines?|places?|pl|plains?|plaza|points?|ports?|prairie|radial|ramp|ranch|rapids?|rest|ridges?|river|roads?|rd|route|row|rue|run|shoals?|shores?|skyway|springs?|spurs?|squares?|sq"
    "|station|stravenue|stream|streets?|st|summit|terrace|throughway|trace|track|trafficway|trail|trailer|tunnel|turnpike|underpass|unions?|valleys?|via|viaduct|views?|villages?|ville|vista"
    "|walks?|wall|ways?|wells?|close|drive|rise|row|hill|green|gate|wharf|yard|parade|quay"
)
UNIT = r"(?:,?[ \n]{0,2}(?:apt|apartment|suite|ste|unit|flat|room|floor|studio|bldg|building|#)\.? ?[#\-]?\w{1,6})"
ENGLISH_STREET = re.compile(
    rf"(?<![\w.,/-])(?:(?i:flat|apartment|unit|studio|suite|apt\.?) ?\w{{1,4}},?[ \n](?:\d{{1,6}}[A-Za-z]?,?[ \n])?|\d{{1,6}}[A-Za-z]?(?:[-/]\d{{1,4}})?,?[ \n])(?:[NSEW]\.?[EW]?\.? )?(?:{CAP}\.? |\d{{1,3}}(?:st|nd|rd|th) ){{1,4}}(?i:{STREET_TYPES})(?!\w)\.?(?: [NSEW][EW]?(?!\w))?(?i:{UNIT})?"
)
UNIT_ALONE = re.compile(r"(?<!\w)(?:Apt|Apartment|Suite|Flat|Studio)\.? (?:#|No\.? ?)?\d{1,5}[A-Za-z]?(?!\w)")
UNNUMBERED = re.compile(
    rf"(?<!\w)(?:{CAP} ){{1,3}}(?:Street|Road|Avenue|Lane|Drive|Boulevard|Close|Crescent|Terrace|Mews|Grove|Gardens)(?!\w)(?i:{UNIT})?"
)
STATES = (
    "A[AEKLPRSZ]|C[AOT]|D[CE]|F[LM]|G[AU]|HI|I[ADLN]|K[SY]|LA|M[ADEHINOPST]|N[CDEHJMVY]|O[HKR]|P[ARW]|RI|S[CD]|T[NX]|UT|V[AIT]|W[AIVY]"
    "|Alabama|Alaska|Arizona|Arkansas|California|Colorado|Connecticut|Delaware|Florida|Georgia|Hawaii|Idaho|Illinois|Indiana|Iowa|Kansas|Kentucky|Louisiana|Maine|Maryland|Massachusetts"
    "|Michigan|Minnesota|Mississippi|Missouri|Montana|Nebraska|Nevada|New Hampshire|New Jersey|New Mexico|New York|North Carolina|North Dakota|Ohio|Oklahoma|Oregon|Pennsylvania|Rhode Island"
    "|South Carolina|South Dakota|Tennessee|Texas|Utah|Vermont|Virginia|Washington|West Virginia|Wisconsin|Wyoming"
)
AMERICAN_TOWN = re.compile(rf"(?<!\w)(?:{CAP}[ ]){{0,2}}{CAP},?[ ](?:{STATES}),? \d{{5}}(?:-\d{{4}})?(?!\d)")
AMERICAN_TOWN_AFTER = re.compile(
    rf"{GAP}(?:in )?(?:{CAP}[ ]){{0,2}}{CAP},? (?:{STATES})(?!\w)(?:,? \d{{5}}(?:-\d{{4}})?(?!\d))?|{GAP}(?:in )?(?:{CAP}[ ]){{0,2}}{CAP}{GAP}\d{{5}}(?!\d)"
)
POSTCODE_FORM = r"(?:GIR ?0AA|[A-PR-UWYZ](?:\d{1,2}|[A-HK-Y]\d(?:\d|[ABEHMNPRV-Y])?|\d[A-HJKPSTUW]) {0,2}\d[ABD-HJLNP-UW-Z]{2})(?!\w)"
"""British postcode (BS 7666)."""
POSTCODE = re.compile(rf"(?<!\w){POSTCODE_FORM}")
BRITISH_AFTER = re.compile(rf"(?:{GAP}(?:{BARE}[ -]?){{1,4}}){{1,3}}?{GAP}{POSTCODE_FORM}|{GAP}{POSTCODE_FORM}")
ABROAD_AFTER = re.compile(
    rf"(?:{GAP}(?:{BARE}[ -]?){{1,4}}){GAP}(?:(?:AB|BC|MB|NB|NL|NS|NT|NU|ON|PE|QC|SK|YT),? [A-Z]\d[A-Z] ?\d[A-Z]\d|(?:NSW|VIC|QLD|SA|WA|TAS|ACT|NT),? \d{{4}}|\d{{4}})(?!\d)"
)
"""Canada, Australia, New Zealand."""
TOWN_AFTER = re.compile(rf",[ \n](?:in )?(?:{BARE}[ -]?){{1,4}}(?=[,.;!?\n]|$)")
BOX = re.compile(
    rf"(?i:\b(?:p\.? ?o\.? ?box|postfach|psc|unit) \d[\d ]{{0,8}}\d?(?:,? box \d{{1,5}})?)|\bUS(?:NS|S|CGC) {CAP}(?=[\n,]{{1,2}}[FAD]PO)"
)
MILITARY_AFTER = re.compile(r"[ ,\n]{1,3}[FAD]PO,? A[AEP] \d{5}")
ZIP_NAMED = re.compile(
    r"(?i)\b(?:zip(?: ?code)?|post(?:al )?code|plz|postleitzahl)\W{1,4}(?:(?:is|ist|lautet|code)\W{1,3})?(\d{4,5}(?:-\d{4})?)(?!\d)"
)


def find(text: str) -> list[Span]:
    """.95 a street with its town, .88 a street, .7 a town with its code or a code alone."""
    spans = [_grown(text, m, (GERMAN_TOWN_AFTER,)) for m in GERMAN_STREET.finditer(text)]
    spans += [
        _grown(text, m, (AMERICAN_TOWN_AFTER, BRITISH_AFTER, ABROAD_AFTER, TOWN_AFTER))
        for m in ENGLISH_STREET.finditer(text)
    ]
    spans += [_grown(text, m, (MILITARY_AFTER, AMERICAN_TOWN_AFTER)) for m in BOX.finditer(text)]
    for form, score in (
        (AMERICAN_TOWN, 0.75),
        (POSTCODE, 0.75),
        (GERMAN_TOWN, 0.65),
        (UNNUMBERED, 0.65),
        (UNIT_ALONE, 0.6),
    ):
        spans += [Span(*m.span(), "ADDRESS", score) for m in form.finditer(text)]
    return spans + [Span(*m.span(1), "ADDRESS", 0.85) for m in ZIP_NAMED.finditer(text)]


def _grown(text: str, street: re.Match[str], tails: tuple[re.Pattern[str], ...]) -> Span:
    """The street and the town behind it, by the first tail that matches."""
    for tail in tails:
        if town := tail.match(text, street.end()):
            return Span(street.start(), town.end(), "ADDRESS", 0.95)
    return Span(*street.span(), "ADDRESS", 0.88)
