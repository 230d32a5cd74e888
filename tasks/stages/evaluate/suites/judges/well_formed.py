"""Judge `well_formed`: the answer has the form of a training target, whatever was asked."""

from typing import Literal

from tasks.stages.evaluate.suites.judges.judge import PASSED, CaseJudge, JudgedCase, Verdict


class WellFormed(CaseJudge):
    """The answer is a JSON object with the keys of some training target, or a label that occurs in training."""

    kind: Literal["well_formed"]

    def judge(self, answer: str, case: JudgedCase) -> Verdict:
        formed = case.answers.judge(answer, case.expected or "{}").well_formed
        return PASSED if formed else Verdict(False, "not the form of a training target")
