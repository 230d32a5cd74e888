"""Numbers and keys with valid check digits, from ranges that are not assigned."""

import string
from collections.abc import Callable, Mapping
from random import Random

UNASSIGNED_BANK = "00000000"
"""German bank code that is not assigned. Neither is TEST, which stands for a bank in British IBANs."""
TEST_CARDS = ("411111", "555555", "400000")
"""Card issuers' ranges for test payments."""


def card(rng: Random) -> str:
    """Return a card number of 16 digits, the last by Luhn (ISO/IEC 7812-1), in groups of four or not."""
    body = rng.choice(TEST_CARDS) + _digits(rng, 9)
    doubled = (int(digit) * (2 - place % 2) for place, digit in enumerate(body))
    total = sum(value - 9 * (value > 9) for value in doubled)
    return _spaced(rng, body + str(-total % 10))


def german_iban(rng: Random) -> str:
    return _iban(rng, "DE", UNASSIGNED_BANK + _digits(rng, 10))


def british_iban(rng: Random) -> str:
    return _iban(rng, "GB", "TEST" + _digits(rng, 14))


def _iban(rng: Random, country: str, account: str) -> str:
    """Return an IBAN with check digits by ISO 7064 MOD 97-10."""
    number = int("".join(str(int(letter, 36)) for letter in f"{account}{country}00"))
    return _spaced(rng, f"{country}{98 - number % 97:02}{account}")


def tax_id(rng: Random) -> str:
    """Return a German Steuer-ID: one of ten digits twice, the eleventh by ISO 7064 MOD 11,10."""
    ten = rng.sample("123456789", 9)
    ten.append(rng.choice(ten))
    product = 10
    for digit in ten:
        product = ((product + int(digit)) % 10 or 10) * 2 % 11
    return "".join(ten) + str((11 - product) % 10)


def key(rng: Random) -> str:
    """Return 40 hexadecimal digits, as many services issue them."""
    return "".join(rng.choices("0123456789abcdef", k=40))


def cloud_key(rng: Random) -> str:
    return "AKIA" + "".join(rng.choices(string.ascii_uppercase + "234567", k=16))


def password(rng: Random) -> str:
    return "".join(rng.choices(string.ascii_letters, k=7)) + rng.choice("!#%+") + _digits(rng, 3)


NUMBERS: Mapping[str, Callable[[Random], str]] = {
    "card_number": card,
    "german_iban": german_iban,
    "british_iban": british_iban,
    "tax_id": tax_id,
    "key": key,
    "cloud_key": cloud_key,
    "password": password,
}
"""Generators of numbers, by their name in phrases."""


def _digits(rng: Random, count: int) -> str:
    return "".join(rng.choices(string.digits, k=count))


def _spaced(rng: Random, compact: str) -> str:
    return rng.choice([compact, " ".join(compact[at : at + 4] for at in range(0, len(compact), 4))])
