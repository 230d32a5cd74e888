"""Base class of a judge: its settings in a suite, and its verdict about one answer."""

from abc import abstractmethod
from dataclasses import dataclass
from typing import ClassVar, NamedTuple

from tasks.core.documents.config import FrozenModel
from tasks.core.params.evaluation import Evaluation
from tasks.stages.evaluate.answers import AnswerJudge


class Verdict(NamedTuple):
    passed: bool
    why: str = ""
    """Reason for a failure, in words of the judge; empty if the case has passed."""


PASSED = Verdict(True)


@dataclass(frozen=True)
class JudgedCase:
    """Facts about a case that a judge can use beside the model's answer."""

    added_text: str
    """System turn, and text of the prompt template."""
    prompt: str
    """All turns that the model was given, with the system turn, joined by line breaks."""
    expected: str | None
    should_refuse: bool | None
    reference: str | None
    """Answer of the same model to the text that the case is compared with; None if there is no such text or answer."""
    settings: Evaluation
    answers: AnswerJudge
    """Judge of answers to test rows, which knows the form of training targets."""


class CaseJudge(FrozenModel):
    """Judge of a suite or of one case. Each class has a literal `kind`, the name of the judge in a suite."""

    needs_reference: ClassVar[bool] = False
    """Whether the judge compares the answer with that to another text, so that this text is asked as well."""
    needs_added_text: ClassVar[bool] = False
    """Whether the judge is about the system turn and the prompt template, so that there is no case without them."""

    needs_should_refuse: ClassVar[bool] = False
    """Whether each case says if the model should refuse."""

    kind: str

    def check_case(self, case_name: str, has_expected: bool, *, derived: bool) -> None:
        """Verify that a case has what this judge needs.

        Raises:
            ValueError: The case lacks it.
        """

    @abstractmethod
    def judge(self, answer: str, case: JudgedCase) -> Verdict:
        """Return the verdict about an answer. Exceptions count as errors of the case, not as verdicts."""
