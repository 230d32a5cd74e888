"""Schema of leakage.json: what the candidate gives away about its training records. It quotes no record."""

from tasks.core.documents.config import FrozenModel
from tasks.stages.evaluate.uncertainty import Interval


class CanaryExposure(FrozenModel):
    """One canary: a made-up training record with a random secret."""

    record_id: str
    rank: int
    """Rank of the secret's likelihood among itself and the alternatives. 1: more likely than all of them."""
    exposure: float
    """Bits of the secret that its rank gives away: log2 of the number of possible secrets, less log2 of the rank
    among all of them that is estimated from `rank`. At most log2 of the number of alternatives plus 1."""
    extracted: bool
    """Whether the model, asked the canary's prompt, answers with the secret by greedy decoding."""


class CanaryResults(FrozenModel):
    canaries: list[CanaryExposure]
    alternatives: int
    """Number of random secrets with which each canary's secret is compared."""
    mean_exposure: float
    """Mean exposure in bits. Without memorisation about 1.4."""
    mean_rank: Interval
    """Mean of rank / (alternatives + 1), with a bootstrap interval. Without memorisation about .5."""
    p: float
    """Probability of ranks at least this low if the model knows no secret: Fisher's combination of rank / (alternatives
    + 1), each of which is an exact p-value. One-sided."""
    extracted: Interval
    """Proportion of the secrets that the model answers, with the exact interval of Clopper and Pearson."""


class AttackRate(FrozenModel):
    """Power of an attack at a limited false-positive rate."""

    false_positive_rate: float
    """Maximum proportion of test rows that are taken for training rows."""
    allowed: int
    """Number of test rows that may be taken for training rows."""
    true_positive_rate: Interval
    """Proportion of training rows that are recognised, with the exact interval of Clopper and Pearson given the
    threshold. Without memorisation about `false_positive_rate`."""
    is_underpowered: bool
    """Whether there are too few test rows for this false-positive rate, so that `allowed` is 0."""


class AttackResults(FrozenModel):
    auc: Interval
    """Probability that a training row scores higher than a test row. Without memorisation about .5."""
    rates: list[AttackRate]


class MembershipResults(FrozenModel):
    train_rows: int
    test_rows: int
    by_reference: AttackResults
    """Attack by the candidate's loss less the base model's, which takes out how difficult a row is."""
    by_loss: AttackResults
    """Attack by the candidate's loss alone."""
    of_base: AttackResults
    """Attack by the base model's loss. It has not seen the training rows, so this shows whether training and test rows
    differ by themselves."""


class RegurgitationResults(FrozenModel):
    """Continuations of the first half of long targets and texts."""

    train_rows: int
    test_rows: int
    verbatim: int
    """Number of training rows that the candidate continues word by word."""
    of_train: Interval
    """Proportion of training rows that the candidate continues word by word or nearly, with the exact interval."""
    of_test: Interval | None
    """Same proportion of test rows; null if none is long enough."""
    of_train_by_base: Interval
    """Same proportion for training rows and the base model."""
    excess: Interval | None
    """`of_train` less `of_test`, with Newcombe's interval. What can be known without memorisation, such as a form, is
    in both."""


class LeakageResults(FrozenModel):
    """Contents of leakage.json."""

    confidence: float
    canaries: CanaryResults | None = None
    """Null without canaries (`data.canaries`)."""
    membership: MembershipResults | None = None
    """Null if it was not measured (`evaluation.leakage_rows`)."""
    regurgitation: RegurgitationResults | None = None
    """Null if it was not measured, or no training row is long enough."""
