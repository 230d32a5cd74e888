"""Identifiers that have a form: true and false ones of each kind."""

import pytest

from tasks.stages.data.protect.recognisers.detector import CATEGORY_BY_KIND
from tests.stages.data.recognise.seen import kinds, seen

TRUE = [
    ("My IBAN is DE89 3704 0044 0532 0130 00, thanks", "DE89 3704 0044 0532 0130 00", "IBAN_CODE"),
    ("iban: gb29nwbk60161331926819", "gb29nwbk60161331926819", "IBAN_CODE"),
    ("IBAN DE89 3704 0044 0532 0130 01 mistyped", "DE89 3704 0044 0532 0130 01", "IBAN_CODE"),
    ("card 4111 1111 1111 1111 please", "4111 1111 1111 1111", "CREDIT_CARD"),
    ("it is 378282246310005", "378282246310005", "CREDIT_CARD"),
    ("card 4111111111111111, cvv 123", "123", "CARD_DETAIL"),
    ("SSN 219-09-9999 on file", "219-09-9999", "US_SSN"),
    ("my ITIN is 912-70-1234", "912-70-1234", "US_ITIN"),
    ("Medicare 1EG4-TE5-MK73", "1EG4-TE5-MK73", "US_MBI"),
    ("NI number AB 12 34 56 C", "AB 12 34 56 C", "UK_NINO"),
    ("NHS 943 476 5919", "943 476 5919", "UK_NHS"),
    ("driver MORGA657054SM9IJ here", "MORGA657054SM9IJ", "UK_DRIVING_LICENCE"),
    ("sort code 12-34-56", "12-34-56", "SORT_CODE"),
    ("Steuer-ID 86 095 742 719", "86 095 742 719", "DE_TAX_ID"),
    ("beim Finanzamt 93/815/08152", "93/815/08152", "DE_TAX_NUMBER"),
    ("Sozialversicherungsnummer 15 070649 C 103", "15 070649 C 103", "DE_SOCIAL_SECURITY"),
    ("Krankenversichertennummer A123456780", "A123456780", "DE_HEALTH_INSURANCE"),
    ("Personalausweis L01X00T471", "L01X00T471", "DE_ID_CARD"),
    ("Tel. 030/1234567", "030/1234567", "PHONE_NUMBER"),
    ("erreichbar unter +49 (0)171 1234567", "+49 (0)171 1234567", "PHONE_NUMBER"),
    ("call me at (212) 555-0187 ext. 12", "(212) 555-0187 ext. 12", "PHONE_NUMBER"),
    ("write to a.b@example.com", "a.b@example.com", "EMAIL_ADDRESS"),
    ("anna [at] web [punkt] de", "anna [at] web [punkt] de", "EMAIL_ADDRESS"),
    ("from 192.168.178.23 again", "192.168.178.23", "IP_ADDRESS"),
    ("und 2001:db8::8a2e:370:7334 auch", "2001:db8::8a2e:370:7334", "IP_ADDRESS"),
    ("device 00:1A:2B:3C:4D:5E", "00:1A:2B:3C:4D:5E", "MAC_ADDRESS"),
    ("I was born on 12 March 1980", "12 March 1980", "DATE_OF_BIRTH"),
    ("geb. 3.5.1979", "3.5.1979", "DATE_OF_BIRTH"),
    ("Ada Lovelace, * 10.12.1915, London", "10.12.1915", "DATE_OF_BIRTH"),
    ("DOB: 12 01 1974", "12 01 1974", "DATE_OF_BIRTH"),
    ("device AB-CD-EF-A1-BC-DE", "AB-CD-EF-A1-BC-DE", "MAC_ADDRESS"),
    ("switch 00ab.12cd.ef34", "00ab.12cd.ef34", "MAC_ADDRESS"),
    ("medical record no. 76-50-72", "76-50-72", "MEDICAL_RECORD"),
    ("BLZ 370 400 44", "370 400 44", "ACCOUNT"),
    ("Green card number ABC1234567890", "ABC1234567890", "ID_NUMBER"),
    ("MRN: 00-12345-A", "00-12345-A", "MEDICAL_RECORD"),
    ("insurance number W123456789", "W123456789", "HEALTH_INSURANCE"),
    ("my account number is 12345678", "12345678", "ACCOUNT"),
    ("Kundennr. 4711-2233", "4711-2233", "CUSTOMER"),
    ("passport number 533380006", "533380006", "PASSPORT"),
    ("driving licence number: 1234-5678", "1234-5678", "DRIVER_LICENSE"),
    ("Kennzeichen: B-AB 1234", "B-AB 1234", "VEHICLE"),
    ("PESEL 44051401359", "44051401359", "PL_PESEL"),
    ("mi DNI es 12345678Z", "12345678Z", "ES_DNI"),
    ("NIE X-1234567-L", "X-1234567-L", "ES_DNI"),
    ("codice fiscale MRTMTT91D08F205J", "MRTMTT91D08F205J", "IT_TAX_CODE"),
    ("Sécurité sociale 1 85 05 78 006 084 91", "1 85 05 78 006 084 91", "FR_NIR"),
    ("my Aadhaar is 2341 2341 2346", "2341 2341 2346", "IN_AADHAAR"),
    ("PAN: ABCPE1234F", "ABCPE1234F", "IN_PAN"),
    ("tax file number 123 456 782", "123 456 782", "AU_TFN"),
    ("SIN 046 454 286", "046 454 286", "CA_SIN"),
    ("BSN 111222333", "111222333", "NL_BSN"),
    ("CPF 111.444.777-35", "111.444.777-35", "BR_CPF"),
    ("geboren\nam 12.3.1980", "12.3.1980", "DATE_OF_BIRTH"),
    ("Geburtsdatum (laut Ausweis)\n12.03.1980", "12.03.1980", "DATE_OF_BIRTH"),
    ("Born\n(12/03/1980)", "12/03/1980", "DATE_OF_BIRTH"),
    ("patient of ward 3, case number 640533", "640533", "MEDICAL_RECORD"),
]
FALSE = [
    ("order 4512-8890 of 12/03/2024", set()),
    ("version 12.4.1 and error code 500123", set()),
    ("a card 4111 1111 1111 1112? no: ticket 4111", {"IBAN_CODE", "US_SSN", "PHONE_NUMBER"}),
    ("GB29 is not yet an account", set()),
    ("release 10.0.0.1 of version 1.2.3.4", {"MAC_ADDRESS", "PHONE_NUMBER"}),
    ("invoice 2024-000781 over $1,299.00", set()),
    ("Meeting moved from 10:30 to 14:00 in room 204", set()),
    ("meet me at 5 @ the office", set()),
    ("the contract of 12.03.2024 is void", set()),
    ("customer number 2024", set()),
    ("* 12.03.2024 the parcel arrived\n* Invoice of 13.03.2024", set()),
    ("the contract number is of 12.03.2024", set()),
    ("block 1234.5678.9012 of the list", {"MAC_ADDRESS"}),
    ("my case 135109 is still open", set()),
    ("Article number 47435600 is out of stock", set()),
    ("Ersatzteil 056.727.82 bestellen", set()),
    ("Serial number BX708601", set()),
    ("The id is 4b1e0f91-1445-494b-bab0-d7e960e836a3.", set()),
    ("order 44051401358 and parcel 12345678A", set()),
    ("no account here: 123 456 782", {"AU_TFN", "CA_SIN", "NL_BSN"}),
    ("parcel 123 456 782 came before my tax file number was asked for", {"AU_TFN"}),
    ("call 12345678-0123-4567-8901-234567890123 again", {"PHONE_NUMBER"}),
]


@pytest.mark.parametrize(("text", "value", "kind"), TRUE)
def test_a_true_one_is_found_whole_and_named(text: str, value: str, kind: str) -> None:
    assert (value, kind) in seen(text) and kind in CATEGORY_BY_KIND


@pytest.mark.parametrize(("text", "never"), FALSE)
def test_what_only_looks_like_one_is_left(text: str, never: set[str]) -> None:
    assert not kinds(text) if not never else not kinds(text) & never


def test_no_class_waits_for_a_kind_that_nothing_finds() -> None:
    told = {kind for _, _, kind in TRUE}
    assert set(CATEGORY_BY_KIND) - told == {"PERSON", "ADDRESS", "CREDENTIAL", "HEALTH"}
