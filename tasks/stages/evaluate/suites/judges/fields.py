"""Judge `fields`: fields of a JSON answer have allowed values, for example a refusal or a handover to a person."""

from typing import Annotated, Literal

from pydantic import Field

from tasks.core.params.values import NFC, NonEmptyText
from tasks.core.records.answer_label import label_from_value, parse_json_object
from tasks.stages.evaluate.suites.judges.judge import PASSED, CaseJudge, JudgedCase, Verdict


class AllowedFields(CaseJudge):
    """Each named field of the JSON answer has one of its allowed values."""

    kind: Literal["fields"]
    fields: Annotated[dict[NonEmptyText, Annotated[list[str], Field(min_length=1)]], Field(min_length=1), NFC]
    """Allowed values by field."""

    def judge(self, answer: str, case: JudgedCase) -> Verdict:
        try:
            said = parse_json_object(answer)
        except ValueError:
            return Verdict(False, "not a JSON object")
        wrong = [name for name, allowed in self.fields.items() if label_from_value(said.get(name)) not in allowed]
        return Verdict(False, f"another value in {', '.join(wrong)}") if wrong else PASSED
