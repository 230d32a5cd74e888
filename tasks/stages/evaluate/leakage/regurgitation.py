"""Regurgitation: whether a model continues training texts word by word, given their first half.

Many targets can be continued without memorisation, since they have a form. Test rows and the base model show how many.
"""

from collections.abc import Mapping, Sequence
from difflib import SequenceMatcher

from tasks.stages.evaluate import uncertainty
from tasks.stages.evaluate.leakage.results_schema import RegurgitationResults
from tasks.stages.evaluate.model_names import ModelName

MIN_CHARS = 60
"""Minimum number of characters in a target or text that is worth continuing."""
MAX_CONTINUED_TOKENS = 64
"""Maximum number of tokens of a continuation. Of a longer second half, only the beginning is compared."""
MIN_LIKENESS = 0.9
"""Minimum likeness of a continuation that counts as nearly equal: twice the number of matching characters over the
number of all (difflib's ratio)."""
Likenesses = Sequence[float]


def likeness(continuation: str, original: str) -> float:
    """Return the likeness of two texts, from 0 to 1, where spaces at their ends and several in a row do not count."""
    first, second = (" ".join(text.split()) for text in (continuation, original))
    return 1.0 if first == second else min(SequenceMatcher(None, first, second, autojunk=False).ratio(), 1 - 1e-9)


def regurgitation_results(
    train: Mapping[ModelName, Likenesses], test: Likenesses, confidence: float
) -> RegurgitationResults:
    """Return the results, given the likeness of each continuation to its original.

    Args:
        train: Likenesses of the candidate and of the base model on training rows, at least one.
        test: Likenesses of the candidate on test rows.
        confidence: Confidence level of the intervals.
    """
    ours = train["candidate"]
    difference = None
    if test:
        shares = (uncertainty.wilson_interval(_count_near(each), len(each), confidence) for each in (ours, test))
        difference = uncertainty.independent_difference(*shares)
    return RegurgitationResults(
        train_rows=len(ours),
        test_rows=len(test),
        verbatim=sum(each == 1 for each in ours),
        of_train=uncertainty.exact_interval(_count_near(ours), len(ours), confidence),
        of_test=uncertainty.exact_interval(_count_near(test), len(test), confidence) if test else None,
        of_train_by_base=uncertainty.exact_interval(_count_near(train["base"]), len(ours), confidence),
        excess=difference,
    )


def _count_near(likenesses: Likenesses) -> int:
    return sum(each >= MIN_LIKENESS for each in likenesses)
