"""Comparison of a run's sources, evaluation suites and use-case card with the declarations that their owners signed.

Outside environment `local` each source of a run must be exactly as its owner signed it. In a run with gates, the same
holds for each evaluation suite, and the card must be at least as strict as the card that the business owner signed.
Environment `local` accepts the files as they are.
"""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from tasks.core.errors import InputError, Refused
from tasks.core.layout import Layout
from tasks.core.params.params import Params
from tasks.core.params.values import Sha256
from tasks.declarations import signed_declaration, status
from tasks.declarations.criteria import PromotedCriteria, relaxed_criteria
from tasks.declarations.signed_declaration import DeclaredCard, DeclaredDocument, DeclaredSource, DeclaredSuite
from tasks.declarations.status import DeclarationInForce, DeclarationStatus
from tasks.ledger.ledger import Ledger
from tasks.policy.governance import Governance
from tasks.policy.policy import Policy
from tasks.sources import resolved_sources, sources
from tasks.sources.expectation_suites import Suites
from tasks.sources.sources import Source, Sources
from tasks.stages.evaluate.suites import suite
from tasks.stages.evaluate.suites.suite import EvaluationSuite


def declarations_of_sources(named: Sources, suites: Suites) -> list[DeclaredSource]:
    return [signed_declaration.declare_source(each, suites, named.terms, named.edition_words) for each in named.sources]


def declarations_of_params(params: Params, policy: Policy) -> list[DeclaredCard]:
    """Return the declaration of the use-case card; empty in a tier without gates, where nobody has to sign the card."""
    return [signed_declaration.declare_card(params)] if policy.tier(params.use_case.risk_tier).gates else []


def declarations_of_suites(suites: Iterable[EvaluationSuite], params: Params, policy: Policy) -> list[DeclaredSuite]:
    """Return the declarations of a run's evaluation suites; empty in a tier without gates, where nobody signs them."""
    gated = policy.tier(params.use_case.risk_tier).gates
    return [signed_declaration.declare_suite(each) for each in suites] if gated else []


def declarations_of_run(layout: Layout, params: Params, policy: Policy) -> list[DeclaredDocument]:
    resolved = resolved_sources.load_resolved(layout.sources_path)
    try:
        suites = Suites.model_validate_json(layout.suites_path.read_bytes())
    except (OSError, ValueError):
        raise InputError(f"{layout.suites_path}: cannot be read; start a new run") from None
    named = [item.source for item in resolved.sources]
    read = [signed_declaration.declare_source(each, suites, resolved.terms, resolved.edition_words) for each in named]
    asked = suite.read_suites(layout.evaluations_path) if layout.evaluations_path.exists() else []
    return [*read, *declarations_of_suites(asked, params, policy), *declarations_of_params(params, policy)]


def require_in_force(ledger: Ledger, governance: Governance, declared: Iterable[DeclaredDocument]) -> None:
    """Verify that each declaration is in force. Environment `local` accepts all declarations.

    Raises:
        Refused: A declaration is not in force. The message lists each difference and the owner who has to sign.
    """
    if governance.is_local:
        return
    now, policy, root = status.read_status(ledger, governance), governance.policy, governance.state.parent
    found = (
        (
            each.subject,
            refusal_reason(each, now.declarations_by_subject, policy) or _unsigned_neighbour_message(each, now, root),
        )
        for each in declared
    )
    wrong = [f"{subject} {why}" for subject, why in found if why]
    if wrong:
        raise Refused("\n".join(wrong))


def declarations_complied_with(
    ledger: Ledger, governance: Governance, declared: Iterable[DeclaredDocument]
) -> dict[str, DeclarationInForce]:
    """Return the declarations in force that a run complies with, by subject."""
    now, policy = status.read_status(ledger, governance).declarations_by_subject, governance.policy
    return {each.subject: now[each.subject] for each in declared if not refusal_reason(each, now, policy)}


def declaration_digests(adopted: Mapping[str, DeclarationInForce]) -> dict[str, Sha256]:
    return {subject: each.declared.sha256 for subject, each in adopted.items()}


def sources_by_id(ledger: Ledger, governance: Governance) -> dict[str, Source]:
    """Return the sources by id, from which the owner of data is looked up.

    Outside environment `local`, the sources come from the declarations in force; in `local`, from sources.yaml.
    """
    if governance.is_local:
        return {source.id: source for source in sources.load_sources(governance.folder).sources}
    adopted = (each.declared for each in status.read_status(ledger, governance).declarations_by_subject.values())
    return {each.source.id: each.source for each in adopted if isinstance(each, DeclaredSource)}


def adoption_command(declared: DeclaredDocument) -> str:
    """Return the command by which an owner adopts a declaration, without `hallmark` and options."""
    groups = {DeclaredSource: "data", DeclaredSuite: "suites", DeclaredCard: "card"}
    return f"{groups[type(declared)]} adopt"


def refusal_reason(declared: DeclaredDocument, adopted: Mapping[str, DeclarationInForce], policy: Policy) -> str:
    known = adopted.get(declared.subject)
    how = f"to adopt it: hallmark {adoption_command(declared)} --as {declared.owner} --reason TEXT"
    if known is None:
        return f"was adopted by nobody; {how}"
    if isinstance(declared, DeclaredCard) and isinstance(known.declared, DeclaredCard):
        differ = list(_card_relaxations(declared, known.declared, policy))
        return f"asks less than what was adopted, or is another: {'; '.join(differ)}; {how}" if differ else ""
    differ = (
        [] if known.declared == declared else [key for key, _, _ in declaration_differences(known.declared, declared)]
    )
    return f"is not what was adopted: {', '.join(differ)} differ; {how}" if differ else ""


def _unsigned_neighbour_message(declared: DeclaredDocument, now: DeclarationStatus, root: Path) -> str:
    """Return a message if the owner of another source at the same location has not signed; else an empty string.

    Locations are resolved on this machine before they are compared, because different paths can lead to the same file.
    """
    by = {each.document.person for each in now.declarations_by_subject[declared.subject].signatures}
    for other in now.sources_at_same_location(declared, root):
        if other.owner not in by:
            return f"lies where {other.subject} lies, and {other.owner} has not signed it; have it adopted here"
    return ""


def declaration_differences(before: DeclaredDocument, now: DeclaredDocument) -> Iterator[tuple[str, Any, Any]]:
    """Yield each key in which two declarations of the same subject differ, with both values.

    Suites and terms are compared by their digests.
    """
    was, becomes = values_by_key(before), values_by_key(now)
    yield from ((key, was[key], becomes.get(key)) for key in was if was[key] != becomes.get(key))


def values_by_key(declared: DeclaredDocument) -> dict[str, Any]:
    if isinstance(declared, DeclaredCard):
        return declared.bar.model_dump(mode="json") | declared.card.model_dump(mode="json")
    if isinstance(declared, DeclaredSuite):
        return declared.model_dump(mode="json")
    beside = declared.model_dump(mode="json", exclude={"source"})
    return declared.source.model_dump(mode="json") | {"its suite": beside.pop("suite")} | beside


def _card_relaxations(now: DeclaredCard, adopted: DeclaredCard, policy: Policy) -> Iterator[str]:
    """Yield the differences between two cards, except stricter thresholds, more metrics and a higher risk tier."""
    for key in type(now.card).model_fields:
        if key not in ("success_metrics", "risk_tier") and getattr(now.card, key) != getattr(adopted.card, key):
            yield f"{key} differs"
    if not policy.tier_covers(now.card.risk_tier, adopted.card.risk_tier):
        yield f"risk_tier {adopted.card.risk_tier} becomes {now.card.risk_tier}"
    yield from relaxed_criteria(PromotedCriteria(release="", bar=adopted.bar), now.bar)
