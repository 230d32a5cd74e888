"""Checks of a gate: those of policy, those of every risk tier with gates, and the use case's own success metrics.

The checks of every tier are computed here from the evidence, never by the run's own code. Policy can allow a role to
waive these checks but cannot remove them.
"""

import re
from collections.abc import Sequence
from typing import Literal

from tasks.core.documents.config import FrozenModel
from tasks.core.errors import InputError
from tasks.core.facts import Fact, Facts
from tasks.core.params.use_case import SuccessMetric
from tasks.declarations.criteria import AcceptanceCriteria, PromotedCriteria, relaxed_criteria
from tasks.gates.checks.purpose import Purpose, unapproved_uses
from tasks.gates.dataset_profile.required_detectors import MISSING
from tasks.policy.gate_rules import CHECK_NAMES_OF_EVERY_TIER, DETECTOR_CHECK, Check, GateRules
from tasks.sources.dataset import Dataset
from tasks.trust.gate_statement import GateName

CHECKS_OF_EVERY_TIER: dict[GateName, list[Check]] = {
    "data": [Check(name=CHECK_NAMES_OF_EVERY_TIER["data"], fact="use_case.unapproved_uses", at_most=0)],
    "evaluation": [Check(name=CHECK_NAMES_OF_EVERY_TIER["evaluation"], fact="use_case.laxer_metrics", at_most=0)],
}

_NGRAM = r"«[^\W\d_](?:[^\W\d_]|[ .,;:!?'()-]){1,3}[^\W\d_]»"
"""Pattern of a character n-gram by which synthetic records are recognised: three to five letters and signs.

A text that a stage would hide in ten of them is no longer than 50 letters.
"""
RECORD_NOTE_PATTERNS = {
    "validate.placeholders_only_in_target": re.compile(
        r"[\d,]+ of [\d,]+ targets with a placeholder(?:: records [0-9a-f]{32}(?:, [0-9a-f]{32})*(?:, …)?)?"
    ),
    "split.labels_only_in_test": re.compile(
        r"labels that no training record has: records [0-9a-f]{32}(?:, [0-9a-f]{32})*(?:, …)?"
    ),
    "ingest.synthetic_without_parents": re.compile(
        r"made from no record that they name: records [0-9a-f]{32}(?:, [0-9a-f]{32})*(?:, …)?"
    ),
    "split.synthetic_share": re.compile(r"of the training rows of task [a-z0-9_-]+, which has the highest share"),
    "validate.synthetic_auc": re.compile(
        r"a classifier tells synthetic from real records \(\.5: as by chance, 1: always\); most easily those of task "
        rf"[a-z0-9_-]+(?:, by {_NGRAM}(?:, {_NGRAM}){{0,9}})?"
    ),
}
"""Allowed forms of the notes that list records, tasks or n-grams, by metric name.

The run's own code writes these notes, and everybody can see the gate. A note is therefore shown only if it contains
nothing but counts, record ids, a task and n-grams.
"""


PREFIXES_WITH_NOTES = ("shift.", "coverage.", "templates.", "detectors.")
"""Beginnings of the names of metrics that gates compute themselves and whose notes are shown
(`tasks.gates.dataset_profile.profile_facts`).

No stage has such a name, so no run writes these notes. They do show values that a run wrote in columns of its rows:
only values with at least MIN_NAMED_ROWS rows, cut and escaped by `format_noted_value`, and texts with the form of a
record id.
"""


class CheckResult(FrozenModel):
    """Result of one check of a gate."""

    name: str
    fact: str
    value: float | None
    """Value of the metric; null if the metric does not exist."""
    low: float | None
    high: float | None
    bound: Literal["value", "low", "high"]
    at_least: float | None
    at_most: float | None
    verdict: Literal["passed", "failed", "absent"]
    """Outcome of the check. `absent` means that the check is optional and its metric does not exist; the gate can still
    pass."""
    why: str = ""
    """Explanation of the outcome. Empty, except for checks that apply in every tier and for metrics whose note lists
    records."""


def checks_of_gate(gate: GateName, rules: GateRules, metrics: Sequence[SuccessMetric]) -> list[Check]:
    """Return all checks of a gate.

    Raises:
        InputError: Two checks have the same name, so a waiver of one would also waive the other.
    """
    judged = [metric for metric in metrics if metric.judged == "evaluation"] if rules.success_metrics else []
    required = [Check(name=DETECTOR_CHECK, fact=MISSING, at_most=0)] if rules.detectors else []
    checks = rules.checks + CHECKS_OF_EVERY_TIER.get(gate, []) + required + [_metric_check(metric) for metric in judged]
    names = [check.name for check in checks]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise InputError(
            f"use_case.success_metrics: gate {gate} has more than one check named {', '.join(map(repr, twice))}, and a "
            "waiver names one; give the metric another name"
        )
    return checks


def _metric_check(metric: SuccessMetric) -> Check:
    return Check(**metric.model_dump(include={"name", "fact", "bound", "at_least", "at_most"}))


def facts_of_every_tier(
    gate: GateName, purpose: Purpose, dataset: Dataset | None, bar: AcceptanceCriteria, adopted: PromotedCriteria | None
) -> Facts:
    """Return the metrics for the checks of every tier. Each metric is a number of findings, which its note lists."""
    if gate == "data" and dataset is not None:
        allowed = {name: source.approved_uses for name, source in dataset.sources.items()}
        return {"use_case.unapproved_uses": _finding_count(unapproved_uses(purpose.approved_uses, allowed))}
    if gate == "evaluation":
        return {"use_case.laxer_metrics": _finding_count(relaxed_criteria(adopted, bar))}
    return {}


def _finding_count(texts: list[str]) -> Fact:
    return Fact(value=len(texts), note="; ".join(texts))


def evaluate_check(check: Check, facts: Facts) -> CheckResult:
    """Compare a metric with its limit. If the metric does not exist, the check fails unless it is optional."""
    fact = facts.get(check.fact)
    judged = getattr(fact, check.bound) if fact else None
    reached = judged is not None and (
        judged >= check.at_least if check.at_least is not None else judged <= (check.at_most or 0.0)
    )
    return CheckResult(
        name=check.name,
        fact=check.fact,
        value=fact.value if fact else None,
        low=fact.low if fact else None,
        high=fact.high if fact else None,
        bound=check.bound,
        at_least=check.at_least,
        at_most=check.at_most,
        verdict="absent" if fact is None and check.optional else "passed" if reached else "failed",
        why=_finding(check, fact),
    )


def _finding(check: Check, fact: Fact | None) -> str:
    form = RECORD_NOTE_PATTERNS.get(check.fact)
    shown = (
        check.name in CHECK_NAMES_OF_EVERY_TIER.values()
        or check.fact.startswith(PREFIXES_WITH_NOTES)
        or (fact and form and form.fullmatch(fact.note))
    )
    return fact.note if fact and shown else ""
