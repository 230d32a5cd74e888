"""Check digits: published samples pass, and of ten last digits only one does."""

import string
from collections.abc import Callable

import pytest

from tasks.stages.data.protect.recognisers.numbers import check_digits

SAMPLES = [
    (check_digits.is_valid_luhn, "4111111111111111"),
    (check_digits.is_valid_iban, "DE89370400440532013000"),
    (check_digits.is_valid_german_tax_id, "86095742719"),
    (check_digits.is_valid_german_pension_number, "15070649C103"),
    (check_digits.is_valid_german_health_number, "A123456780"),
    (check_digits.is_valid_icao, "L01X00T471"),
    (check_digits.is_valid_nhs_number, "9434765919"),
    (check_digits.is_valid_aba_number, "011000015"),
    (check_digits.is_valid_pesel, "44051401359"),
    (check_digits.is_valid_verhoeff, "234123412346"),
    (check_digits.is_valid_tfn, "123456782"),
    (check_digits.is_valid_bsn, "111222333"),
    (check_digits.is_valid_cpf, "11144477735"),
]


@pytest.mark.parametrize(("check", "sample"), SAMPLES, ids=lambda value: getattr(value, "__name__", value))
def test_of_ten_last_digits_one_is_right(check: Callable[[str], bool], sample: str) -> None:
    assert [digit for digit in "0123456789" if check(sample[:-1] + digit)] == [sample[-1]]


@pytest.mark.parametrize(
    ("check", "sample"),
    [
        (check_digits.is_valid_dni, "12345678Z"),
        (check_digits.is_valid_dni, "X1234567L"),
        (check_digits.is_valid_codice_fiscale, "MRTMTT91D08F205J"),
    ],
)
def test_of_all_last_letters_one_is_right(check: Callable[[str], bool], sample: str) -> None:
    assert [letter for letter in string.ascii_uppercase if check(sample[:-1] + letter)] == [sample[-1]]


def test_of_a_hundred_last_two_digits_of_a_nir_one_is_right() -> None:
    assert sum(check_digits.is_valid_nir(f"1850578006084{check:02d}") for check in range(100)) == 1


@pytest.mark.parametrize("digits", ["44131401357", "44053201358", "00000000000"])
def test_a_pesel_has_a_date(digits: str) -> None:
    assert not any(check_digits.is_valid_pesel(digits[:-1] + last) for last in "0123456789")


@pytest.mark.parametrize("digits", ["000121234", "666121234", "219009999", "219090000"])
def test_social_security_numbers_that_are_never_given(digits: str) -> None:
    assert not check_digits.is_possible_us_ssn(digits) and check_digits.is_possible_us_ssn("219099999")


def test_an_iban_has_the_length_of_its_country() -> None:
    assert not check_digits.is_valid_iban("DE8937040044053201300") and not check_digits.is_valid_iban(
        "XX89370400440532013000"
    )
