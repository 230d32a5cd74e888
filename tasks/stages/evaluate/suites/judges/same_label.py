"""Judge `same_label`: a change of the text that should not matter does not change the label."""

from typing import ClassVar, Literal

from tasks.core.records.answer_label import NO_LABEL, extract_label
from tasks.stages.evaluate.suites.judges.judge import PASSED, CaseJudge, JudgedCase, Verdict


class SameLabel(CaseJudge):
    """The answer has a label, and the same one as the same model's answer to the text without the change."""

    needs_reference: ClassVar[bool] = True
    kind: Literal["same_label"]

    def check_case(self, case_name: str, has_expected: bool, *, derived: bool) -> None:
        if not derived:
            raise ValueError(f"{case_name}: judge same_label compares variants of a test row; list none as a case")

    def judge(self, answer: str, case: JudgedCase) -> Verdict:
        if case.reference is None:
            return Verdict(False, "the text without the change has no answer")
        now, before = (extract_label(text, case.settings) for text in (answer, case.reference))
        if now == NO_LABEL:  # also if there was none before: a model that never answers is not steady
            return Verdict(False, "no label")
        return PASSED if now == before else Verdict(False, "another label than without the change")
