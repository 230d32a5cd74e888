"""Rules for and against each approach. Each rule adds or subtracts points and gives a reason, which the user sees."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from tasks.advice.row_profile import RowProfile
from tasks.core.params import methods
from tasks.core.params.use_case import Approach

FEW_ROWS, MANY_ROWS = 50, 50_000
"""Limits on the number of rows. With fewer than FEW_ROWS, a model learns little. With at least MANY_ROWS, full
fine-tuning may be worthwhile."""
FREQUENT_REFRESH_DAYS = 30
"""Refresh interval in days up to which a source changes faster than a model can be trained and approved."""
SHORT_ANSWER_CHARS = 300
"""Mean length in characters up to which answers are assumed to be labels or fixed forms rather than prose."""
Reasons = Iterator[tuple[int, str]]


@dataclass(frozen=True)
class Opinion:
    approach: Approach
    points: int
    reasons: tuple[str, ...]


def rank_approaches(profile: RowProfile) -> list[Opinion]:
    """Return opinions on all approaches, sorted by descending points. On a tie, the cheaper approach comes first."""
    opinions = []
    for approach, rule in RULE_BY_APPROACH.items():
        unfit = profile.plain_texts == profile.rows and approach not in methods.TEXT_APPROACHES
        reasons = ((-2, "the rows are plain texts, without answers"),) if unfit else tuple(rule(profile))
        opinions.append(Opinion(approach, sum(points for points, _ in reasons), tuple(words for _, words in reasons)))
    return sorted(opinions, key=lambda opinion: -opinion.points)


def _judge_retrieval(data: RowProfile) -> Reasons:
    if data.has_fixed_answers:
        yield -2, f"every answer is one of {data.distinct_answers}, so there is nothing to look up"
    if data.refresh_days <= FREQUENT_REFRESH_DAYS and not data.has_fixed_answers:
        yield 2, f"a source changes within {data.refresh_days} days, faster than a model is trained and approved"
    if data.rows < FEW_ROWS:
        yield 1, f"{data.rows} rows are few to learn from, and can be looked up"


def _judge_lora(data: RowProfile) -> Reasons:
    if data.has_fixed_answers or data.mean_answer_chars <= SHORT_ANSWER_CHARS:
        yield 2, f"answers have a form of {data.mean_answer_chars:.0f} characters on average, which an adapter learns"
    if data.rows < FEW_ROWS:
        yield -1, f"{data.rows} rows are few to learn from"
    if data.refresh_days <= FREQUENT_REFRESH_DAYS and not data.has_fixed_answers:
        yield -1, f"what it learnt is out of date after {data.refresh_days} days"


def _judge_instruction_tuning(data: RowProfile) -> Reasons:
    if data.tasks > 1:
        yield 1, f"{data.tasks} tasks are learnt together"
    if not data.has_fixed_answers and data.mean_answer_chars > SHORT_ANSWER_CHARS:
        yield 1, f"answers are texts of {data.mean_answer_chars:.0f} characters, whose tone and form are learnt"
    if data.rows < FEW_ROWS:
        yield -1, f"{data.rows} rows are few to learn from"


def _judge_full_fine_tuning(data: RowProfile) -> Reasons:
    if data.rows >= MANY_ROWS and not data.has_fixed_answers:
        yield 1, f"{data.rows:,} rows may be more than an adapter holds"
    else:
        yield -1, "an adapter learns as much from such rows, and needs gradients of its own few weights alone"


def _judge_pretraining(data: RowProfile) -> Reasons:
    if data.plain_texts:
        yield 2, f"{data.plain_texts:,} of {data.rows:,} rows are plain texts"
    else:
        yield -2, "the rows are questions with answers; it takes texts, and millions of words of them"


RULE_BY_APPROACH: Mapping[Approach, Callable[[RowProfile], Reasons]] = {
    "lora": _judge_lora,
    "retrieval": _judge_retrieval,
    "instruction_tuning": _judge_instruction_tuning,
    "full_fine_tuning": _judge_full_fine_tuning,
    "continued_pretraining": _judge_pretraining,
}
"""Rule for each approach, in ascending order of the approaches' costs."""


def default_method(approach: Approach) -> str | None:
    """Return the default training method of an approach; None for `retrieval` and `continued_pretraining`."""
    if approach in ("retrieval", "continued_pretraining"):
        return None
    wanted = methods.methods_for_approach(approach)
    return wanted[0] if wanted else next(iter(methods.METHODS))
