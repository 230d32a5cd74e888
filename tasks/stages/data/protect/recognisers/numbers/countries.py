"""Identity numbers of further countries, with their check digits: what each has to satisfy stands beside its pattern.

A number that only looks like one counts if its check digits are right, and a number without a form of its own if the
text names it as well.
"""

import re
from collections.abc import Callable
from typing import NamedTuple

from tasks.stages.data.protect.recognisers.numbers import check_digits
from tasks.stages.data.protect.recognisers.span import Span


class IdentityNumber(NamedTuple):
    kind: str
    pattern: re.Pattern[str]
    is_valid: Callable[[str], bool]
    """Check of the number, given in upper case without separators."""
    name: re.Pattern[str] | None = None
    """Pattern of the name that must stand before the number; None if the form says enough."""


NAME_DISTANCE = 40
SEPARATORS = re.compile(r"[\s./-]")
IDENTITY_NUMBERS = (
    IdentityNumber(
        "PL_PESEL",
        re.compile(r"(?<![\w.,-])\d{11}(?![\w-])"),
        check_digits.is_valid_pesel,
    ),
    IdentityNumber(
        "ES_DNI",
        re.compile(r"(?<![\w-])(?:\d{2}\.?\d{3}\.?\d{3}|[XYZxyz][ -]?\d{7})[ -]?[A-Za-z](?!\w)"),
        check_digits.is_valid_dni,
    ),
    IdentityNumber(
        "IT_TAX_CODE",
        re.compile(r"(?i)(?<!\w)[a-z]{6}[ ]?\d\d[abcdehlmprst]\d\d[ ]?[a-z]\d{3}[a-z](?!\w)"),
        check_digits.is_valid_codice_fiscale,
    ),
    IdentityNumber(
        "FR_NIR",
        re.compile(r"(?<![\w-])[12][ ]?\d\d[ ]?(?:0[1-9]|1[0-2])[ ]?\d[\dAB][ ]?\d{3}[ ]?\d{3}[ ]?\d\d(?!\w)"),
        check_digits.is_valid_nir,
    ),
    IdentityNumber(
        "IN_AADHAAR",
        re.compile(r"(?<![\w-])[2-9]\d{3}([ -]?)\d{4}\1\d{4}(?![\w-])"),
        check_digits.is_valid_verhoeff,
        re.compile(r"(?i)aadhaa?r|uidai|\buid\b"),
    ),
    IdentityNumber(
        "IN_PAN",
        re.compile(r"(?<!\w)[A-Z]{3}[ABCFGHJLPT][A-Z]\d{4}[A-Z](?!\w)"),
        lambda number: True,
    ),
    IdentityNumber(
        "AU_TFN",
        re.compile(r"(?<![\w-])\d{3}[ -]?\d{3}[ -]?\d{2,3}(?![\w-])"),
        check_digits.is_valid_tfn,
        re.compile(r"(?i)\btfn\b|tax file"),
    ),
    IdentityNumber(
        "CA_SIN",
        re.compile(r"(?<![\w-])\d{3}[ -]?\d{3}[ -]?\d{3}(?![\w-])"),
        check_digits.is_valid_luhn,
        re.compile(r"(?i)\bsin\b|social insurance"),
    ),
    IdentityNumber(
        "NL_BSN",
        re.compile(r"(?<![\w-])\d{4}[ .]?\d{2}[ .]?\d{3}(?![\w-])"),
        check_digits.is_valid_bsn,
        re.compile(r"(?i)\bbsn\b|burgerservicenummer|sofinummer"),
    ),
    IdentityNumber(
        "BR_CPF",
        re.compile(r"(?<![\w-])\d{3}\.\d{3}\.\d{3}-\d{2}(?!\w)"),
        check_digits.is_valid_cpf,
    ),
)


def find_identity_numbers(text: str) -> list[Span]:
    """Find identity numbers of these countries. Score .9."""
    return [
        Span(*m.span(), number.kind, 0.9)
        for number in IDENTITY_NUMBERS
        for m in number.pattern.finditer(text)
        if number.is_valid(SEPARATORS.sub("", m.group()).upper()) and _is_named(number, text, m.start())
    ]


def _is_named(number: IdentityNumber, text: str, start: int) -> bool:
    return number.name is None or bool(number.name.search(text, max(0, start - NAME_DISTANCE), start))
