"""Judgement of answers: right or wrong, well-formed or not, depending on `evaluation.target`.

`json`   right: the parsed objects are equal; well-formed: a JSON object with exactly the keys of a training target
`label`  right: the texts are equal except for surrounding white space; well-formed: a label of the training rows
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

from tasks.core.json_text import canonical_json
from tasks.core.params.evaluation import Evaluation
from tasks.core.records.answer_label import NO_LABEL, label_of, parse_object


@dataclass(frozen=True)
class Judgement:
    right: bool
    well_formed: bool
    label: str
    """Label in the answer, for macro-F1 and confusions; NO_LABEL if the answer contains no label."""


class AnswerJudge(Protocol):
    def judge(self, answer: str, expected: str) -> Judgement: ...


def judge_of(settings: Evaluation, training: Iterable[str]) -> AnswerJudge:
    """Return the answer judge for the setting `evaluation.target`.

    Args:
        settings: Section `evaluation` of params.yaml.
        training: Targets of the training rows, which define which answers are well-formed.
    """
    if settings.label_field is None:
        return LabelJudge(settings, frozenset(label_of(text, settings) for text in training))
    return JsonJudge(settings, frozenset(frozenset(parse_object(text)) for text in training))


@dataclass(frozen=True)
class LabelJudge:
    settings: Evaluation
    known_labels: frozenset[str]

    def judge(self, answer: str, expected: str) -> Judgement:
        answered = label_of(answer, self.settings)
        return Judgement(answered == label_of(expected, self.settings), answered in self.known_labels, answered)


@dataclass(frozen=True)
class JsonJudge:
    settings: Evaluation
    key_sets: frozenset[frozenset[str]]

    def judge(self, answer: str, expected: str) -> Judgement:
        try:
            answered = parse_object(answer)
        except ValueError:
            return Judgement(False, False, NO_LABEL)
        right = canonical_json(answered) == canonical_json(parse_object(expected))
        return Judgement(right, frozenset(answered) in self.key_sets, label_of(answer, self.settings))
