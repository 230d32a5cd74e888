"""Whether what a run reads and asks of itself is as it was adopted.

Outside environment `local` every source of a run is as its owner adopted it, and a governed run asks at least as much
of its model as the card that the business owner adopted. `local` takes what the files say.
"""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from tasks.core.errors import InputError, Refused
from tasks.core.layout import Layout
from tasks.core.params.params import Params
from tasks.core.params.values import Sha256
from tasks.declarations import signed_declaration, standing
from tasks.declarations.bar import Adopted, laxer
from tasks.declarations.signed_declaration import CardDeclared, Declared, SourceDeclared
from tasks.declarations.standing import InForce, Standing
from tasks.ledger.ledger import Ledger
from tasks.policy.governance import Governance
from tasks.policy.policy import Policy
from tasks.sources import sources
from tasks.sources.sources import Source, Sources, Suites


def of_files(named: Sources, suites: Suites) -> list[SourceDeclared]:
    """What sources.yaml declares."""
    return [signed_declaration.of_source(each, suites, named.terms, named.edition_words) for each in named.sources]


def of_params(params: Params, policy: Policy) -> list[CardDeclared]:
    """The card; none in a risk tier without gates, which asks nobody."""
    return [signed_declaration.of_card(params)] if policy.tier(params.use_case.risk_tier).gates else []


def of_run(layout: Layout, params: Params, policy: Policy) -> list[Declared]:
    """What a run was resolved with. Raises InputError where its inputs cannot be read."""
    resolved = sources.load_resolved(layout.sources)
    try:
        suites = Suites.model_validate_json(layout.suites.read_bytes())
    except (OSError, ValueError):
        raise InputError(f"{layout.suites}: cannot be read; start a new run") from None
    named = [item.source for item in resolved.sources]
    read = [signed_declaration.of_source(each, suites, resolved.terms, resolved.edition_words) for each in named]
    return [*read, *of_params(params, policy)]


def require(ledger: Ledger, governance: Governance, declared: Iterable[Declared]) -> None:
    """Raises Refused, with everything that is not as it was adopted and who adopts it; never in `local`."""
    if governance.local:
        return
    now, policy, root = standing.read(ledger, governance), governance.policy, governance.state.parent
    found = ((each.subject, why_not(each, now.in_force, policy) or _beside(each, now, root)) for each in declared)
    wrong = [f"{subject} {why}" for subject, why in found if why]
    if wrong:
        raise Refused("\n".join(wrong))


def kept(ledger: Ledger, governance: Governance, declared: Iterable[Declared]) -> dict[str, InForce]:
    """By subject, what was adopted that a run keeps to."""
    now, policy = standing.read(ledger, governance).in_force, governance.policy
    return {each.subject: now[each.subject] for each in declared if not why_not(each, now, policy)}


def digests(adopted: Mapping[str, InForce]) -> dict[str, Sha256]:
    """By subject, as evidence names it."""
    return {subject: each.declared.sha256 for subject, each in adopted.items()}


def inventory(ledger: Ledger, governance: Governance) -> dict[str, Source]:
    """The sources by id that say whose data is whose: those adopted; in `local` those of sources.yaml."""
    if governance.local:
        return {source.id: source for source in sources.load(governance.folder).sources}
    adopted = (each.declared for each in standing.read(ledger, governance).in_force.values())
    return {each.source.id: each.source for each in adopted if isinstance(each, SourceDeclared)}


def why_not(declared: Declared, adopted: Mapping[str, InForce], policy: Policy) -> str:
    """Why a run may not be made with it, in words; empty where it may."""
    known = adopted.get(declared.subject)
    command = "data adopt" if isinstance(declared, SourceDeclared) else "card adopt"
    how = f"to adopt it: hallmark {command} --as {declared.owner} --reason TEXT"
    if known is None:
        return f"was adopted by nobody; {how}"
    if isinstance(declared, CardDeclared) and isinstance(known.declared, CardDeclared):
        differ = list(_loosened(declared, known.declared, policy))
        return f"asks less than what was adopted, or is another: {'; '.join(differ)}; {how}" if differ else ""
    differ = [] if known.declared == declared else [key for key, _, _ in differences(known.declared, declared)]
    return f"is not what was adopted: {', '.join(differ)} differ; {how}" if differ else ""


def _beside(declared: Declared, now: Standing, root: Path) -> str:
    """Which source lies at the same place on this machine whose owner has not signed this one; empty where none."""
    by = {each.said.person for each in now.in_force[declared.subject].signed}
    for other in now.beside(declared, root):
        if other.owner not in by:
            return f"lies where {other.subject} lies, and {other.owner} has not signed it; have it adopted here"
    return ""


def differences(before: Declared, now: Declared) -> Iterator[tuple[str, Any, Any]]:
    """The keys in which two declarations of one subject differ, with both values; of suites and terms the digests."""
    was, becomes = keys(before), keys(now)
    yield from ((key, was[key], becomes.get(key)) for key in was if was[key] != becomes.get(key))


def keys(declared: Declared) -> dict[str, Any]:
    """All that is declared, by key."""
    if isinstance(declared, CardDeclared):
        return declared.bar.model_dump(mode="json") | declared.card.model_dump(mode="json")
    beside = declared.model_dump(mode="json", exclude={"source"})
    return declared.source.model_dump(mode="json") | {"its suite": beside.pop("suite")} | beside


def _loosened(now: CardDeclared, adopted: CardDeclared, policy: Policy) -> Iterator[str]:
    """In words, what a card says otherwise, but for what is stricter: thresholds, metrics and a higher tier."""
    for key in type(now.card).model_fields:
        if key not in ("success_metrics", "risk_tier") and getattr(now.card, key) != getattr(adopted.card, key):
            yield f"{key} differs"
    if not policy.reaches(now.card.risk_tier, adopted.card.risk_tier):
        yield f"risk_tier {adopted.card.risk_tier} becomes {now.card.risk_tier}"
    yield from laxer(Adopted(release="", bar=adopted.bar), now.bar)
