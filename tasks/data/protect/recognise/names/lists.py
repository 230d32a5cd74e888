"""Name lists and the words that look like names. Made by `build_lists.py`, which names their sources and licences."""

from functools import lru_cache
from pathlib import Path

DATA = Path(__file__).parent / "data"

AMBIGUOUS = frozenset(
    "ace alba alma amber angel april art august autumn baby bear beat bell berg bill billy blue bobby bonus boss brandy brook buck bud candy carol case cash cat chance charity chase cherry chip christian"
    " china christmas clay coral constant cook crystal daisy dale dawn day dean delta destiny dick dollar don dot drew duke earl early easter echo eden else ernst ever faith fay fern fine ford fox frank frost genesis gene"
    " georgia glen glory golden grace grant gray green guy happy hazel heather heaven henry-card holly honey hope hunter india indigo iris isle ivory ivy jack jade january jasmine jean jersey jewel job joy judge june"
    " justice karma king kitty lance lane latin legend liberty lily lot love lucky major man many mark martin mason max may melody mercedes mercy mia miles mini misty moon music my nelson noble north olive opal page paris"
    " pat patience peace pearl penny pepper phoenix piper plan precious price prince princess queen rain raven ray red reed rich river rob robin rocky rose rosa rosen royal ruby rusty sage salt sam sandy saturn savannah season"
    " sea see shade shadow shelly sierra silver sky sol sommer son song sonny spring star stein stella stern sterling stone storm sue summer sunny sunshine terra tab teal tiger tip topaz trinity troy true tuesday unique"
    " valentine van velvet victor victory viola violet virginia visa wade ward wave west whisper will willow winter wolf young zone ali an in jo la le ok pa so us von ja kam kim per line long floor gun carry jung bett dann darin oma among ash"
    " auto gerade heute kai kann karl-heinz gut immer kein land mai mir nur oft rad rolle welt wien wort zeit dank lust rat hand herr frau karte konto liebe mut not ton tor euro post bank kurt-card april juni juli mal april ende".split()
)
"""Also ordinary words: names only with a family name, a title or a cue beside them."""

NOT_NAMES = frozenset(
    (
        "i i'm i've i'd i'll it is he she we you they my your our his her their this that these those the a an and or but if when where why what who how which there here then so as at by for from in of off on to up with without "
        "not no yes ok okay please thanks thank hi hello hey dear good morning afternoon evening best kind regards sincerely cheers greetings sorry could would should can may might must do does did have has had be been am are was were will shall let "
        "just also after before because since once while until during all any some every each both many most more much only even still already again now today tomorrow yesterday "
        "monday tuesday wednesday thursday friday saturday sunday january february march april may june july august september october november december jan feb mar apr jun jul aug sep sept oct nov dec mon tue wed thu fri sat sun "
        "mr mrs ms miss mx dr prof sir madam herr frau herrn fräulein hr fr dipl ing "
        "account card bank pay payment refund transfer balance money cash order invoice ticket case number code pin password email phone app support customer service team department manager client user id help issue error problem question "
        "visa mastercard maestro american express apple google samsung amazon paypal microsoft facebook whatsapp instagram twitter iphone ipad android windows mac chrome safari firefox netflix uber airbnb ebay sepa swift iban bic atm pos kyc vat usd eur gbp chf aud sim sms otp tan url api faq pdf gps wifi usb dvd tv pc "
        "english german french spanish italian european british american uk us usa eu europe england scotland wales ireland germany france spain italy austria switzerland poland turkey india china japan australia canada london berlin paris munich münchen hamburg frankfurt köln wien zürich york new north south east west great united states kingdom "
        "street road avenue lane drive city town county state country zip postcode address name surname first last middle full birth date year month day week hour time street "
        "ltd inc llc gmbh ag kg co corp corporation company group plc university college school hospital clinic church hotel airport station center centre "
        "ich du er sie es wir ihr mein meine meinem meinen meiner dein ihre ihrem ihren unser unsere der die das den dem des ein eine einen einem einer kein keine und oder aber wenn wann wo warum was wer wie welche hier da dann so als am an auf aus bei bis durch für gegen im in ins mit nach ohne seit um unter von vom vor während wegen zu zum zur "
        "nicht ja nein bitte danke vielen hallo guten tag morgen abend liebe lieber sehr geehrte geehrter geehrten damen herren beste viele freundlichen freundliche grüße grüßen gruß gruss mfg lg vg hochachtungsvoll können könnte würde sollte kann muss habe hat hatte haben sind ist war waren wird werden wurde "
        "montag dienstag mittwoch donnerstag freitag samstag sonntag sonnabend januar februar märz april mai juni juli august september oktober november dezember "
        "konto karte bank zahlung überweisung geld rechnung bestellung bestellnummer kundennummer nummer kunde kundin kunden kundenservice anfrage problem frage fehler hilfe antwort mail e-mail telefon handy passwort kennwort vertrag versicherung adresse anschrift straße strasse platz weg allee ort stadt land name vorname nachname geburtsdatum geburtstag datum jahr monat woche uhr "
        "deutschland österreich schweiz europa deutsch englisch herzlichen herzliche schöne schönen ps betreff anbei leider gerne außerdem nun noch schon gestern heute morgen könnten würden hätte mr. "
        "re fwd cc bcc subject sent attachment note urgent update reference ref transaction statement passport licence license driver driver's contact call send let make get got go going need want tried trying check see look since hope looking "
        "sent mother father brother sister wife husband son daughter colleague friend boss patient doctor nurse mutter vater bruder schwester frau mann sohn tochter kollege kollegin freund freundin chef patient patientin arzt ärztin nachbar nachbarin".split()
    )
)
"""Capitalised in ordinary text, in English or German, and part of no name."""

GERMAN_NOUN = tuple(
    "ung ungen heit heiten keit keiten schaft schaften tion tionen tät täten nis nisse tum ment mente ismus ling chen lein nummer karte konto schein daten zeit tag geld buch haus betrag gebühr service dienst vertrag antrag "
    "kosten preis konto rechnung stelle seite weise fall termin system gerät problem fehler bank".split()
)
"""Endings that say noun, not family name."""


@lru_cache(maxsize=1)
def given() -> frozenset[str]:
    """Given names, lower-case."""
    return _read("given") - {w for w in NOT_NAMES if w not in AMBIGUOUS}


@lru_cache(maxsize=1)
def family() -> frozenset[str]:
    """Family names, lower-case."""
    return _read("family") - NOT_NAMES


@lru_cache(maxsize=1)
def common_family() -> frozenset[str]:
    """The thousand commonest family names of the United States and those that faker has for Germany and Austria."""
    return _read("family_common") - NOT_NAMES


@lru_cache(maxsize=1)
def english() -> frozenset[str]:
    """WordNet's nouns, verbs, adjectives and adverbs, lower-case base forms; places and famous people among them."""
    return _read("english")


@lru_cache(maxsize=65536)
def is_english(word: str) -> bool:
    """Whether WordNet has a word, or what it is without a common ending."""
    low = word.lower()
    stems = (low, *(low.removesuffix(e) for e in ("s", "es", "ed", "d", "ing", "er", "ly") if low.endswith(e)))
    return low in words() or any(stem in english() or stem + "e" in english() for stem in stems)


@lru_cache(maxsize=1)
def words() -> frozenset[str]:
    """Frequent words of both languages, lower-case."""
    return _read("words") | NOT_NAMES


def is_word(word: str) -> bool:
    """Whether a capitalised word is an ordinary one."""
    low = word.lower()
    return low in words() or (len(low) > 6 and low.endswith(GERMAN_NOUN) and low not in family())


def _read(name: str) -> frozenset[str]:
    return frozenset((DATA / f"{name}.txt").read_text(encoding="utf-8").split())
