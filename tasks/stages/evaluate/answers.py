"""Judgement of answers: right or wrong, well-formed or not, depending on `evaluation.target`.

`json`   right: the parsed objects are equal; well-formed: a JSON object with exactly the keys of a training target
`label`  right: the texts are equal except for surrounding white space; well-formed: a label of the training rows
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from tasks.core.errors import InputError
from tasks.core.files import canonical_json
from tasks.core.params.evaluation import Evaluation

NO_LABEL = ""
"""Label of an answer that has none; it differs from every expected label."""


@dataclass(frozen=True)
class Judgement:
    right: bool
    well_formed: bool
    label: str
    """Label in the answer, for macro-F1 and confusions; NO_LABEL if the answer has none."""


class AnswerJudge(Protocol):
    """Judge of a use case's answers."""

    def label(self, expected: str) -> str: ...

    def judge(self, answer: str, expected: str) -> Judgement: ...


def judge_of(settings: Evaluation, training: Mapping[str, str], test: Mapping[str, str]) -> AnswerJudge:
    """Return the judge for `evaluation.target`.

    Args:
        settings: Section `evaluation` of params.yaml.
        training: Targets of the training rows by record_id. They define which answers are well-formed.
        test: Targets of the test rows by record_id.

    Raises:
        InputError: `evaluation.target` is json, and a target is no JSON object.
    """
    if settings.label_field is None:
        return LabelJudge(frozenset(text.strip() for text in training.values()))
    bad = sorted(name for name, text in {**training, **test}.items() if parse_json_object(text) is None)
    if bad:
        raise InputError(
            f"evaluation.target is json, but {len(bad)} of {len(training) + len(test)} targets are no JSON objects, "
            f"the first that of record {bad[0]}; set evaluation.target to label, or have the source's mapping in "
            "sources.yaml give an object"
        )
    return JsonJudge(frozenset(frozenset(_parse_target(text)) for text in training.values()), settings.label_field)


@dataclass(frozen=True)
class LabelJudge:
    """Judge of answers that are labels as a whole."""

    known_labels: frozenset[str]
    """Labels of the training rows."""

    def label(self, expected: str) -> str:
        return expected.strip()

    def judge(self, answer: str, expected: str) -> Judgement:
        said = answer.strip()
        return Judgement(said == expected.strip(), said in self.known_labels, said)


@dataclass(frozen=True)
class JsonJudge:
    """Judge of answers that are JSON objects, one field of which is the label."""

    key_sets: frozenset[frozenset[str]]
    """Sets of keys that occur in training targets."""
    label_field: str

    def label(self, expected: str) -> str:
        return _as_label(_parse_target(expected).get(self.label_field))

    def judge(self, answer: str, expected: str) -> Judgement:
        said = parse_json_object(answer)
        if said is None:
            return Judgement(False, False, NO_LABEL)
        right = canonical_json(said) == canonical_json(_parse_target(expected))
        return Judgement(right, frozenset(said) in self.key_sets, _as_label(said.get(self.label_field)))


def parse_json_object(text: str) -> dict[str, Any] | None:
    """Parse a text as one JSON object (RFC 8259), with surrounding white space allowed; return None for anything else.

    This is stricter than `json.loads`: repeated keys, NaN, Infinity and unpaired surrogates are refused. If results are
    compared as canonical JSON, 1.0 equals 1, and `true` does not equal 1.
    """
    try:
        value = json.loads(
            text, object_pairs_hook=_refuse_repeated_keys, parse_float=_parse_number, parse_constant=_refuse_constant
        )
        canonical_json(value)
    except (ValueError, RecursionError):  # an unpaired surrogate raises UnicodeEncodeError, which is a ValueError
        return None
    return value if isinstance(value, dict) else None


def _parse_target(text: str) -> dict[str, Any]:
    value = parse_json_object(text)
    if value is None:
        raise ValueError("a target that target_of has not seen is no JSON object")
    return value


def _refuse_repeated_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len({key for key, _ in pairs}) < len(pairs):
        raise ValueError("a key stands twice")
    return dict(pairs)


def _parse_number(digits: str) -> float | int:
    value = float(digits)
    return int(value) if value.is_integer() else value


def _refuse_constant(constant: str) -> None:
    raise ValueError(f"{constant} is not JSON")


def _as_label(value: Any) -> str:
    if value is None:
        return NO_LABEL
    return value if isinstance(value, str) else canonical_json(value).decode()
