"""Rules for and against each approach. Each rule adds or subtracts points, and its reason is shown."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from tasks.advice.data import Data
from tasks.core.params import methods
from tasks.core.params.use_case import Approach

FEW, MANY = 50, 50_000
"""Numbers of rows. Below the first, training learns little; above the second, full fine-tuning may pay off."""
OFTEN = 30
"""Days between refreshes below which a source changes faster than models pass their gates."""
SHORT = 300
"""Maximum mean length in characters of answers that are labels or forms rather than texts."""
Reasons = Iterator[tuple[int, str]]


@dataclass(frozen=True)
class Opinion:
    approach: Approach
    points: int
    reasons: tuple[str, ...]
    """Reasons for and against, as sentences."""


def all_of(data: Data) -> list[Opinion]:
    """Return opinions on all approaches by points, the highest first; of equals the cheaper one is first."""
    opinions = []
    for approach, rule in RULES.items():
        unfit = data.texts == data.rows and approach not in methods.TEXTS
        told = ((-2, "the rows are plain texts, without answers"),) if unfit else tuple(rule(data))
        opinions.append(Opinion(approach, sum(points for points, _ in told), tuple(words for _, words in told)))
    return sorted(opinions, key=lambda opinion: -opinion.points)


def _retrieval(data: Data) -> Reasons:
    if data.closed:
        yield -2, f"every answer is one of {data.answers}, so there is nothing to look up"
    if data.refresh_days <= OFTEN and not data.closed:
        yield 2, f"a source changes within {data.refresh_days} days, faster than a model is trained and approved"
    if data.rows < FEW:
        yield 1, f"{data.rows} rows are few to learn from, and can be looked up"


def _lora(data: Data) -> Reasons:
    if data.closed or data.answer_chars <= SHORT:
        yield 2, f"answers have a form of {data.answer_chars:.0f} characters on average, which an adapter learns"
    if data.rows < FEW:
        yield -1, f"{data.rows} rows are few to learn from"
    if data.refresh_days <= OFTEN and not data.closed:
        yield -1, f"what it learnt is out of date after {data.refresh_days} days"


def _instruction(data: Data) -> Reasons:
    if data.tasks > 1:
        yield 1, f"{data.tasks} tasks are learnt together"
    if not data.closed and data.answer_chars > SHORT:
        yield 1, f"answers are texts of {data.answer_chars:.0f} characters, whose tone and form are learnt"
    if data.rows < FEW:
        yield -1, f"{data.rows} rows are few to learn from"


def _full(data: Data) -> Reasons:
    if data.rows >= MANY and not data.closed:
        yield 1, f"{data.rows:,} rows may be more than an adapter holds"
    else:
        yield -1, "an adapter learns as much from such rows, and needs gradients of its own few weights alone"


def _pretraining(data: Data) -> Reasons:
    if data.texts:
        yield 2, f"{data.texts:,} of {data.rows:,} rows are plain texts"
    else:
        yield -2, "the rows are questions with answers; it takes texts, and millions of words of them"


RULES: Mapping[Approach, Callable[[Data], Reasons]] = {
    "lora": _lora,
    "retrieval": _retrieval,
    "instruction_tuning": _instruction,
    "full_fine_tuning": _full,
    "continued_pretraining": _pretraining,
}
"""Rule of each approach, in order of cost."""


def method_of(approach: Approach) -> str | None:
    """Return the default training method of an approach; None if it trains nothing, or has no method here."""
    if approach in ("retrieval", "continued_pretraining"):
        return None
    wanted = methods.for_approach(approach)
    return wanted[0] if wanted else next(iter(methods.METHODS))
