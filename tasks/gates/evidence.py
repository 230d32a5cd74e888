"""Evidence of a gate: metrics, check results and digests of all artefacts. Decisions refer to it by its digest."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Literal

from tasks.core import code_digest
from tasks.core import facts as facts_module
from tasks.core.documents.config import FrozenModel
from tasks.core.documents.document import Document, document_error_message
from tasks.core.errors import InputError, Refused
from tasks.core.fact_names import artefact_prefix, measurement_prefix
from tasks.core.facts import Fact, Facts
from tasks.core.files import (
    read_stage_bytes,
    read_stage_json,
    sha256_bytes,
    sha256_file,
    tree_digest,
    tree_manifest,
    write_bytes,
)
from tasks.core.graph import EVIDENCE_STAGES, STAGES, SUBJECT_STAGES
from tasks.core.json_text import canonical_json
from tasks.core.layout import Layout
from tasks.core.params.params import Params
from tasks.core.params.values import Name, Sha256
from tasks.declarations.criteria import AcceptanceCriteria, PromotedCriteria
from tasks.gates import record_chain
from tasks.gates.checks.checks import CheckResult, checks_of_gate, evaluate_check, facts_of_every_tier
from tasks.gates.checks.dataset_diff import DatasetChange, compare_datasets
from tasks.gates.checks.purpose import Purpose
from tasks.gates.dataset_profile import profile_facts, reading, shift
from tasks.gates.dataset_profile.profile import DatasetProfile, PromptVersion
from tasks.gates.record_chain import RecordReference
from tasks.gates.signed_request import RecordedRunRequest, RequestersMixin
from tasks.gates.signed_review import FACTS_PREFIX, review_facts
from tasks.inquiry.planted_defects import gate_facts
from tasks.policy.policy import Policy, RequiredRole, WaiverRule
from tasks.policy.tier import Tier
from tasks.sources import resolved_sources
from tasks.sources.dataset import DECLARED_FIELDS, Dataset, declared_fields
from tasks.trust.gate_statement import GateName
from tasks.trust.stage_record import SignedRecord

NO_DECLARATIONS: Mapping[str, Sha256] = {}


class Subject(FrozenModel):
    """Stage output that a gate approves."""

    stage: str
    sha256: Sha256
    """Digest of the stage's output folder, computed by `tasks.core.files.tree_digest`."""


class RequiredDecisions(FrozenModel):
    """Decisions that people must make before a gate can pass."""

    roles: list[RequiredRole]
    """Roles that must approve, each with the required number of people; empty if only the checks decide."""
    waive: WaiverRule | None
    """Rule for waivers: role, checks and maximum duration. Null if no check can be waived."""
    deadline_days: float
    """Number of days for which the gate accepts decisions, counted from its opening."""
    owners: list[str]
    """Owners of the sources, each of whom must approve. Empty in demo runs, and if policy does not require their
    approval."""
    besides_owner: Name | None
    """Role that a second person must fill if one person owns all sources. Null if there are several owners or policy
    has no such rule."""

    @staticmethod
    def from_policy(tier: Tier, gate: GateName, dataset: Dataset | None, demo: bool) -> "RequiredDecisions":
        rules, owners = tier.gates[gate], dataset.owners if dataset else []
        besides = tier.separation.sole_owner if len(owners) == 1 else None
        more = (
            [RequiredRole(role=besides)] if besides and besides not in {role.role for role in rules.decisions} else []
        )
        return RequiredDecisions(
            roles=rules.decisions + more,
            waive=rules.waive,
            deadline_days=rules.deadline_days,
            owners=owners if rules.requires_owners and not demo else [],
            besides_owner=besides,
        )


class EvidenceSummary(Document, RequestersMixin):
    """Short form of a gate's evidence: required decisions and check results, without metrics, dataset and artefacts."""

    type: Literal["urn:hallmark:evidence:v1"] = "urn:hallmark:evidence:v1"
    gate: GateName
    run: str
    requested_by: str
    """Id of the person who requested the run and therefore may not decide on it; `scheduler` if no person requested the
    run."""
    initiated_by: list[str] = []
    """Ids of the people who declared the run's schedule or trigger and therefore may not decide on the run. Empty if
    the run has neither, or if its request comes from a Hallmark version that did not record these people."""
    request_sha256: Sha256
    """Digest of the signed run request, computed by `dsse.digest`."""
    tree_sha256: Sha256
    """Digest of all files of the run's commit, copied from the run request."""
    demo: bool
    """Whether the run was started with `--demo-approvals`."""
    use_case: str
    tier: str
    subject: Subject
    policy_sha256: Sha256
    asks: RequiredDecisions
    checks: list[CheckResult]

    @property
    def requester_text(self) -> str:
        declared = f", as {' and '.join(self.initiated_by)} declared" if self.initiated_by else ""
        return f"{self.requested_by}{declared}"


class Evidence(EvidenceSummary):
    """Evidence of a gate, written to evidence/GATE.json as canonical JSON."""

    purpose: Purpose
    """Purpose of the use case, from its card."""
    bar: AcceptanceCriteria
    """Acceptance criteria of the use case."""
    adopted: PromotedCriteria | None
    """Acceptance criteria at the use case's last promotion, for the evaluation gate. Null at other gates, and before
    the first promotion."""
    facts: dict[str, Fact]
    artefacts: dict[str, Sha256]
    """Digest of every examined file, by path relative to the worktree. The key `tasks` has the digest of the stages'
    code (`tasks.core.code_digest`)."""
    dataset: Dataset | None
    """Dataset that the owners of the sources approve at the data gate; null at other gates."""
    change: DatasetChange | None
    """Differences from the dataset that was approved last; null if none was approved before."""
    profile: DatasetProfile | None = None
    """Counts of the dataset by language, department, geography, label and length, for the data gate. Null at other
    gates, and in evidence from Hallmark versions without profiles."""
    shifts: list[shift.Shift] = []
    """Distances from the dataset that was approved last. Empty if none was approved, or if its evidence has no
    profile."""
    prompts: dict[str, PromptVersion] = {}
    """Highest known version of each task's prompt, from this run or from the dataset approved last, for the data gate.
    Tasks without a known version are left out."""
    recorded: dict[str, RecordReference] = {}
    """Signed record of each examined stage, by DVC stage name. Empty in evidence from Hallmark versions without stage
    records; such runs cannot be promoted."""
    declared: dict[str, Sha256] = {}
    """Digests of the adopted declarations that the run complies with, by `source/ID` and `card/NAME`. Outside
    environment `local` they cover all sources of the run and its use-case card. Empty in evidence from Hallmark
    versions without declarations."""
    review: dict[str, Any] | None = None
    """Signed result of the expert review that the facts `review.…` are computed from, for the evaluation gate. Null at
    other gates, and if there was no review when the gate opened."""

    @property
    def purpose_sha256(self) -> Sha256:
        """Digest of the purpose that data is approved for: the use case's name, problem, users and approved uses."""
        return sha256_bytes(canonical_json({"name": self.use_case, **self.purpose.json_value}))

    @property
    def input_digests(self) -> dict[str, Sha256]:
        """Digests of everything except stage outputs: code, graph, versions, parameters and inputs."""
        return {path: sha256 for path, sha256 in self.artefacts.items() if not path.startswith("artefacts/")}

    def is_for_request(self, recorded_request: RecordedRunRequest) -> bool:
        """Return whether the evidence belongs to this request and agrees with it in every field that both have."""
        request = recorded_request.request
        own = (self.run, self.requested_by, self.initiated_by, self.demo, self.tree_sha256, self.request_sha256)
        return own == (
            request.run_id, request.requested_by, request.initiated_by, request.demo_approvals, request.tree_sha256,
            recorded_request.sha256,
        )  # fmt: skip


def collect_evidence(
    gate: GateName,
    layout: Layout,
    params: Params,
    policy: Policy,
    run_request: RecordedRunRequest,
    last_approved: "Evidence | None" = None,
    promoted_criteria: PromotedCriteria | None = None,
    stage_records: Mapping[str, SignedRecord] | None = None,
    declared_digests: Mapping[str, Sha256] = NO_DECLARATIONS,
    review: Mapping[str, Any] | None = None,
) -> Evidence:
    """Gather the evidence for a gate from the files of a run.

    A missing metric raises no error. Its check fails instead.

    Args:
        gate: Gate to gather evidence for.
        layout: Paths of the run's files.
        params: Parameters of the run.
        policy: Policy in force.
        run_request: Signed request for the run.
        last_approved: Evidence of the data gate for the dataset that was approved last; None if there is none.
        promoted_criteria: Acceptance criteria of the last promotion; None if there is none.
        stage_records: Verified stage records, by DVC stage name.
        declared_digests: Digests of the declarations that the run complies with.
        review: Signed result of the newest expert review, for the evaluation gate; None if there is none.

    Raises:
        InputError: The gate's subject does not exist yet, a file cannot be read, or the risk tier has no gates.
        Refused: The dataset's manifest does not agree with the sources that were pinned for the run.
    """
    rules = policy.gate(params.use_case.risk_tier, gate)
    if not (layout.artefacts(SUBJECT_STAGES[gate]) / "result.json").exists():
        raise InputError(
            f"gate {gate} needs {layout.artefacts(SUBJECT_STAGES[gate])}; run stage {SUBJECT_STAGES[gate]} first"
        )
    facts = read_facts(layout, EVIDENCE_STAGES[gate])
    artefacts = _artefact_digests(layout, EVIDENCE_STAGES[gate])
    dataset = _verified_dataset(layout) if gate == "data" else None
    demo = run_request.request.demo_approvals
    purpose, bar = Purpose.from_card(params.use_case), AcceptanceCriteria.from_params(params)
    promoted_criteria = promoted_criteria if gate == "evaluation" else None
    facts |= facts_of_every_tier(gate, purpose, dataset, bar, promoted_criteria) | review_facts(review)
    profile, shifts, prompts = None, list[shift.Shift](), dict[str, PromptVersion]()
    if dataset is not None:
        facts |= gate_facts.read_recall_facts(layout)
        counts, approved_prompts = _count_rows(layout, params), last_approved.prompts if last_approved else {}
        profile, prompts = counts.to_profile(), profile_facts.known_versions(approved_prompts, params.prompts)
        if last_approved and last_approved.profile:
            shifts = shift.measure_shifts(last_approved.profile, profile, counts)
            facts |= profile_facts.shift_facts(shifts, last_approved.run)
        facts |= profile_facts.coverage_facts(params, counts)
        facts |= profile_facts.template_facts(params, dataset, counts, approved_prompts)
        facts |= profile_facts.detector_facts(rules.detectors, dataset, counts)
    return Evidence(
        gate=gate,
        run=run_request.request.run_id,
        requested_by=run_request.request.requested_by,
        initiated_by=run_request.request.initiated_by,
        request_sha256=run_request.sha256,
        tree_sha256=run_request.request.tree_sha256,
        demo=demo,
        use_case=params.use_case.name,
        tier=params.use_case.risk_tier,
        subject=Subject(stage=SUBJECT_STAGES[gate], sha256=tree_digest(layout.artefacts(SUBJECT_STAGES[gate]))),
        policy_sha256=policy.digest(),
        asks=RequiredDecisions.from_policy(policy.tier(params.use_case.risk_tier), gate, dataset, demo),
        checks=[evaluate_check(check, facts) for check in checks_of_gate(gate, rules, bar.success_metrics)],
        purpose=purpose,
        bar=bar,
        adopted=promoted_criteria,
        facts=facts,
        artefacts=artefacts,
        dataset=dataset,
        change=dataset_change(last_approved, dataset),
        profile=profile,
        shifts=shifts,
        prompts=prompts,
        recorded=record_chain.record_references(stage_records or {}),
        declared=dict(declared_digests),
        review=None if review is None else dict(review),
    )


def _count_rows(layout: Layout, params: Params) -> reading.DatasetCounts:
    """Count the rows of the dataset. Checks of the counts are optional, so they must not be absent for lack of rows."""
    counts = reading.count_dataset(layout, params)
    if counts is None:
        raise InputError(
            f"gate data needs train.parquet and test.parquet in {layout.artefacts('split')}, whose rows it counts; run "
            "stage split first"
        )
    return counts


def source_owners(layout: Layout) -> list[str]:
    return sorted({item.source.owner for item in resolved_sources.load_resolved(layout.sources_path).sources})


def read_dataset(layout: Layout) -> Dataset | None:
    path = layout.artefacts("split") / "manifest.json"
    try:
        return Dataset.from_bytes(read_stage_bytes(path))
    except FileNotFoundError:
        return None
    except (ValueError, OSError) as error:
        raise InputError(
            f"{path}: is not the manifest of a dataset; run stage split again ({document_error_message(error)})"
        ) from None


def _verified_dataset(layout: Layout) -> Dataset:
    """Return the dataset's manifest after comparing it with the pinned sources.

    The manifest alone is not trusted, because the run's own code writes it.
    """
    path, dataset = layout.artefacts("split") / "manifest.json", read_dataset(layout)
    if dataset is None:
        raise InputError(f"gate data needs {path}, which its owners sign; run stage split first")
    pinned = {
        item.source.id: declared_fields(item) for item in resolved_sources.load_resolved(layout.sources_path).sources
    }
    stated = {name: origin.model_dump(include=set(DECLARED_FIELDS)) for name, origin in dataset.sources.items()}
    if differ := sorted(name for name in {*pinned, *stated} if pinned.get(name) != stated.get(name)):
        raise Refused(
            f"{path}: what it says of {', '.join(differ)} "
            f"is not what {layout.sources_path} says that the run was resolved "
            "with; correct stage split, or resolve again"
        )
    return dataset


def verify_required_decisions(evidence: Evidence, policy: Policy) -> None:
    """Verify that the decisions listed in the evidence are those that policy requires.

    Raises:
        Refused: Roles, owners, waivers or the deadline differ.
        InputError: The tier is not in policy.yaml or has no gates.
    """
    policy.gate(evidence.tier, evidence.gate)
    if (evidence.gate == "data") != (evidence.dataset is not None):
        raise Refused("the evidence of the data gate says what the dataset is, and no other does")
    wanted = RequiredDecisions.from_policy(policy.tier(evidence.tier), evidence.gate, evidence.dataset, evidence.demo)
    if evidence.asks != wanted:
        raise Refused(
            f"the evidence of gate {evidence.gate} states other roles, owners, waivers or a deadline than policy asks "
            "on its dataset"
        )


def verify_checks(evidence: Evidence, policy: Policy) -> None:
    """Verify that the evidence has exactly the required checks, and that their results follow from the metrics.

    Raises:
        Refused: Checks, results or metrics differ.
        InputError: The tier is not in policy.yaml or has no gates.
    """
    rules, facts = policy.gate(evidence.tier, evidence.gate), evidence.facts
    standing = facts_of_every_tier(evidence.gate, evidence.purpose, evidence.dataset, evidence.bar, evidence.adopted)
    standing |= review_facts(evidence.review)
    computed = {name for name in facts if name in standing or name.startswith(FACTS_PREFIX)}
    wanted = [
        evaluate_check(check, facts | standing)
        for check in checks_of_gate(evidence.gate, rules, evidence.bar.success_metrics)
    ]
    if evidence.checks != wanted or standing != {name: facts[name] for name in computed}:
        raise Refused(
            f"the evidence's checks are not those that policy and the use case ask at gate {evidence.gate} and its "
            "figures give"
        )


def dataset_change(before: Evidence | None, now: Dataset | None) -> DatasetChange | None:
    if before is None or before.dataset is None or now is None:
        return None
    return compare_datasets(before.dataset, now, before.run, before.subject.sha256)


def write_evidence(evidence: Evidence, layout: Layout) -> Path:
    """Write the evidence to evidence/GATE.json and return the path. The file's SHA-256 is the evidence's digest."""
    path = layout.evidence_path(evidence.gate)
    write_bytes(path, evidence_bytes(evidence))
    return path


def evidence_digest(evidence: Evidence) -> str:
    return evidence.sha256


def evidence_bytes(evidence: Evidence) -> bytes:
    return evidence.serialised


def read_facts(layout: Layout, stages: Iterable[str]) -> Facts:
    """Return the metrics that stages have written so far, by the names that policies use.

    Raises:
        InputError: A file is not valid.
    """
    facts: Facts = {}
    for stage in stages:
        for folder in STAGES[stage].output_folders:
            computed, measured = artefact_prefix(folder), measurement_prefix(stage, folder)
            facts |= _read_facts_file(layout.artefacts(folder) / "result.json", computed)
            facts |= _read_facts_file(layout.measurements(folder) / "facts.json", measured)
    return dict(sorted(facts.items()))


def _read_facts_file(path: Path, prefix: str) -> Facts:
    try:
        facts = facts_module.facts_from_json(read_stage_json(path).get("facts", {}))
    except FileNotFoundError:
        return {}
    except (ValueError, AttributeError, OSError) as error:
        raise InputError(
            f"{path}: expected JSON with a `facts` mapping ({document_error_message(error)}); run its stage again"
        ) from None
    return {f"{prefix}.{name}": fact for name, fact in facts.items()}


def _artefact_digests(layout: Layout, stages: Iterable[str]) -> dict[str, str]:
    digests = input_digests(layout)
    for stage in stages:
        folder = layout.artefacts(stage)
        digests |= _file_digests(layout, folder)
    return dict(sorted(digests.items()))


def input_digests(layout: Layout) -> dict[str, Sha256]:
    """Return the digests of everything that determines a run's outputs: code, graph, versions, parameters, inputs/."""
    alone = [layout.params_path, layout.root / "dvc.yaml", layout.root / "constraints.txt"]
    digests = {path.name: sha256_file(path) for path in alone if path.exists()}
    return digests | {"tasks": code_digest.all_stages_digest(layout.root)} | _file_digests(layout, layout.inputs_folder)


def _file_digests(layout: Layout, folder: Path) -> dict[str, str]:
    prefix = folder.relative_to(layout.root).as_posix()
    try:
        return {f"{prefix}/{path}": sha256 for path, sha256 in tree_manifest(folder).items()}
    except ValueError as error:  # a symbolic link
        raise InputError(str(error)) from None
