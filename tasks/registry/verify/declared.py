"""Checks that a release was made from the sources, and judged by the use-case card, that their owners adopted."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from types import MappingProxyType

from tasks.core.errors import Refused
from tasks.declarations import declarations, standing
from tasks.declarations.signed_declaration import CardDeclared, Declaration, SourceDeclared
from tasks.declarations.standing import InForce
from tasks.policy.governance import LOCAL
from tasks.policy.read_signed import Signed
from tasks.registry.release.promotions import Promotion
from tasks.registry.release.report import Check
from tasks.registry.verify.attestations import Attested
from tasks.sources.dataset import DECLARED, declared
from tasks.sources.sources import ResolvedSource

UNCHECKED = "who adopted its sources and its card: it was promoted before they were adopted"


def checks(attested: Attested, promotion: Promotion) -> Iterator[Check]:
    """Yield each check that holds; none for releases of versions without adoptions of sources and card.

    Raises:
        Refused: A check does not hold.
    """
    signed = defaultdict[str, list[Signed[Declaration]]](list)
    for each in attested.declared():
        signed[each.said.declared.subject].append(each)
    if not signed and not any(evidence.declared for evidence in attested.evidence.values()):
        if promotion.environment == LOCAL:
            yield _ok(f"nobody adopted its sources and its card: as environment {LOCAL} allows")
        return
    for subject, under in signed.items():
        _adopted(subject, under, attested, promotion)
    wanted = {f"source/{name}" for name in attested.dataset.sources} | {f"card/{promotion.name}"}
    if promotion.environment != LOCAL and (nobody := sorted(wanted - signed.keys())):
        raise Refused(f"nobody adopted {', '.join(nobody)}, which counts in environment {LOCAL} alone")
    if more := sorted(signed.keys() - wanted):
        raise Refused(f"it has declarations of what is not in it: {', '.join(more)}")
    by = sorted({each.said.person for under in signed.values() for each in under})
    yield _ok(f"{', '.join(sorted(signed))}: as adopted by {', '.join(by)}, and every gate looked at that")


def _adopted(subject: str, under: Sequence[Signed[Declaration]], attested: Attested, promotion: Promotion) -> None:
    """Verify that all owners signed one declaration before the promotion, and that gates and payload agree with it."""
    said, policy = under[0].said, attested.policy
    people = attested.adopted.people if attested.adopted else MappingProxyType(attested.people)
    for each in under:
        other = (each.said.declared.sha256, each.said.owners) != (said.declared.sha256, said.owners)
        if other or each.at > promotion.time or not standing.counts(each, policy, people):
            raise Refused(f"what {each.said.person} signed of {subject} does not count for this release")
    if lacking := standing.lacking(said.owners, under, people):
        raise Refused(f"{subject} lacks the signature of {', '.join(lacking)}")
    seen = {gate: evidence.declared.get(subject) for gate, evidence in attested.evidence.items()}
    if other_gates := [gate for gate, digest in seen.items() if digest != said.declared.sha256]:
        raise Refused(f"gate {', '.join(other_gates)} looked at another {subject} than was adopted")
    if why := _other(said.declared, attested, tuple(under)):
        raise Refused(f"{subject} {why}")


def _other(adopted: SourceDeclared | CardDeclared, attested: Attested, under: tuple[Signed[Declaration], ...]) -> str:
    if isinstance(adopted, CardDeclared):
        now = CardDeclared(card=attested.card(), bar=attested.last.bar)
        return declarations.why_not(now, {adopted.subject: InForce(adopted, under)}, attested.policy)
    origin = attested.dataset.sources.get(adopted.source.id)
    if origin is None:
        return "is not in payload/dataset/manifest.json"
    said = declared(ResolvedSource(source=adopted.source, sha256=origin.sha256, bytes=0))
    differ = [key for key in DECLARED if getattr(origin, key) != said[key]]
    return f"is in payload/dataset/manifest.json with another {', '.join(differ)}" if differ else ""


def _ok(text: str) -> Check:
    return Check(about="declarations", state="ok", text=text)
