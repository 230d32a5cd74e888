import pytest

from tests.data.recognise.seen import kinds, seen


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("Ich wohne in der Lindenstraße 12a, 10969 Berlin", "Lindenstraße 12a, 10969 Berlin"),
        ("Berliner Str. 5\n60311 Frankfurt am Main", "Berliner Str. 5\n60311 Frankfurt am Main"),
        ("Am Stadtgarten 3, 1010 Wien", "Am Stadtgarten 3, 1010 Wien"),
        ("221B Baker Street, London NW1 6XE", "221B Baker Street, London NW1 6XE"),
        ("1600 Pennsylvania Ave NW, Washington, DC 20500", "1600 Pennsylvania Ave NW, Washington, DC 20500"),
        ("12 King Street, Sydney NSW 2000", "12 King Street, Sydney NSW 2000"),
        ("send it to PO Box 1234", "PO Box 1234"),
        ("Flat 3, 10 High Street", "Flat 3, 10 High Street"),
        ("my zip code is 90210", "90210"),
        ("postcode SW1A 1AA", "SW1A 1AA"),
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
    ],
)
def test_numbers_beside_capitals_are_no_address(text: str) -> None:
    assert "ADDRESS" not in kinds(text)
