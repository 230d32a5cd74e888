"""Rules for and against each approach. Each rule adds or subtracts points, and its reason is shown."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from tasks.advice.row_profile import RowProfile
from tasks.core.params import methods
from tasks.core.params.use_case import Approach

FEW_ROWS, MANY_ROWS = 50, 50_000
"""Numbers of rows. Below the first, training learns little. Above the second, full fine-tuning may be worthwhile."""
FREQUENT_REFRESH_DAYS = 30
"""Refresh interval in days below which a source changes faster than a model can be trained and approved."""
SHORT_ANSWER_CHARS = 300
"""Maximum mean length, in characters, of answers that are labels or fixed forms rather than prose."""
Reasons = Iterator[tuple[int, str]]


@dataclass(frozen=True)
class Opinion:
    approach: Approach
    points: int
    reasons: tuple[str, ...]


def rank_approaches(data: RowProfile) -> list[Opinion]:
    """Return opinions on all approaches, highest points first. If points are equal, the cheaper approach is first."""
    opinions = []
    for approach, rule in RULES.items():
        unfit = data.texts == data.rows and approach not in methods.TEXT_APPROACHES
        reasons = ((-2, "the rows are plain texts, without answers"),) if unfit else tuple(rule(data))
        opinions.append(Opinion(approach, sum(points for points, _ in reasons), tuple(words for _, words in reasons)))
    return sorted(opinions, key=lambda opinion: -opinion.points)


def _retrieval(data: RowProfile) -> Reasons:
    if data.has_fixed_answers:
        yield -2, f"every answer is one of {data.answers}, so there is nothing to look up"
    if data.refresh_days <= FREQUENT_REFRESH_DAYS and not data.has_fixed_answers:
        yield 2, f"a source changes within {data.refresh_days} days, faster than a model is trained and approved"
    if data.rows < FEW_ROWS:
        yield 1, f"{data.rows} rows are few to learn from, and can be looked up"


def _lora(data: RowProfile) -> Reasons:
    if data.has_fixed_answers or data.answer_chars <= SHORT_ANSWER_CHARS:
        yield 2, f"answers have a form of {data.answer_chars:.0f} characters on average, which an adapter learns"
    if data.rows < FEW_ROWS:
        yield -1, f"{data.rows} rows are few to learn from"
    if data.refresh_days <= FREQUENT_REFRESH_DAYS and not data.has_fixed_answers:
        yield -1, f"what it learnt is out of date after {data.refresh_days} days"


def _instruction_tuning(data: RowProfile) -> Reasons:
    if data.tasks > 1:
        yield 1, f"{data.tasks} tasks are learnt together"
    if not data.has_fixed_answers and data.answer_chars > SHORT_ANSWER_CHARS:
        yield 1, f"answers are texts of {data.answer_chars:.0f} characters, whose tone and form are learnt"
    if data.rows < FEW_ROWS:
        yield -1, f"{data.rows} rows are few to learn from"


def _full_fine_tuning(data: RowProfile) -> Reasons:
    if data.rows >= MANY_ROWS and not data.has_fixed_answers:
        yield 1, f"{data.rows:,} rows may be more than an adapter holds"
    else:
        yield -1, "an adapter learns as much from such rows, and needs gradients of its own few weights alone"


def _pretraining(data: RowProfile) -> Reasons:
    if data.texts:
        yield 2, f"{data.texts:,} of {data.rows:,} rows are plain texts"
    else:
        yield -2, "the rows are questions with answers; it takes texts, and millions of words of them"


RULES: Mapping[Approach, Callable[[RowProfile], Reasons]] = {
    "lora": _lora,
    "retrieval": _retrieval,
    "instruction_tuning": _instruction_tuning,
    "full_fine_tuning": _full_fine_tuning,
    "continued_pretraining": _pretraining,
}
"""Rule for each approach, from the cheapest to the most expensive approach."""


def default_method(approach: Approach) -> str | None:
    """Return the default training method of an approach; None if it needs no training or has no method."""
    if approach in ("retrieval", "continued_pretraining"):
        return None
    wanted = methods.for_approach(approach)
    return wanted[0] if wanted else next(iter(methods.METHODS))
