"""Gate checks that will fail regardless of the run's results, found before the run starts."""

from collections.abc import Iterator
from typing import NamedTuple

from tasks.core.errors import Refused
from tasks.core.params.coverage import COVERED_KINDS, smallest_asked_share
from tasks.core.params.data import Data
from tasks.core.params.params import Params
from tasks.declarations.criteria import AcceptanceCriteria, relaxed_criteria
from tasks.gates.checks.checks import checks_of_gate
from tasks.gates.checks.purpose import unapproved_uses
from tasks.gates.dataset_profile.required_detectors import undetected_categories
from tasks.ledger.ledger import Ledger
from tasks.policy.gate_rules import CHECK_NAMES_OF_EVERY_TIER, DETECTOR_CHECK
from tasks.policy.governance import Governance
from tasks.policy.tier import Tier
from tasks.registry.release import promotions
from tasks.runs.requests import synthetic_limits
from tasks.sources.column_mapping import UNKNOWN_LANGUAGE
from tasks.sources.owner_detectors import DeclaredDetector
from tasks.sources.sources import Sources
from tasks.trust.gate_statement import GateName

ROW_LIMITS = {
    "split.train_rows": "train_rows",
    "split.test_rows": "test_rows",
    "evaluate.test_rows": "test_rows",
}
"""Parameter in section `data` that limits a metric, by name of the metric."""


class ExpectedFailure(NamedTuple):
    gate: GateName
    check: str
    reasons: list[str]
    waived_by: str | None
    """Role that can waive the check; None if policy allows no waiver."""

    def __str__(self) -> str:
        headline = f"the check {self.check!r} will fail at the {self.gate} gate:"
        way = f"role {self.waived_by} may waive it" if self.waived_by else "policy lets nobody waive it"
        return "\n".join([headline, *(f"  {each}" for each in self.reasons), way])


def find_expected_failures(
    params: Params, sources: Sources, ledger: Ledger, governance: Governance, demo: bool
) -> list[ExpectedFailure]:
    """Return the gate checks that will fail and that can be waived.

    Raises:
        Refused: A check that cannot be waived will fail, or the champion has a higher risk tier.
        InputError: A success metric has the name of a check.
    """
    card, policy = params.use_case, governance.policy
    tier = policy.tier(card.risk_tier)
    if not tier.gates:
        return []
    for name, rules in tier.gates.items():
        checks_of_gate(name, rules, card.success_metrics)
    line = promotions.read_promotions(ledger, governance, card.name)
    promotions.require_tier_not_lower(card.risk_tier, line.newest_statement, policy)
    wrong: dict[GateName, list[str]] = {
        "data": unapproved_uses(card.approved_uses, {source.id: source.approved_uses for source in sources.sources}),
        "evaluation": relaxed_criteria(line.success_metrics(demo), AcceptanceCriteria.from_params(params)),
    }
    failing = [
        _expected_failure(tier, gate, CHECK_NAMES_OF_EVERY_TIER[gate], reasons)
        for gate, reasons in wrong.items()
        if reasons
    ]
    failing += find_unreachable_row_counts(params.data, tier)
    failing += find_low_coverage_demands(params, tier)
    failing += find_synthetic_failures(sources, tier)
    failing += find_missing_detectors(sources, tier)
    if not_waivable := [each for each in failing if each.waived_by is None]:
        raise Refused("\n".join(map(str, not_waivable)))
    return failing


def find_unreachable_row_counts(data: Data, tier: Tier) -> Iterator[ExpectedFailure]:
    """Yield the checks that require more rows than a run with these parameters can have."""
    for gate, rules in tier.gates.items():
        for check in rules.checks:
            key = ROW_LIMITS.get(check.fact)
            kept = getattr(data, key) if key else None
            if kept is not None and check.at_least is not None and kept < check.at_least:
                reason = f"it asks for {check.at_least:,g} rows, and data.{key} in params.yaml keeps {kept:,}"
                yield _expected_failure(tier, gate, check.name, [reason])


def find_low_coverage_demands(params: Params, tier: Tier) -> Iterator[ExpectedFailure]:
    """Yield the checks that require `data.coverage` to demand a larger share of a kind."""
    asked = {
        f"coverage.asked_{kind}": smallest_asked_share(params.data.coverage, list(params.prompts), kind)
        for kind in COVERED_KINDS
    }
    for gate, rules in tier.gates.items():
        for check in rules.checks:
            share = asked.get(check.fact)
            if share is not None and check.at_least is not None and share < check.at_least:
                reason = (
                    f"it asks for {check.at_least:g}, and data.coverage in params.yaml demands {share:g} of a task; "
                    "rules with `by` do not count"
                )
                yield _expected_failure(tier, gate, check.name, [reason])


def find_synthetic_failures(sources: Sources, tier: Tier) -> Iterator[ExpectedFailure]:
    """Yield the checks on synthetic records that fail whatever a run makes of these sources."""
    for limit in synthetic_limits.find_exceeded_limits(sources, tier):
        yield _expected_failure(tier, limit.gate, limit.check, [limit.reason])


def find_missing_detectors(sources: Sources, tier: Tier) -> Iterator[ExpectedFailure]:
    """Yield the check on required detectors if it fails whatever the rows of these sources are.

    Only sources whose records all have the same language are judged. Of the others, the data gate counts the records.
    """
    required = tier.gates["data"].detectors
    reasons = [
        f"source {source.id}: no detector for {', '.join(missing)} reads records in {language}"
        for source in sources.sources
        if source.mapping.language is None
        for language in [source.constants.language or UNKNOWN_LANGUAGE]
        if (missing := undetected_categories(required, map(DeclaredDetector.from_detector, source.detectors), language))
    ]
    if reasons:
        yield _expected_failure(tier, "data", DETECTOR_CHECK, reasons)


def _expected_failure(tier: Tier, gate: GateName, check: str, reasons: list[str]) -> ExpectedFailure:
    rules = tier.gates[gate]
    return ExpectedFailure(gate, check, reasons, rules.waive.role if rules.waive and rules.can_waive(check) else None)
