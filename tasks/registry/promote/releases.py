"""List of releases, from the signed promotion statements in the ledger."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from pydantic import computed_field

from tasks.consent import release_sources
from tasks.core.documents.config import FrozenModel
from tasks.core.errors import InputError, Refused
from tasks.core.formatting import format_exact_time
from tasks.core.graph import sort_gates
from tasks.core.params.values import Sha256
from tasks.core.payload import manifest
from tasks.ledger.ledger import Ledger
from tasks.policy.governance import Governance
from tasks.registry.promote import release_decisions, waivers
from tasks.registry.promote.release_decisions import DecisionSummary
from tasks.registry.promote.waivers import FailedCheck
from tasks.registry.release import bundle, promotions
from tasks.registry.release.production_periods import ProductionPeriod, production_periods
from tasks.registry.release.promotions import Promotions, SignedPromotion
from tasks.registry.release.report import Verification
from tasks.registry.verify import verification
from tasks.trust.gate_statement import GateName

CHAMPION, ROLLBACK = "champion", "rollback"


class Release(FrozenModel):
    """Release that was promoted at least once in this environment."""

    name: str
    version: int
    aliases: list[str]
    """Aliases of the release: `champion` if it is in production, `rollback` if it is the target of the next
    rollback."""
    bundle: str
    """Absolute path of the release's folder."""
    sha256: Sha256
    """Digest of the whole release."""
    payload_sha256: Sha256
    sequence: int
    """Sequence number of the newest promotion statement that names the release."""
    promoted_at: datetime
    """Time at which the newest promotion statement about the release took effect
    (tasks/registry/release/production_periods.py)."""
    first_promoted_at: datetime
    """Time at which the first promotion statement about the release took effect. It is earlier than `promoted_at` if a
    rollback restored the release."""
    tier: str
    demo: bool
    """Whether demo identities approved the release instead of people."""
    run: str
    commit: str
    requested_by: str
    approved_by: dict[GateName, list[str]]
    """Approvers by gate, each in the form `PERSON as ROLE`."""
    reason: str
    """Reason for the rollback if the newest promotion statement is a rollback; empty otherwise."""
    candidate_inputs: Sha256

    @computed_field  # type: ignore[prop-decorator]
    @property
    def label(self) -> str:
        return f"{self.name}-{self.version}"

    @property
    def promotion_summary(self) -> str:
        back = (
            f"; brought back {format_exact_time(self.promoted_at)}" if self.promoted_at > self.first_promoted_at else ""
        )
        return f"{format_exact_time(self.first_promoted_at)}{back}, statement {self.sequence}"

    def describe(self, decided: Sequence[DecisionSummary]) -> str:
        lines = {
            "release": f"{self.name}-{self.version}{' (demonstration only)' if self.demo else ''}",
            "aliases": ", ".join(self.aliases) or "none",
            "promoted": self.promotion_summary,
            "reason": self.reason,
            "risk tier": self.tier,
            "run": f"{self.run}, asked for by {self.requested_by}",
            "commit": self.commit,
            **{f"{gate} gate": self._decided_at(gate, decided) for gate in sort_gates(self.approved_by)},
            "digest": self.sha256,
            "payload": self.payload_sha256,
            "bundle": self.bundle,
        }
        return "\n".join(f"{name:<15} {value}" for name, value in lines.items() if value)

    def _decided_at(self, gate: GateName, decided: Sequence[DecisionSummary]) -> str:
        own = [each.describe() for each in decided if each.gate == gate]
        lost = f"{', '.join(self.approved_by[gate])}; the ledger has no such decision any more"
        return f"\n{'':<15} ".join(own) or (lost if self.approved_by[gate] else "its checks alone")


class ReleaseSummary(Release):
    """Release with its waived checks, for commands and pages."""

    waivers: list[FailedCheck]

    @property
    def expired(self) -> int:
        """Return the number of failed checks whose waiver is no longer valid."""
        return sum(not each.counts for each in self.waivers)


def summarise_release(
    release: Release, model_promotions: Promotions, ledger: Ledger, governance: Governance
) -> ReleaseSummary:
    relied = failed_checks_from_promotions(model_promotions, release, ledger, governance)
    return ReleaseSummary(**release.model_dump(exclude={"label"}), waivers=relied)


def list_summaries(ledger: Ledger, governance: Governance) -> list[ReleaseSummary]:
    lines = [promotions.read_promotions(ledger, governance, name) for name in promotions.model_names(ledger)]
    return [summarise_release(it, line, ledger, governance) for line in lines for it in releases_of(line, governance)]


def list_releases(ledger: Ledger, governance: Governance, name: str | None = None) -> list[Release]:
    """Return the releases of this environment, or only those of the model `name`, sorted by model and version."""
    releases: list[Release] = []
    for model in [name] if name else promotions.model_names(ledger):
        releases += releases_of(promotions.read_promotions(ledger, governance, model), governance)
    return releases


def releases_of(model_promotions: Promotions, governance: Governance) -> list[Release]:
    return releases_from_statements(model_promotions, model_promotions.latest_by_version(), governance)


def releases_from_statements(
    model_promotions: Promotions, newest_statements: Iterable[SignedPromotion], governance: Governance
) -> list[Release]:
    """Return the releases of the given promotion statements. Each statement must be the newest about its release."""
    every = {reign.signed.sha256: reign for reign in production_periods(model_promotions)}
    first = {reign.signed.promotion.version: reign for reign in reversed(every.values())}
    holders, state = _alias_holders(model_promotions), governance.state.resolve()
    return [
        _release_from_periods(every[each.sha256], first[each.promotion.version], holders, state)
        for each in newest_statements
    ]


def all_labels(ledger: Ledger, governance: Governance) -> list[str]:
    lines = [promotions.read_promotions(ledger, governance, name) for name in promotions.model_names(ledger)]
    every = sorted(
        (signed.promotion for line in lines for signed in line.valid_statements), key=lambda it: it.time, reverse=True
    )
    return list(dict.fromkeys(promotion.label for promotion in every))


def get_release(ledger: Ledger, governance: Governance, label: str) -> Release:
    """Return the release with the label NAME-VERSION.

    Raises:
        InputError: There is no such release.
    """
    return get_release_with_promotions(ledger, governance, label)[0]


def get_release_with_promotions(ledger: Ledger, governance: Governance, label: str) -> tuple[Release, Promotions]:
    """Return the release with the label NAME-VERSION, and all promotions of its model.

    Raises:
        InputError: There is no such release.
    """
    name = label.rpartition("-")[0]
    if name in promotions.model_names(ledger):
        line = promotions.read_promotions(ledger, governance, name)
        own = [signed for signed in line.valid_statements if signed.promotion.label == label]
        if own:
            return releases_from_statements(line, own[-1:], governance)[0], line
    known = ", ".join(all_labels(ledger, governance)) or "none yet"
    raise InputError(f"there is no release {label!r} in environment {governance.policy.environment}; known: {known}")


def failed_checks(release: Release, ledger: Ledger, governance: Governance) -> list[FailedCheck]:
    """Return the checks that failed in the run that made a release, each with its waiver and the waiver's validity."""
    return failed_checks_from_promotions(
        promotions.read_promotions(ledger, governance, release.name), release, ledger, governance
    )


def failed_checks_from_promotions(
    model_promotions: Promotions, release: Release, ledger: Ledger, governance: Governance
) -> list[FailedCheck]:
    return waivers.failed_checks(ledger, governance, _first_statement(model_promotions, release))


def release_decision_summaries(
    model_promotions: Promotions, release: Release, ledger: Ledger, governance: Governance
) -> list[DecisionSummary]:
    """Return all decisions about the evidence that the release's run submitted to its gates, in gate order.

    `model_promotions` must contain all promotions of the release's model.
    """
    return release_decisions.decision_summaries(
        _first_statement(model_promotions, release).promotion, ledger, governance
    )


def _first_statement(model_promotions: Promotions, release: Release) -> SignedPromotion:
    return next(signed for signed in model_promotions.valid_statements if signed.promotion.version == release.version)


def dataset_digest(release: Release) -> str:
    """Return the digest of the dataset that a release was trained and tested on.

    Raises:
        Refused: The release's manifest cannot be read or names no dataset.
    """
    stages = manifest.read_manifest(Path(release.bundle) / bundle.PAYLOAD).stages
    if "split" not in stages:
        raise Refused(f"{release.bundle}: the manifest names no dataset")
    return stages["split"]


@dataclass(frozen=True)
class ReleasesByTrainingData:
    """Labels of releases, grouped by the source or dataset that they were trained on, oldest version first."""

    by_name: dict[str, list[str]]
    unreadable: list[str]
    """Labels of releases whose training data is unknown, because their bundle is damaged or not on this machine."""

    def notice(self) -> str:
        named = ", ".join(self.unreadable)
        return f"what these releases were trained on cannot be read on this machine: {named}" if named else ""


def releases_by_source(ledger: Ledger, governance: Governance) -> ReleasesByTrainingData:
    return _group_releases(ledger, governance, _training_sources)


def _training_sources(release: Release) -> list[str]:
    return [use.name for use in release_sources.sources_of_release(Path(release.bundle) / bundle.PAYLOAD)]


def releases_by_dataset(ledger: Ledger, governance: Governance) -> ReleasesByTrainingData:
    return _group_releases(ledger, governance, lambda release: [dataset_digest(release)])


def _group_releases(
    ledger: Ledger, governance: Governance, names_of: Callable[[Release], list[str]]
) -> ReleasesByTrainingData:
    by_name: dict[str, list[str]] = {}
    unreadable = []
    for release in list_releases(ledger, governance):
        try:
            names = names_of(release)
        except Refused:
            unreadable.append(str(release.label))
            continue
        for name in names:
            by_name.setdefault(name, []).append(str(release.label))
    return ReleasesByTrainingData(by_name, unreadable)


def verify_release(folder: Path, governance: Governance) -> Verification:
    return verification.verify_release(folder, governance)


def promotion_problems(ledger: Ledger, governance: Governance, names: Iterable[str] | None = None) -> list[str]:
    texts: list[str] = []
    for name in names if names is not None else promotions.model_names(ledger):
        texts += promotions.read_promotions(ledger, governance, name).problems
    return texts


def _release_from_periods(
    newest_period: ProductionPeriod, first_period: ProductionPeriod, holders: dict[str, int | None], state: Path
) -> Release:
    """Return the release to which two production periods belong.

    The path `state` must already be resolved, because it would be slow to resolve it for each release.
    """
    signed, promotion = newest_period.signed, newest_period.signed.promotion
    return Release(
        name=promotion.name,
        version=promotion.version,
        aliases=[alias for alias, holder in holders.items() if holder == promotion.version],
        bundle=str(bundle.release_folder(state, promotion.label)),
        sha256=signed.release_sha256,
        payload_sha256=promotion.payload_sha256,
        sequence=promotion.sequence,
        promoted_at=newest_period.since,
        first_promoted_at=first_period.since,
        tier=promotion.tier,
        demo=promotion.demo,
        run=promotion.run,
        commit=promotion.commit,
        requested_by=first_period.signed.promotion.requested_by,
        approved_by=promotion.approved_by,
        reason=promotion.reason,
        candidate_inputs=promotion.candidate_inputs,
    )


def _alias_holders(model_promotions: Promotions) -> dict[str, int | None]:
    newest, previous = model_promotions.newest_statement, model_promotions.rollback_target()
    return {
        CHAMPION: newest.promotion.version if newest else None,
        ROLLBACK: previous.promotion.version if previous else None,
    }
