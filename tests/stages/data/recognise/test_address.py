import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.stages.data.protect.recognisers.address import address
from tests.stages.data.recognise.seen import kinds, seen


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("Ich wohne in der Lindenstraße 12a, 10969 Berlin", "Lindenstraße 12a, 10969 Berlin"),
        ("Berliner Str. 5\n60311 Frankfurt am Main", "Berliner Str. 5\n60311 Frankfurt am Main"),
        ("Lindenstraße 4, 2031 Eggendorf", "Lindenstraße 4, 2031 Eggendorf"),
        ("Holzschachen 30, 2002 Ottendorf", "Holzschachen 30, 2002 Ottendorf"),
        ("ein Paket nach 1950 Sion", "1950 Sion"),
        ("ein Paket nach A-2099 Neudorf", "A-2099 Neudorf"),
        ("Baumallee 2070, 57945 Euskirchen", "Baumallee 2070, 57945 Euskirchen"),
        ("Am Stadtgarten 3, 1010 Wien", "Am Stadtgarten 3, 1010 Wien"),
        ("221B Baker Street, London NW1 6XE", "221B Baker Street, London NW1 6XE"),
        ("1600 Pennsylvania Ave NW, Washington, DC 20500", "1600 Pennsylvania Ave NW, Washington, DC 20500"),
        ("12 King Street, Sydney NSW 2000", "12 King Street, Sydney NSW 2000"),
        ("send it to PO Box 1234", "PO Box 1234"),
        ("Flat 3, 10 High Street", "Flat 3, 10 High Street"),
        ("my zip code is 90210", "90210"),
        ("postcode SW1A 1AA", "SW1A 1AA"),
        ("J'habite 12 bis rue de la Paix, 75002 Paris.", "12 bis rue de la Paix, 75002 Paris"),
        ("Calle Mayor 15, 28013 Madrid", "Calle Mayor 15, 28013 Madrid"),
        ("Vive en C/ Alcalá, 42, Madrid", "C/ Alcalá, 42, Madrid"),
        ("Via Roma 12, 20121 Milano (MI)", "Via Roma 12, 20121 Milano (MI)"),
        ("ul. Długa 12/3, 00-238 Warszawa", "ul. Długa 12/3, 00-238 Warszawa"),
        ("Kerkstraat 12, 1017 GL Amsterdam", "Kerkstraat 12, 1017 GL Amsterdam"),
        ("519 Kantstrasse, Nürnberg", "519 Kantstrasse, Nürnberg"),
        ("45, Anna Nagar Main Road, Chennai 600040", "45, Anna Nagar Main Road, Chennai 600040"),
        ("wohne in der gartenstr. 5 in 79098 freiburg", "gartenstr. 5 in 79098 freiburg"),
        ("i live at 12 oak lane, springfield il 62704", "12 oak lane, springfield il 62704"),
        ("ich komme aus 86150 augsburg und", "86150 augsburg"),
        ("my new address from 27 april is 46 sample street, cologne", "46 sample street"),
        ("adresse: lange gasse 12, 86150 augsburg", "lange gasse 12, 86150 augsburg"),
        ("wohne am lindenweg 4 jetzt", "lindenweg 4"),
        ("der Brief ging nach 00-238 Warszawa zurück", "00-238 Warszawa"),
        ("shipped to New Zealand 7220\n", "7220"),
    ],
)
def test_an_address_is_found_whole(text: str, value: str) -> None:
    assert (value, "ADDRESS") in seen(text)


@pytest.mark.parametrize(
    "text",
    [
        "in 3 Working days it works",
        "Room B 204 is free",
        "the 5 Star rating of 2019",
        "Der Termin am 12 Mai ist 3 Tage spaeter",
        "I paid 5000 Euros",
        "Abschnitt 4 der Bedingungen",
        "paid via Zoom 3 times, via Email 2 times",
        "bestellung 12345 fehlt, ich habe 10000 euro bezahlt",
        "In 2024 Lindenhof expanded",
        "We keep it in Google Drive somewhere",
        "Via PayPal 20 Euro zahlen",
    ],
)
def test_numbers_beside_capitals_are_no_address(text: str) -> None:
    assert "ADDRESS" not in kinds(text)


YEARS = [
    # of texts that nobody wrote for this: handbooks, a game's peoples, a dictionary, federal laws
    "Im Jahr 2003 hat er Raphaël kontaktiert, weil er ein Buch über Debian publizieren wollte.",
    "Die heutige Republik war bis 1993 Teil der Tschechoslowakei.",
    "Im November 2007 allerdings gab er all seine Software für die Allgemeinheit frei.",
    "Bis 1922 wurde es von England regiert, dann wurde es 1949 Republik.",
    "In den Kalenderjahren 1991 bis 1993 gilt für Beiträge an Bausparkassen zusätzlich:",
    "die Aufgaben der bisherigen Bundeseisenbahnen sind bis zum 31. Dezember 1995 Sache des Bundes",
    "die bis zum 1. Juli 2019 Richtlinien zur näheren Abgrenzung erlässt",
    "gilt das Protokoll vom 12. Juli 1974 (BGBl. 1965 II S. 43)",
    "Die Sektorgröße ist 2048 Byte.",
    "vor 2000 Jahren",
    # and as customers write
    "Im Jahr 2024 habe ich gekündigt.",
    "Seit 2019 Kunde, und so etwas!",
    "Im Frühjahr 2023, 2024 Weltmeister",
]


@pytest.mark.parametrize("text", YEARS)
def test_a_year_is_no_part_of_an_address(text: str) -> None:
    assert "ADDRESS" not in kinds(text)


TIMES = st.sampled_from(
    ["Im Jahr", "Im Jahre", "Im März", "Im Sommer", "Im Herbst", "Im Geschäftsjahr", "Seit", "Bis", "Ab"]
)
NOUNS = st.sampled_from(["Kunde", "Mitglied bei Ihnen", "Teil des Vertrags", "Vorschrift", "Richtlinien", "in Rente"])


@given(TIMES, st.integers(1900, 2099), NOUNS)
def test_no_year_before_a_noun_is_one_either(when: str, year: int, noun: str) -> None:
    assert "ADDRESS" not in {span.kind for span in address.find_addresses(f"{when} {year} {noun}, und nun das.")}
