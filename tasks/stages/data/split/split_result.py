"""Result of stage `split`, with the metrics that policies check."""

from tasks.core import power
from tasks.core.documents.config import FrozenModel
from tasks.core.facts import Fact, Facts
from tasks.stages.data.quarantine import Counts
from tasks.stages.data.split import synthetic_share
from tasks.stages.data.split.synthetic_share import TaskShare

MAX_EXAMPLES = 5


class SplitResult(FrozenModel):
    counts: Counts
    train_rows: int
    test_rows: int
    validation_rows: int = 0
    """Number of training records that are held out for validation."""
    calibration_rows: int = 0
    """Number of training records that are set aside for the confidence of answers."""
    groups_on_both_sides: int
    near_prompts_on_both_sides: int | None
    """Number of clusters of near-identical prompts with records in both partitions; null if `deduplicate` did not
    look for near-duplicates."""
    labels_only_in_test: list[str]
    """Labels of test records that no training record has, so the model cannot learn them from this dataset."""
    untrained_rows: int = 0
    """Number of test records with such a label."""
    untrained_examples: list[str] = []
    """Ids of test records whose label no training record has: the smallest ids, at most MAX_EXAMPLES."""
    near_equal_labels: int = 0
    """Number of labels that nearly equal a more frequent label."""
    canaries: int = 0
    """Number of made-up records that training reads beside the training records."""
    detectable_gain: float | None = None
    """Smallest difference of two models that the test records show, where they differ on so many records as assumed in
    `power`."""
    synthetic: list[TaskShare] = []
    """Share of synthetic records, by task. Tasks without synthetic records are left out."""

    def to_facts(self) -> Facts:
        more = ", …" if self.untrained_rows > len(self.untrained_examples) else ""
        named = f": records {', '.join(self.untrained_examples)}{more}" if self.untrained_examples else ""
        stated = {
            "train_rows": Fact(value=self.train_rows, unit="rows"),
            "test_rows": Fact(value=self.test_rows, unit="rows"),
            "validation_rows": Fact(value=self.validation_rows, unit="rows", note="of the training rows"),
            **self._calibration(),
            **self._power(),
            "groups_on_both_sides": Fact(
                value=self.groups_on_both_sides, note="prompts, caseless and evenly spaced, in training and test"
            ),
            "labels_only_in_test": Fact(
                value=len(self.labels_only_in_test), note=f"labels that no training record has{named}"
            ),
            "near_equal_labels": Fact(
                value=self.near_equal_labels, note="labels that nearly equal a more frequent label"
            ),
            "prompt_in_test": self._rule_count("prompt_in_test"),
            "label_not_trained": self._rule_count("label_not_trained"),
            "not_drawn": Fact(value=self.counts.not_drawn, unit="rows"),
            "canaries": Fact(
                value=self.canaries, unit="rows", note="made up, trained beside these rows to measure memorisation"
            ),
            **synthetic_share.to_facts(self.synthetic),
        }
        if self.near_prompts_on_both_sides is None:
            return stated
        note = "clusters of near-identical prompts in training and test"
        return stated | {"near_prompts_on_both_sides": Fact(value=self.near_prompts_on_both_sides, note=note)}

    def _calibration(self) -> Facts:
        note = "of the training rows; no step learns from them"
        return (
            {"calibration_rows": Fact(value=self.calibration_rows, unit="rows", note=note)}
            if self.calibration_rows
            else {}
        )

    def _power(self) -> Facts:
        if self.detectable_gain is None:
            return {}
        note = (
            f"smallest true difference of two models that the test rows show with {power.POWER:.0%} power, if they "
            f"differ on {power.ASSUMED_DIFFERING:.0%} of them"
        )
        return {"detectable_gain": Fact(value=self.detectable_gain, note=note)}

    def _rule_count(self, rule: str) -> Fact:
        return Fact(value=self.counts.quarantined.get(rule, 0), unit="rows")
