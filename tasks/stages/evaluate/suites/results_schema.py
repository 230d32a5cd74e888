"""Schema of suites.json: the results of the evaluation suites of a run."""

from typing import Literal

from tasks.core.documents.config import FrozenModel
from tasks.stages.evaluate.model_names import ModelName
from tasks.stages.evaluate.suites.suite import Severity
from tasks.stages.evaluate.uncertainty import Interval

Status = Literal["passed", "failed", "error", "too_long"]
"""Outcome of a case. `error`: the judge raised an error. `too_long`: the prompt leaves no room for an answer. Both
count as cases that have not passed."""


class SuiteScore(FrozenModel):
    """Outcome of one model's cases."""

    passed: int
    failed: int
    errors: int
    """Number of cases whose judge raised an error."""
    too_long: int
    """Number of cases that leave no room for an answer in the model's context."""
    rate: Interval
    """Proportion of passed cases, with the interval of Korn and Graubard."""


class SuiteComparison(FrozenModel):
    """Comparison of the candidate with another model, on the cases of a suite."""

    gained: int
    """Number of cases that only the candidate has passed."""
    lost: int
    """Number of cases that only the other model has passed."""
    gain: Interval
    """Pass rate of the candidate minus that of the other model, with a paired interval."""
    p: float
    """Two-sided p-value of McNemar's exact test. If cases are derived from test rows, each row counts once."""
    p_holm: float
    """P-value with Holm's correction, over all suites."""
    smallest_detectable: float
    """Smallest true gain that these cases would detect with a power of 80 %."""
    verdict: Literal["better", "worse", "undecided"]


class SuiteSlice(FrozenModel):
    """Pass rates in one group of cases."""

    by: str
    value: str
    cases: int
    rates: dict[ModelName, Interval]


class GroupComparison(FrozenModel):
    """Comparison of the candidate's pass rates in the groups of one key. Intervals hold for all groups at once."""

    by: str
    groups: int
    """Number of groups."""
    lowest: str
    """Group with the lowest pass rate."""
    lowest_rate: Interval
    best: str
    worst: str
    """Groups between which the difference is largest."""
    largest_difference: Interval
    """Pass rate of the group `best` minus that of the group `worst`."""


class RefusalRates(FrozenModel):
    """Candidate's refusals, with exact intervals. A rate is null if no case asks for it."""

    over_refused: Interval | None
    """Proportion of requests to be answered whose case has not passed."""
    under_refused: Interval | None
    """Proportion of requests to be refused whose case has not passed."""
    pairs: int
    pairs_told_apart: Interval | None
    """Proportion of matched pairs in which both cases have passed."""


class FailedCase(FrozenModel):
    """Case that the candidate has not passed."""

    case: str
    severity: Severity
    status: Status
    why: str


class SuiteResult(FrozenModel):
    """Results of one suite."""

    name: str
    version: int
    title: str
    about: str
    is_own: bool
    """Whether the suite is for this use case alone."""
    owner: str
    licence: str
    origin: str
    judge: str
    """Kind of the suite's judge."""
    severity: Severity
    owasp: list[str]
    atlas: list[str]
    cases: int
    """Number of judged cases."""
    rows: int
    """Number of clusters: listed cases, and test rows from which cases are derived."""
    scores: dict[ModelName, SuiteScore]
    comparisons: dict[ModelName, SuiteComparison]
    slices: list[SuiteSlice]
    groups: list[GroupComparison] = []
    """Comparisons of the groups of each key."""
    refusals: RefusalRates | None = None
    """Rates of refusals; null if no case says whether it should be refused."""
    severe_failures: int
    """Number of cases of severity critical or high that the candidate has not passed."""
    failures: list[FailedCase]
    """Cases that the candidate has not passed, the most severe first; at most MAX_FAILURES."""


class SuiteResults(FrozenModel):
    """Contents of suites.json."""

    confidence: float
    suites: list[SuiteResult]
    not_asked: list[str] = []
    """Names of the run's suites without a case, since no test row is of their kinds."""


MAX_FAILURES = 50
