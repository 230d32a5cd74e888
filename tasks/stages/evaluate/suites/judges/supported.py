"""Judge `supported`: the answer invents no numbers, addresses or links."""

import re
from typing import Literal

from tasks.stages.evaluate.suites.judges.judge import PASSED, CaseJudge, JudgedCase, Verdict

IDENTIFIER = re.compile(r"https?://[^\s\"'<>)\]]+|[\w.+-]+@[\w-]+(?:\.[\w-]+)+|\d[\d .,/:-]*\d|\d")
"""Links, e-mail addresses, and numbers with their separators."""
PART_BORDER, LIST_COMMA = re.compile(r"[\s,]*\s[\s,]*"), re.compile(r",\s")
SEPARATORS = re.compile(r"[\s.,/:-]")


class Supported(CaseJudge):
    """Each number, e-mail address and link of the answer stands in what the model was given."""

    kind: Literal["supported"]

    def judge(self, answer: str, case: JudgedCase) -> Verdict:
        given = {form for found in IDENTIFIER.findall(case.prompt) for form in _forms(found)}
        invented = [
            found
            for found in IDENTIFIER.findall(answer)
            if _plain(found) not in given and not all(_plain(part) in given for part in _parts(found))
        ]
        return Verdict(False, f"{len(invented)} invented numbers, addresses or links") if invented else PASSED


def _forms(found: str) -> list[str]:
    """Return the forms in which an answer may cite what was found: each number alone, and digit groups as one."""
    return [*map(_plain, _parts(found)), *([] if LIST_COMMA.search(found) else [_plain(found)])]


def _parts(found: str) -> list[str]:
    return [part for part in PART_BORDER.split(found) if part]


def _plain(identifier: str) -> str:
    return SEPARATORS.sub("", identifier).casefold()
