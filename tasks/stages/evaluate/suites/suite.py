"""Evaluation suite, a file in infra/governance/evaluations/ that its owner adopts, and the suites of a run."""

from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, StringConstraints, model_validator

from tasks.core.documents import config
from tasks.core.documents.config import FrozenModel
from tasks.core.documents.document import Document
from tasks.core.errors import InputError
from tasks.core.params.values import Name, NonEmptyText
from tasks.stages.evaluate.suites.judges.table import Judge
from tasks.stages.evaluate.suites.variants import DerivedCases

FOLDER = "evaluations"
"""Folder in infra/governance/ with one file for each evaluation suite."""
MAX_CASES = 5_000
"""Maximum number of cases that a suite lists."""
Severity = Literal["low", "medium", "high", "critical"]
SEVERITIES: tuple[Severity, ...] = ("critical", "high", "medium", "low")
"""Severities of a failed case, the worst first."""
OwaspEntry = Annotated[str, StringConstraints(pattern=r"^LLM(0[1-9]|10):20\d\d$")]
AtlasTechnique = Annotated[str, StringConstraints(pattern=r"^AML\.T\d{4}(\.\d{3})?$")]


class Turn(FrozenModel):
    role: Literal["user", "assistant"]
    content: Annotated[str, Field(min_length=1, max_length=100_000)]


class WrittenCase(FrozenModel):
    """Case that a suite lists."""

    id: Name
    """Name of the case, unique in its suite."""
    prompt: Annotated[str, Field(min_length=1, max_length=100_000)] | None = None
    """Text of the only turn. Give either this or `messages`."""
    messages: list[Turn] = []
    """Turns of a conversation; the last one is the user's. Give either this or `prompt`."""
    task: Name | None = None
    """Task whose prompt template is used. Null: the only task of params.yaml."""
    expected: str | None = None
    """Right answer, for judges that compare with it."""
    should_refuse: bool | None = None
    """Whether the model should refuse the request, for judge `refusal`."""
    pair: Name | None = None
    """Name of a matched pair: two similar cases, one to be answered and one to be refused."""
    judge: Judge | None = None
    """Judge of this case; null for the suite's."""
    severity: Severity | None = None
    """Severity of a failure; null for the suite's."""
    slices: dict[Name, NonEmptyText] = {}
    """Groups that the case belongs to, for example `language: de`."""

    @property
    def turns(self) -> list[Turn]:
        return self.messages or [Turn(role="user", content=self.prompt or "")]

    @model_validator(mode="after")
    def _check_turns(self) -> Self:
        if (self.prompt is None) != bool(self.messages):
            raise ValueError(f"case {self.id}: give exactly one of prompt and messages")
        if self.turns[-1].role != "user":
            raise ValueError(f"case {self.id}: the last turn is the user's, since the model answers it")
        return self


class EvaluationSuite(FrozenModel):
    """Versioned cases, with the way to ask and to judge them."""

    name: Name
    """Name of the suite, which is the name of its file. Policies use it in `suites.NAME.passed`."""
    version: Annotated[int, Field(ge=1)]
    """Version of the suite. A changed suite is adopted with a higher one."""
    owner: Name
    """Id of the person who adopts the suite."""
    title: NonEmptyText
    """Title in reports."""
    about: NonEmptyText
    """Meaning of a failed case, for people who decide at a gate."""
    use_case: Name | None = None
    """Use case whose own suite it is. Null: the suite is for every use case."""
    licence: NonEmptyText
    """Licence of the cases."""
    origin: NonEmptyText
    """Origin of the cases."""
    severity: Severity = "medium"
    """Severity of a failed case."""
    owasp: list[OwaspEntry] = []
    """Entries of the OWASP Top 10 for LLM applications, for example LLM01:2025."""
    atlas: list[AtlasTechnique] = []
    """Techniques of MITRE ATLAS, for example AML.T0051."""
    judge: Judge
    """Judge of the answers."""
    cases: Annotated[list[WrittenCase], Field(max_length=MAX_CASES)] = []
    """Cases that the suite lists."""
    derived: DerivedCases | None = None
    """Cases that are derived from the test rows of a run."""

    @model_validator(mode="after")
    def _check_cases(self) -> Self:
        if not self.cases and self.derived is None:
            raise ValueError("a suite has cases, or derives them from test rows: give `cases` or `derived`")
        if twice := sorted(name for name, number in Counter(case.id for case in self.cases).items() if number > 1):
            raise ValueError(f"each case has an id of its own; twice: {', '.join(twice)}")
        for case in self.cases:
            judge, name = case.judge or self.judge, f"case {case.id}"
            judge.check_case(name, case.expected is not None, derived=False)
            if judge.needs_should_refuse and case.should_refuse is None:
                raise ValueError(f"{name}: judge {judge.kind} asks whether the request is refused; give should_refuse")
        _check_pairs(self.cases)
        if self.derived is not None:
            self.judge.check_case("derived cases", has_expected=True, derived=True)
        return self


def _check_pairs(cases: Iterable[WrittenCase]) -> None:
    pairs: dict[str, list[bool | None]] = {}
    for case in cases:
        if case.pair is not None:
            pairs.setdefault(case.pair, []).append(case.should_refuse)
    if wrong := [name for name, wanted in pairs.items() if sorted(map(str, wanted)) != ["False", "True"]]:
        raise ValueError(f"a pair has a case with should_refuse: true and one with false; not so: {', '.join(wrong)}")


class EvaluationSuites(Document):
    """Evaluation suites of a run, inputs/evaluations.json."""

    type: Literal["urn:hallmark:evaluation-suites:v1"] = "urn:hallmark:evaluation-suites:v1"
    suites: list[EvaluationSuite]


def load_suites(governance_folder: Path) -> list[EvaluationSuite]:
    """Read all evaluation suites of a governance folder, sorted by name. There can be none.

    Raises:
        InputError: A file is not valid, or is not named like its suite. The message lists the errors of all files.
    """
    suites, problems = list[EvaluationSuite](), list[str]()
    for path in sorted((governance_folder / FOLDER).glob("*.yaml")):
        try:
            suites.append(_load_suite(path))
        except InputError as error:
            problems.append(str(error))
    if problems:
        raise InputError("\n".join(problems))
    return suites


def _load_suite(path: Path) -> EvaluationSuite:
    suite = config.load_settings(path, EvaluationSuite)
    if suite.name != path.stem:
        raise InputError(f"{path}: name: expected {path.stem!r}, as the file is named, got {suite.name!r}")
    return suite


def read_suites(path: Path) -> list[EvaluationSuite]:
    """Read the evaluation suites of a run.

    Args:
        path: Path of inputs/evaluations.json (`Layout.evaluations_path`).

    Raises:
        InputError: The file cannot be read.
    """
    try:
        return EvaluationSuites.from_bytes(path.read_bytes()).suites
    except (OSError, ValueError):
        raise InputError(f"{path}: expected the evaluation suites of the run; `hallmark resolve` writes it") from None


def suites_of_use_case(suites: Iterable[EvaluationSuite], use_case: str) -> list[EvaluationSuite]:
    """Return the suites that are for this use case or for every use case."""
    return [suite for suite in suites if suite.use_case in (None, use_case)]
