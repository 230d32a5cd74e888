"""Summary of a gate for people who are about to decide.

It shows who requested the run and why, the number of people in the data, the next steps, and how long a decision can be
undone.
"""

from collections import Counter
from collections.abc import Iterable
from itertools import groupby

from tasks.core.escaping import escape_to_one_line
from tasks.core.graph import GATES, STEPS, Gate
from tasks.gates import evidence_text, signed_request
from tasks.gates.evidence import Evidence, RequiredDecisions
from tasks.gates.recogniser_figures import known_misses_text
from tasks.ledger.ledger import Ledger
from tasks.policy.governance import Governance
from tasks.policy.tier import Tier
from tasks.sources.dataset import Dataset, DatasetSource
from tasks.trust.gate_statement import GateName


def summary_lines(evidence: Evidence, ledger: Ledger, governed: Governance) -> dict[str, str]:
    purpose, dataset = evidence.purpose, evidence.dataset
    asked = signed_request.request_for_run(ledger, governed, evidence.run)
    reason = escape_to_one_line(asked.request.reason or "") if asked else ""
    return {
        "asked by": f"{evidence.requester_text}: {reason or 'no reason was given'}",
        "problem": escape_to_one_line(purpose.problem),
        "for": escape_to_one_line(f"{'; '.join(purpose.approved_uses)}; used by {', '.join(purpose.users)}"),
        **({"people": people_counts_text(dataset.sources.values())} if dataset else {}),
        **({"own detectors": own_detectors_text(dataset)} if dataset else {}),
        **({"recognisers": known_misses_text(_languages(dataset))} if dataset else {}),
        **({"kept readable": kept} if dataset and (kept := kept_readable_text(dataset)) else {}),
        "who decides": evidence_text.deciders_text(evidence.asks),
        "once it passes": next_steps_text(evidence, governed),
        "can be undone": "a decision can be withdrawn while the gate is open, which ends once it has what it asks for; "
        + undo_text(evidence.gate),
    }


def undo_text(gate: GateName) -> str:
    if gate not in GATES:
        return ""
    if gate == "data":
        return "hallmark data withdraw SOURCE then stops the run before its next stage and keeps it from promotion"
    later = GATES[GATES.index(gate) + 1 :]
    if later:
        return f"a rejection at the {later[0]} gate then keeps the model from promotion"
    return "the model is then in production, until another release is, or hallmark releases rollback"


def people_counts_text(origins: Iterable[DatasetSource]) -> str:
    counts: Counter[str] = Counter()
    for origin in origins:
        if origin.people is None:
            return "not counted: an earlier version made the dataset"
        counts.update(origin.people)
    said = ", ".join(f"{name} {count:,}" for name, count in counts.items())
    return f"{said} (different values in it; one person may have several)" if said else "nobody was found in it"


def kept_readable_text(dataset: Dataset) -> str:
    return "; ".join(
        f"{name}: {said}" for name, it in sorted(dataset.sources.items()) if (said := _kept_values_text(it))
    )


def _languages(dataset: Dataset) -> set[str]:
    return {language for counts in dataset.segments.get("language", {}).values() for language in counts}


def own_detectors_text(dataset: Dataset) -> str:
    """Return what owners' detectors found in the sources, by detector and category."""
    texts = [f"{name}: {text}" for name, it in sorted(dataset.sources.items()) for text in source_detector_texts(it)]
    return "; ".join(texts) or "none: Hallmark's recognisers alone looked for personal data"


def source_detector_texts(origin: DatasetSource) -> list[str]:
    """Return a text for each detector of a source: what it is, and how much it found and added, by category."""
    return [
        f"{name} ({detector.kind}, SHA-256 {detector.sha256[:12]}…): {_finds_text(origin, name)}"
        for name, detector in sorted(origin.detectors.items())
    ]


def _finds_text(origin: DatasetSource, detector: str) -> str:
    counts = {name: count for name, count in sorted(origin.detected.get(detector, {}).items()) if count.found}
    said = [f"{name} {count.found:,} found, {count.added:,} of them by it alone" for name, count in counts.items()]
    return ", ".join(said) or "found nothing"


def protected_values_text(origin: DatasetSource) -> str:
    count = sum(origin.protected.values())
    kept = _kept_values_text(origin)
    return f"{count:,} found{f', {kept}' if kept else ''}" if count else ""


def _kept_values_text(origin: DatasetSource) -> str:
    kept = origin.readable_counts
    return f"{sum(kept.values()):,} kept readable ({', '.join(kept)})" if kept else ""


def source_terms(origin: DatasetSource) -> dict[str, str]:
    return {
        "class": origin.classification,
        "lawful basis": escape_to_one_line(origin.lawful_basis),
        "licence": escape_to_one_line(origin.licence),
        "region": escape_to_one_line(origin.region),
        "kept": f"{origin.retention_days:,} days",
        "approved for": escape_to_one_line("; ".join(origin.approved_uses)),
        **({"synthetic": f"{origin.synthetic:,} of {sum(origin.rows.values()):,} rows"} if origin.synthetic else {}),
    }


def next_steps_text(evidence: Evidence, governed: Governance) -> str:
    if evidence.gate not in GATES:  # a gate of another version
        return ""
    tier, parts = governed.policy.tier(evidence.tier), list[str]()
    left = STEPS[STEPS.index(Gate(evidence.gate)) + 1 :]
    for are_gates, steps in groupby(left, lambda step: isinstance(step, Gate)):
        names = [step.name for step in steps]
        if are_gates:
            parts += [_gate_text(name, tier, evidence.demo) for name in names]
        else:
            parts.append(f"stage{'s' * (len(names) > 1)} {', '.join(names)}")
    return "; ".join([*parts, f"promotion{' as a demo, not for production' * evidence.demo}"])


def _gate_text(name: str, tier: Tier, demo: bool) -> str:
    who = evidence_text.deciders_text(RequiredDecisions.from_policy(tier, name, None, demo))
    return f"the {name} gate ({who.partition(';')[0]})"
