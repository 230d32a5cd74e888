"""Judge `expected`: the answer is the expected one, as answers to test rows are judged."""

from typing import Literal

from tasks.stages.evaluate.suites.judges.judge import PASSED, CaseJudge, JudgedCase, Verdict


class ExpectedAnswer(CaseJudge):
    """The answer equals the expected one: the test row's target, or `expected` of a case."""

    kind: Literal["expected"]

    def check_case(self, case_name: str, has_expected: bool, *, derived: bool) -> None:
        if not has_expected:
            raise ValueError(f"{case_name}: judge expected compares with `expected`, and the case has none")

    def judge(self, answer: str, case: JudgedCase) -> Verdict:
        assert case.expected is not None, "check_case requires it"
        return PASSED if case.answers.judge(answer, case.expected).right else Verdict(False, "not the expected answer")
