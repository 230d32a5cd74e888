"""What is a right answer, and what a well-formed one, by `evaluation.target`.

`json`   right: the parsed objects are equal; well-formed: a JSON object with exactly the keys of a training target
`label`  right: the texts are equal but for space around them; well-formed: a label that training rows have
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from tasks.core.errors import InputError
from tasks.core.files import canonical_json
from tasks.core.params.evaluation import Evaluation

NO_LABEL = ""
"""The label of an answer that has none; never equal to an expected one."""


@dataclass(frozen=True)
class Judged:
    """An answer held against what was expected."""

    right: bool
    well_formed: bool
    label: str
    """What macro-F1 and confusions are about; NO_LABEL where the answer gives none."""


class Target(Protocol):
    """How answers are judged in a use case."""

    def label(self, expected: str) -> str:
        """The label of a target."""
        ...

    def judge(self, answer: str, expected: str) -> Judged: ...


def target_of(settings: Evaluation, training: Mapping[str, str], test: Mapping[str, str]) -> Target:
    """The judge for `evaluation.target`; what training targets look like says what well-formed means.

    Targets come by record_id. Raises InputError for targets that are no JSON objects where they must be.
    """
    if settings.label_field is None:
        return Label(frozenset(text.strip() for text in training.values()))
    bad = sorted(name for name, text in {**training, **test}.items() if parse_object(text) is None)
    if bad:
        raise InputError(
            f"evaluation.target is json, but {len(bad)} of {len(training) + len(test)} targets are no JSON objects, "
            f"the first that of record {bad[0]}; set evaluation.target to label, or have the source's mapping in "
            "sources.yaml give an object"
        )
    return JsonObject(frozenset(frozenset(_expected(text)) for text in training.values()), settings.label_field)


@dataclass(frozen=True)
class Label:
    """The whole answer is the label."""

    known: frozenset[str]

    def label(self, expected: str) -> str:
        return expected.strip()

    def judge(self, answer: str, expected: str) -> Judged:
        said = answer.strip()
        return Judged(said == expected.strip(), said in self.known, said)


@dataclass(frozen=True)
class JsonObject:
    """The answer is a JSON object, one field of which is the label."""

    keys: frozenset[frozenset[str]]
    """The sets of keys that training targets have."""
    label_field: str

    def label(self, expected: str) -> str:
        return _spelled(_expected(expected).get(self.label_field))

    def judge(self, answer: str, expected: str) -> Judged:
        said = parse_object(answer)
        if said is None:
            return Judged(False, False, NO_LABEL)
        right = canonical_json(said) == canonical_json(_expected(expected))
        return Judged(right, frozenset(said) in self.keys, _spelled(said.get(self.label_field)))


def parse_object(text: str) -> dict[str, Any] | None:
    """The JSON object (RFC 8259) that `text` is, but for space around it; None for anything else.

    Stricter than `json.loads`: a repeated key, NaN, Infinity or an unpaired surrogate is no JSON. Numbers compare by
    value (1.0 is 1), but true isn't 1.
    """
    try:
        value = json.loads(text, object_pairs_hook=_unique, parse_float=_number, parse_constant=_refuse)
        canonical_json(value)
    except (ValueError, RecursionError):  # a bad surrogate is a UnicodeEncodeError, which is a ValueError
        return None
    return value if isinstance(value, dict) else None


def _expected(text: str) -> dict[str, Any]:
    value = parse_object(text)
    if value is None:
        raise ValueError("a target that target_of has not seen is no JSON object")
    return value


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len({key for key, _ in pairs}) < len(pairs):
        raise ValueError("a key stands twice")
    return dict(pairs)


def _number(digits: str) -> float | int:
    value = float(digits)
    return int(value) if value.is_integer() else value


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is not JSON")


def _spelled(value: Any) -> str:
    """A field's value as a label: texts as they are, anything else as JSON, nothing as NO_LABEL."""
    if value is None:
        return NO_LABEL
    return value if isinstance(value, str) else canonical_json(value).decode()
