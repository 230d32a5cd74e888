"""Judge `includes`: the answer contains all of some texts."""

from typing import Annotated, Literal

from pydantic import Field

from tasks.stages.evaluate.suites.judges import searched_text
from tasks.stages.evaluate.suites.judges.judge import PASSED, CaseJudge, JudgedCase, Verdict
from tasks.stages.evaluate.suites.judges.searched_text import SearchedText


class Includes(CaseJudge):
    """The answer contains all of the texts. Case, accents' form, spaces and punctuation do not count."""

    kind: Literal["includes"]
    texts: Annotated[list[SearchedText], Field(min_length=1)]
    """Texts that must occur."""

    def judge(self, answer: str, case: JudgedCase) -> Verdict:
        missing = [number for number, text in enumerate(self.texts, 1) if not searched_text.contains(answer, text)]
        return Verdict(False, f"lacks required text {missing[0]}") if missing else PASSED
