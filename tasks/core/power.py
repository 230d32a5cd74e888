"""Power of a paired comparison: how many rows show a gain, and what gain a number of rows shows.

Both use the approximation of Connor (Biometrics 43, 1987) for McNemar's test. The exact test is more cautious: as in
McNemar's test with continuity correction, the difference of gained and lost rows has to be one row larger.

Few rows without a difference do not show that models are equal. `split` therefore says before training what its test
rows can show, and `evaluate` afterwards what they could have shown.
"""

import math
from statistics import NormalDist

POWER = 0.8
"""Statistical power, the probability that a true gain of the smallest detectable size is detected."""
ASSUMED_DIFFERING = 0.1
"""Share of rows on which two models are assumed to differ in being right, as long as no answer is known."""


def rows_needed(gain: float, differing: float, confidence: float) -> float:
    """Return the number of rows, not rounded, on which McNemar's test detects a true gain with POWER.

    Args:
        gain: Difference of two models' proportions of correct answers, above 0 and at most 1.
        differing: Share of rows that exactly one of the models answers correctly. It is at least `gain`.
        confidence: 1 minus the significance level of the two-sided test.
    """
    alpha, beta = NormalDist().inv_cdf((1 + confidence) / 2), NormalDist().inv_cdf(POWER)
    spread = alpha * math.sqrt(differing) + beta * math.sqrt(max(0.0, differing - gain**2))
    # n * gain - 1 = spread * sqrt(n), solved for n.
    return ((spread + math.sqrt(spread**2 + 4 * gain)) / (2 * gain)) ** 2


def smallest_detectable_gain(rows: int, differing: float, confidence: float) -> float:
    """Return the smallest true gain in steps of .001 that McNemar's test detects with POWER on `rows` rows.

    The result is 1 if no gain is detectable. A gain that is larger than `differing` is computed as if only the better
    model were right on the rows that differ.
    """
    steps = (step / 1000 for step in range(1, 1001))
    return next((gain for gain in steps if rows_needed(gain, max(differing, gain), confidence) <= rows), 1.0)
