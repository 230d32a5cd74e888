"""Texts that each parser of JSON accepts, compared with the table at the beginning of the module."""

import json
import re
from collections.abc import Callable
from typing import Any

import pytest

from tasks.core import json_text

PARSERS: dict[str, Callable[[str], Any]] = {
    "parse": json_text.parse,
    "parse_shallow": json_text.parse_shallow,
    "parse_bounded": lambda text: json_text.parse_bounded(text.encode(errors="surrogatepass"), 1_000),
    "parse_strict": json_text.parse_strict,
    "parse_canonical": lambda text: json_text.parse_canonical(text.encode(errors="surrogatepass")),
    "parse_interoperable": json_text.parse_interoperable,
}
NESTED = 200
COLUMNS: dict[str, tuple[tuple[str, ...], dict[str, str]]] = {
    "repeated keys": (('{"a":1,"a":1}',), {"last one counts": "yes", "refused": "no"}),
    "NaN, Infinity": (('{"a":NaN}', "[-Infinity]"), {"accepted": "yes", "refused": "no"}),
    "depth": (("[" * NESTED + "]" * NESTED,), {"Python's stack": "yes", "MAX_DEPTH": "no"}),
    "unpaired surrogates": (('"\\ud83d"', '"\ud83d"'), {"accepted": "yes", "refused": "no"}),
}
"""Texts for each column of the table, and whether they are accepted by what it says."""


def accepts(parser: Callable[[str], Any], text: str) -> bool:
    try:
        parser(text)
    except ValueError:
        return False
    return True


def table() -> dict[str, list[str]]:
    lines = re.findall(r"^    (parse\w*) +(.+)$", json_text.__doc__ or "", flags=re.MULTILINE)
    return {name: re.split(r" {2,}", row) for name, row in lines}


def test_the_table_names_every_parser() -> None:
    public = {name for name in vars(json_text) if name.startswith("parse")}
    assert set(table()) == public == set(PARSERS)


@pytest.mark.parametrize("name", PARSERS)
def test_the_table_holds(name: str) -> None:
    for (texts, meaning), said in zip(COLUMNS.values(), table()[name], strict=False):
        for text in texts:
            assert accepts(PARSERS[name], text) == (meaning[said] == "yes"), (said, text[:20])


@pytest.mark.parametrize("name", PARSERS)
@pytest.mark.parametrize("text", ["[" * 100_000, "", "{", "[1] 2", '{"a":' + "9" * 5_000 + "}", "'a'"])
def test_what_is_no_json_is_a_value_error_and_never_a_recursion_error(name: str, text: str) -> None:
    assert not accepts(PARSERS[name], text)


@pytest.mark.parametrize(
    ("text", "value"), [("1.0", 1), ("-0.0", 0), ("1e2", 100), ("1.5", 1.5), ("true", True), ('"\\ud83d\\udc4d"', "👍")]
)
def test_interoperable_values_compare_as_they_count(text: str, value: object) -> None:
    found = json_text.parse_interoperable(text)
    assert (found, type(found)) == (value, type(value))


@pytest.mark.parametrize("text", ["1e999", "[-1e999]"])
def test_a_number_that_no_float_holds_is_not_interoperable(text: str) -> None:
    assert not accepts(json_text.parse_interoperable, text)
    assert not accepts(lambda it: json_text.parse_canonical(it.encode()), text)


@pytest.mark.parametrize("text", [f"[{sign}{number}]" for sign in ("", "-") for number in (2**53, 10**16 + 1, 10**400)])
def test_an_integer_that_is_another_number_as_a_float_is_not_interoperable(text: str) -> None:
    with pytest.raises(json_text.RefusedJson, match=r"an integer beyond 2\^53 .* write it as text"):
        json_text.parse_interoperable(text)
    assert json_text.parse_interoperable(f"[{2**53 - 1}, {1 - 2**53}]") == [2**53 - 1, 1 - 2**53]


@pytest.mark.parametrize("data", [b'{"a": 1}', b'{"a":1}\n', b'{"\\u0061":1}', b'{"b":1,"a":1}', b'{"a":1.0e0}'])
def test_a_second_spelling_is_not_canonical(data: bytes) -> None:
    with pytest.raises(json_text.NotCanonical):
        json_text.parse_canonical(data)
    canonical = json_text.canonical_json(json.loads(data))
    assert json_text.parse_canonical(canonical + b"\n", required_suffix=b"\n") == json.loads(data)


def test_json_of_others_is_counted_before_it_is_parsed() -> None:
    """Texts, commas, lists and objects count; what stands within a text does not."""
    within = b'{"a":"[[[,,,{{{\\"[[","b":[1]}'
    assert json_text.parse_bounded(within, 6) == {"a": '[[[,,,{{{"[[', "b": [1]}
    for data, pieces in ((within, 5), (b"[" + b"[]," * 1_000 + b"[]]", 1_000), (b'["' * 50, 10), (b"[" * 100_000, 99)):
        with pytest.raises(ValueError, match=f"it has more than {pieces:,} values"):
            json_text.parse_bounded(data, pieces)


@pytest.mark.parametrize("data", [b'{"a":"', b'"\\', b'"\\"', b"", b" " * 100])
def test_json_of_others_that_is_none_is_no_value(data: bytes) -> None:
    with pytest.raises(ValueError, match=r"^(?!it has more)"):
        json_text.parse_bounded(data, 10)
