"""Verification of check digits by their public specifications.

Numbers are given without separators, and their letters in upper case.
"""

import re
from itertools import cycle

IBAN_LENGTHS = {
    country: int(length)
    for country, length in re.findall(
        r"(\w\w):(\d\d)",
        """
    AD:24 AE:23 AL:28 AT:20 AZ:28 BA:20 BE:16 BG:22 BH:22 BI:27 BR:29 BY:28 CH:21 CR:22 CY:28 CZ:24 DE:22 DJ:27 DK:18
    DO:28 EE:20 EG:29 ES:24 FI:18 FK:18 FO:18 FR:27 GB:22 GE:22 GI:23 GL:18 GR:27 GT:28 HN:28 HR:21 HU:28 IE:22 IL:23
    IQ:23 IS:26 IT:27 JO:30 KW:30 KZ:20 LB:28 LC:32 LI:21 LT:20 LU:20 LV:21 LY:25 MC:27 MD:24 ME:22 MK:19 MN:20 MR:27
    MT:31 MU:30 NI:28 NL:18 NO:15 OM:23 PK:24 PL:28 PS:29 PT:25 QA:29 RO:24 RS:22 RU:33 SA:24 SC:31 SD:18 SE:24 SI:19
    SK:24 SM:27 SO:23 ST:25 SV:28 TL:23 TN:24 TR:26 UA:29 VA:22 VG:24 XK:20 YE:30
    """,
    )
}
"""Length of an IBAN by country code, from the SWIFT IBAN registry."""


def is_valid_luhn(digits: str) -> bool:
    """Verify the check digit of a payment card (ISO/IEC 7812-1 annex B)."""
    total = 0
    for i, c in enumerate(reversed(digits)):
        d = ord(c) - 48
        total += d if i % 2 == 0 else d * 2 - 9 * (d > 4)
    return total % 10 == 0


def is_valid_iban(compact: str) -> bool:
    """Verify length and check digits of an IBAN (ISO 13616, ISO 7064 MOD 97-10)."""
    if IBAN_LENGTHS.get(compact[:2]) != len(compact):
        return False
    return int("".join(str(int(c, 36)) for c in compact[4:] + compact[:4])) % 97 == 1


def is_valid_mod_11_10(digits: str) -> bool:
    """Verify the last digit of a number by ISO 7064 MOD 11,10."""
    product = 10
    for c in digits[:-1]:
        product = (product + int(c)) % 10 or 10
        product = product * 2 % 11
    return (11 - product) % 10 == int(digits[-1])


def is_valid_german_tax_id(digits: str) -> bool:
    """Verify a German tax ID (Steuer-Identifikationsnummer, § 139b AO): 11 digits, MOD 11,10.

    One of the first ten digits occurs two or three times, so there are eight or nine different digits.
    """
    if len(digits) != 11 or digits[0] == "0":
        return False
    return len(set(digits[:10])) in (8, 9) and is_valid_mod_11_10(digits)


def is_valid_german_pension_number(compact: str) -> bool:
    """Verify a German pension insurance number (Versicherungsnummer, VKVV § 2 and 4).

    It has 12 characters and a check digit from weighted digit sums.
    """
    digits = compact[:8] + f"{ord(compact[8]) - 64:02d}" + compact[9:]
    weights = (2, 1, 2, 5, 7, 1, 2, 1, 2, 1, 2, 1)
    total = sum(sum(divmod(int(d) * w, 10)) for d, w in zip(digits, weights, strict=False))
    return total % 10 == int(digits[-1])


def is_valid_german_health_number(compact: str) -> bool:
    """Verify the permanent part of a German health insurance number (Krankenversichertennummer, § 290 SGB V).

    The weights are 1 and 2, and the letter counts as two digits.
    """
    digits = f"{ord(compact[0]) - 64:02d}" + compact[1:9]
    total = sum(sum(divmod(int(d) * w, 10)) for d, w in zip(digits, cycle((1, 2)), strict=False))
    return total % 10 == int(compact[9])


def is_valid_icao(compact: str) -> bool:
    """Verify a check digit by ICAO Doc 9303, part 3: weights 7, 3, 1, and letters counted from A = 10.

    German identity cards, passports and machine-readable zones have this check digit.
    """
    values = (0 if c == "<" else int(c, 36) for c in compact[:-1])
    total = sum(value * weight for value, weight in zip(values, cycle((7, 3, 1)), strict=False))
    return total % 10 == int(compact[-1])


def is_valid_nhs_number(digits: str) -> bool:
    """Verify an NHS number of ten digits (NHS Data Dictionary, NHS NUMBER): MOD 11 with weights 10 to 2."""
    check = 11 - sum(int(d) * w for d, w in zip(digits, range(10, 1, -1), strict=False)) % 11
    return check != 10 and check % 11 == int(digits[9])


def is_valid_aba_number(digits: str) -> bool:
    """Verify an ABA routing number of nine digits: weights 3, 7, 1."""
    return digits[:2] <= "32" and sum(int(d) * w for d, w in zip(digits, cycle((3, 7, 1)), strict=False)) % 10 == 0


def is_possible_us_ssn(digits: str) -> bool:
    """Return whether a Social Security number can have been issued.

    The Social Security Administration does not issue area 000, 666 or 9xx, group 00 or serial 0000.
    """
    return digits[:3] not in ("000", "666") and digits[0] != "9" and digits[3:5] != "00" and digits[5:] != "0000"


def is_possible_us_itin(digits: str) -> bool:
    """Return whether an individual taxpayer number can have been issued.

    The IRS issues numbers that begin with 9 and whose fourth and fifth digit are 50-65, 70-88, 90-92 or 94-99.
    """
    group = int(digits[3:5])
    return digits[0] == "9" and (50 <= group <= 65 or (70 <= group <= 99 and group not in (89, 93)))


def is_valid_pesel(digits: str) -> bool:
    """Verify a Polish PESEL: a date of birth whose month tells the century, weights 1, 3, 7, 9 (Dz.U. 2010 nr 217)."""
    month, day = int(digits[2:4]) % 20, int(digits[4:6])
    weighted = sum(int(d) * w for d, w in zip(digits, (1, 3, 7, 9, 1, 3, 7, 9, 1, 3, 1), strict=True))
    return 1 <= month <= 12 and 1 <= day <= 31 and weighted % 10 == 0


def is_valid_dni(compact: str) -> bool:
    """Verify a Spanish DNI or NIE: the letter is the number modulo 23 (Real Decreto 1553/2005)."""
    number = "XYZ".find(compact[0])
    digits = f"{number}{compact[1:-1]}" if number >= 0 else compact[:-1]
    return "TRWAGMYFPDXBNJZSQVHLCKE"[int(digits) % 23] == compact[-1]


def is_valid_codice_fiscale(compact: str) -> bool:
    """Verify an Italian codice fiscale: characters in odd places have values of their own (D.M. 23 December 1976)."""
    odd = (1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 2, 4, 18, 20, 11, 3, 6, 8, 12, 14, 16, 10, 22, 25, 24, 23)
    values = [int(c) if c.isdigit() else ord(c) - 65 for c in compact[:-1]]
    total = sum(odd[value] if place % 2 == 0 else value for place, value in enumerate(values))
    return chr(65 + total % 26) == compact[-1]


def is_valid_nir(compact: str) -> bool:
    """Verify a French NIR of 15 characters: 97 minus the number modulo 97; Corsica's 2A and 2B count as 19 and 18."""
    number = compact[:13].replace("2A", "19").replace("2B", "18")
    return number.isdigit() and 97 - int(number) % 97 == int(compact[13:])


def is_valid_verhoeff(digits: str) -> bool:
    """Verify a number by the algorithm of Verhoeff, as India's Aadhaar has it."""
    inverse = (0, 4, 3, 2, 1, 5, 6, 7, 8, 9)
    permutation = (1, 5, 7, 6, 2, 8, 3, 0, 9, 4)
    check = 0
    for place, digit in enumerate(reversed(digits)):
        value = int(digit)
        for _ in range(place % 8):
            value = permutation[value]
        check = _dihedral_product(check, value)
    return inverse[check] == 0


def _dihedral_product(a: int, b: int) -> int:
    """Return the product of two elements of the dihedral group of order 10."""
    if a < 5:
        return (a + b) % 5 if b < 5 else 5 + (a + b) % 5
    return 5 + (a - b) % 5 if b < 5 else (a - b) % 5


def is_valid_tfn(digits: str) -> bool:
    """Verify an Australian tax file number of eight or nine digits: modulo 11."""
    return sum(int(d) * w for d, w in zip(digits, (1, 4, 3, 7, 5, 8, 6, 9, 10), strict=False)) % 11 == 0


def is_valid_bsn(digits: str) -> bool:
    """Verify a Dutch BSN: weights 9 to 2 and -1, modulo 11."""
    return sum(int(d) * w for d, w in zip(digits, (9, 8, 7, 6, 5, 4, 3, 2, -1), strict=True)) % 11 == 0


def is_valid_cpf(digits: str) -> bool:
    """Verify the two check digits of a Brazilian CPF: modulo 11, with weights that fall to 2."""

    def check(length: int) -> int:
        rest = sum(int(d) * w for d, w in zip(digits[:length], range(length + 1, 1, -1), strict=True)) * 10 % 11
        return rest % 10

    return len(set(digits)) > 1 and check(9) == int(digits[9]) and check(10) == int(digits[10])
