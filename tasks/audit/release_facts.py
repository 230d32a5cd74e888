"""Facts about a release, from its folder and the ledger. Facts that cannot be verified are omitted or marked."""

from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from tasks.audit import adoption_history
from tasks.audit.adoption_history import AdoptionHistory
from tasks.consent import withdrawals
from tasks.consent.withdrawals import UsedSource, Withdrawal
from tasks.core.errors import InputError, Refused
from tasks.core.params.params import Params, load_params
from tasks.gates import cases, signed_request
from tasks.gates.cases import GateCase
from tasks.gates.signed_request import RecordedRunRequest, SignedRunRequest
from tasks.incidents import incidents
from tasks.incidents.incidents import Incident
from tasks.ledger import search
from tasks.ledger.kinds import DATA_ACCESS_GROUP
from tasks.ledger.ledger import Entry, Ledger
from tasks.ledger.search import EntryFilter, SearchResult
from tasks.policy.governance import Governance
from tasks.registry.history import release_contents
from tasks.registry.history.release_contents import ReleaseContents
from tasks.registry.promote import release_decisions, releases
from tasks.registry.promote.release_decisions import LedgerDecision
from tasks.registry.promote.releases import Release
from tasks.registry.release import bundle, production_periods, promotions
from tasks.registry.release.production_periods import ProductionPeriod
from tasks.registry.release.report import Verification
from tasks.trust import dsse, stage_record
from tasks.trust.gate_statement import GateName
from tasks.trust.stage_record import StageRecord

REPRODUCED_ENTRY_KIND = "release.reproduced"
MAX_DATA_ACCESSES = 200


@dataclass(frozen=True)
class ReleaseFacts:
    release: Release
    contents: ReleaseContents
    params: Params
    verification: Verification
    environment: str
    now: datetime
    request: SignedRunRequest | None
    """Run request; None if the ledger has no request with a valid signature."""
    request_entry: Entry | None
    gate_cases: dict[GateName, GateCase]
    """Most recent request for a decision at each gate of the run, with the evidence presented there."""
    decisions: dict[GateName, list[LedgerDecision]]
    adoptions: tuple[dict[str, Any], ...]
    """Envelopes of all adoptions of policy and people, oldest first; empty if policy and people were not adopted."""
    adoption_history: AdoptionHistory
    stage_records: dict[str, StageRecord]
    """Record of each stage's inputs and outputs; empty if the Hallmark version that made the release had no stage
    records."""
    data_accesses: SearchResult
    """Most recent data accesses of every kind in this environment."""
    production_periods: list[ProductionPeriod]
    """Production periods of all releases of the model, one for each promotion statement."""
    reproductions: list[Entry]
    incidents: list[Incident]
    withdrawals: list[Withdrawal]
    """Withdrawals that currently apply to sources of the release."""
    last_entry: int
    invalid_promotions: list[str]
    """Descriptions of this model's promotions in the ledger that could not be verified."""

    @property
    def own_periods(self) -> list[ProductionPeriod]:
        return [reign for reign in self.production_periods if reign.signed.promotion.label == self.release.label]

    @property
    def policy_sha256(self) -> str:
        return next(evidence.policy_sha256 for evidence in self.contents.evidence.values())

    def is_demo(self, person: str) -> bool:
        return bool(self.contents.people.get(f"[{person}].demo"))

    def display_id(self, person: str) -> str:
        return f"{person} (demo identity)" if self.is_demo(person) else person

    def display_name(self, person: str) -> str:
        """Return `ID (NAME)` with the name from the release's people.json."""
        name = self.contents.people.get(f"[{person}].name")
        return f"{person} ({name})" if name else person


def gather_facts(release: Release, ledger: Ledger, governance: Governance) -> ReleaseFacts:
    """Collect the facts about a release.

    Raises:
        InputError: The release's folder is not on this machine or cannot be read.
    """
    folder = Path(release.bundle)
    if not folder.is_dir():
        raise InputError(
            f"{folder}: the release is not on this machine; fetch its folder, or audit it where it was made"
        )
    contents, line = release_contents.read_release(folder), promotions.read_promotions(ledger, governance, release.name)
    asked = signed_request.request_for_run(ledger, governance, release.run)
    passed_on = bundle.evidence_digests(contents.promotion.files)
    put = {gate: cases.cases_with_evidence(ledger, release.run, gate, sha256) for gate, sha256 in passed_on.items()}
    return ReleaseFacts(
        release=release,
        contents=contents,
        params=load_params(folder / bundle.PAYLOAD / "params.yaml"),
        verification=releases.verify_release(folder, governance),
        environment=governance.policy.environment,
        now=ledger.now(),
        request=asked.request if asked else None,
        request_entry=_request_entry(asked, ledger) if asked else None,
        gate_cases={gate: found[0] for gate, found in put.items() if found},
        decisions=release_decisions.decisions_by_gate(contents.promotion, ledger, governance),
        adoptions=governance.chain,
        adoption_history=adoption_history.read_adoption_history(contents, ledger, governance),
        stage_records=_stage_records(folder),
        data_accesses=search.find_newest(ledger, EntryFilter(kind=DATA_ACCESS_GROUP), MAX_DATA_ACCESSES),
        production_periods=production_periods.production_periods(line),
        reproductions=ledger.entries(REPRODUCED_ENTRY_KIND, str(release.label)),
        incidents=_related_incidents(release, ledger, governance),
        withdrawals=_withdrawals_in_force(contents, ledger, governance),
        last_entry=ledger.last_seq(),
        invalid_promotions=list(line.problems),
    )


def _stage_records(folder: Path) -> dict[str, StageRecord]:
    """Return the stage records in the folder. Unreadable records are skipped, because the verification reports them."""
    records = {}
    for path in sorted((folder / bundle.STAGE_RECORDS).glob("*.json")):
        with suppress(Refused):
            said = stage_record.parse_unverified_record(dsse.read_envelope(path)).record
            records[said.name] = said
    return records


def _request_entry(run_request: RecordedRunRequest, ledger: Ledger) -> Entry:
    every = ledger.entries(signed_request.ENTRY_KIND, run_request.request.run_id)
    return next(entry for entry in every if entry.body.get("envelope") == run_request.envelope)


def _related_incidents(release: Release, ledger: Ledger, governance: Governance) -> list[Incident]:
    about = {release.label, release.name}
    return [
        incident
        for incident in incidents.read_all(ledger, governance)
        if incident.opening.about in about or release.label in incident.opening.text
    ]


def _withdrawals_in_force(contents: ReleaseContents, ledger: Ledger, governance: Governance) -> list[Withdrawal]:
    uses = [UsedSource(name, origin.sha256) for name, origin in contents.dataset.sources.items()]
    affecting = withdrawals.affecting_withdrawals(
        withdrawals.withdrawals_in_force(ledger, governance), uses, governance
    )
    return list({each.sha256: each for standing in affecting.values() for each in standing}.values())
