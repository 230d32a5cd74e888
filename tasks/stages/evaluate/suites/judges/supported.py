"""Judge `supported`: the answer invents no numbers, addresses or links."""

import re
from typing import Literal

from tasks.stages.evaluate.suites.judges.judge import PASSED, CaseJudge, JudgedCase, Verdict

IDENTIFIER = re.compile(r"https?://[^\s\"'<>)\]]+|[\w.+-]+@[\w-]+(?:\.[\w-]+)+|\d[\d .,/:-]*\d|\d")
"""Links, e-mail addresses, and numbers with their separators."""
SEPARATORS = re.compile(r"[\s.,/:-]")


class Supported(CaseJudge):
    """Each number, e-mail address and link of the answer stands in what the model was given."""

    kind: Literal["supported"]

    def judge(self, answer: str, case: JudgedCase) -> Verdict:
        given = {_plain(found) for found in IDENTIFIER.findall(case.prompt)}
        invented = [found for found in IDENTIFIER.findall(answer) if _plain(found) not in given]
        return Verdict(False, f"{len(invented)} invented numbers, addresses or links") if invented else PASSED


def _plain(identifier: str) -> str:
    return SEPARATORS.sub("", identifier).casefold()
