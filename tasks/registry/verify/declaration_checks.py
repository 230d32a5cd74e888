"""Checks that the owners of a release's sources, suites and use-case card have adopted them in exactly this form."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from types import MappingProxyType

from tasks.core.errors import Refused
from tasks.declarations import declarations, status
from tasks.declarations.signed_declaration import (
    Declaration,
    DeclaredCard,
    DeclaredDocument,
    DeclaredSuite,
    declare_suite,
)
from tasks.declarations.status import DeclarationInForce
from tasks.policy.governance import LOCAL_ENVIRONMENT
from tasks.policy.signed_document import SignedDocument
from tasks.registry.release.promotions import Promotion
from tasks.registry.release.report import Check
from tasks.registry.verify.attestations import EVALUATIONS, Attestations
from tasks.sources.dataset import DECLARED_FIELDS, declared_fields
from tasks.sources.resolved_sources import ResolvedSource

UNVERIFIABLE_CLAIM = "who adopted its sources and its card: it was promoted before they were adopted"


def verify_declarations(attested: Attestations, promotion: Promotion) -> Iterator[Check]:
    """Check the adoptions of sources, evaluation suites and use-case card, and yield each check that passes.

    Releases of early Hallmark versions have no such adoptions. Nothing is checked in them.

    Raises:
        Refused: A check failed.
    """
    signed = defaultdict[str, list[SignedDocument[Declaration]]](list)
    for each in attested.declarations():
        signed[each.document.declared.subject].append(each)
    if not signed and not any(evidence.declared for evidence in attested.evidence.values()):
        if promotion.environment == LOCAL_ENVIRONMENT:
            yield _passed_check(f"nobody adopted its sources and its card: as environment {LOCAL_ENVIRONMENT} allows")
        return
    for subject, under in signed.items():
        _require_adopted(subject, under, attested, promotion)
    wanted = {f"source/{name}" for name in attested.dataset.sources} | {f"card/{promotion.name}"}
    wanted |= {f"suite/{suite.name}" for suite in attested.evaluation_suites()}
    if promotion.environment != LOCAL_ENVIRONMENT and (nobody := sorted(wanted - signed.keys())):
        raise Refused(f"nobody adopted {', '.join(nobody)}, which counts in environment {LOCAL_ENVIRONMENT} alone")
    if more := sorted(signed.keys() - wanted):
        raise Refused(f"it has declarations of what is not in it: {', '.join(more)}")
    by = sorted({each.document.person for under in signed.values() for each in under})
    yield _passed_check(f"{', '.join(sorted(signed))}: as adopted by {', '.join(by)}, and every gate looked at that")


def _require_adopted(
    subject: str, under: Sequence[SignedDocument[Declaration]], attested: Attestations, promotion: Promotion
) -> None:
    said, policy = under[0].document, attested.policy
    people = attested.governance.people if attested.governance else MappingProxyType(attested.people)
    for each in under:
        other = (each.document.declared.sha256, each.document.owners) != (said.declared.sha256, said.owners)
        if other or each.effective_at > promotion.time or not status.is_valid_signature(each, policy, people):
            raise Refused(f"what {each.document.person} signed of {subject} does not count for this release")
    if lacking := status.missing_owners(said.owners, under, people):
        raise Refused(f"{subject} lacks the signature of {', '.join(lacking)}")
    seen = {gate: evidence.declared.get(subject) for gate, evidence in attested.evidence.items()}
    if other_gates := [gate for gate, digest in seen.items() if digest != said.declared.sha256]:
        raise Refused(f"gate {', '.join(other_gates)} looked at another {subject} than was adopted")
    if why := _difference(said.declared, attested, tuple(under)):
        raise Refused(f"{subject} {why}")


def _difference(
    adopted: DeclaredDocument, attested: Attestations, under: tuple[SignedDocument[Declaration], ...]
) -> str:
    if isinstance(adopted, DeclaredCard):
        now = DeclaredCard(card=attested.use_case_card(), bar=attested.last_evidence.bar)
        return declarations.refusal_reason(now, {adopted.subject: DeclarationInForce(adopted, under)}, attested.policy)
    if isinstance(adopted, DeclaredSuite):
        asked = [declare_suite(suite) for suite in attested.evaluation_suites()]
        return "" if adopted in asked else f"is not in {EVALUATIONS}, or differs there"
    origin = attested.dataset.sources.get(adopted.source.id)
    if origin is None:
        return "is not in payload/dataset/manifest.json"
    said = declared_fields(ResolvedSource(source=adopted.source, sha256=origin.sha256, bytes=0))
    attested_fields = origin.model_dump(include=set(DECLARED_FIELDS))
    differ = [key for key in DECLARED_FIELDS if attested_fields[key] != said[key]]
    return f"is in payload/dataset/manifest.json with another {', '.join(differ)}" if differ else ""


def _passed_check(text: str) -> Check:
    return Check(about="declarations", state="ok", text=text)
