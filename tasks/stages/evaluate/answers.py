"""Judgement of answers: correct or not, well-formed or not. The criteria depend on `evaluation.target`.

`json`   correct if answer and target are equal as JSON objects; well-formed if a JSON object with exactly the keys of
         some training target
`label`  correct if answer and target are equal except for surrounding white space; well-formed if a label that occurs
         in the training rows
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

from tasks.core.json_text import canonical_json
from tasks.core.params.evaluation import Evaluation
from tasks.core.records.answer_label import NO_LABEL, extract_label, parse_json_object


@dataclass(frozen=True)
class Judgement:
    right: bool
    well_formed: bool
    label: str
    """Label in the answer, for macro-F1 and confusion counts; NO_LABEL if the answer contains no label."""


class AnswerJudge(Protocol):
    def judge(self, answer: str, expected: str) -> Judgement: ...


def create_judge(settings: Evaluation, training_targets: Iterable[str]) -> AnswerJudge:
    """Return the answer judge for the setting `evaluation.target`.

    Args:
        settings: Section `evaluation` of params.yaml.
        training_targets: Targets of the training rows, which determine which answers count as well-formed.
    """
    if settings.label_field is None:
        return LabelJudge(settings, frozenset(extract_label(text, settings) for text in training_targets))
    return JsonJudge(settings, frozenset(frozenset(parse_json_object(text)) for text in training_targets))


@dataclass(frozen=True)
class LabelJudge:
    settings: Evaluation
    known_labels: frozenset[str]

    def judge(self, answer: str, expected: str) -> Judgement:
        answered = extract_label(answer, self.settings)
        return Judgement(answered == extract_label(expected, self.settings), answered in self.known_labels, answered)


@dataclass(frozen=True)
class JsonJudge:
    settings: Evaluation
    key_sets: frozenset[frozenset[str]]

    def judge(self, answer: str, expected: str) -> Judgement:
        try:
            answered = parse_json_object(answer)
        except ValueError:
            return Judgement(False, False, NO_LABEL)
        right = canonical_json(answered) == canonical_json(parse_json_object(expected))
        return Judgement(right, frozenset(answered) in self.key_sets, extract_label(answer, self.settings))
