"""Evidence of a gate: figures, checks on them, and digests of all artefacts. Decisions refer to it by its digest."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Literal

from tasks.core import code_digest
from tasks.core import facts as facts_module
from tasks.core.documents.config import FrozenModel
from tasks.core.documents.document import Document, error_text
from tasks.core.errors import InputError, Refused
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
from tasks.gates.checks.checks import CheckResult, check_result, checks_of, standing_facts
from tasks.gates.checks.dataset_diff import DatasetChange, compare
from tasks.gates.checks.purpose import Purpose
from tasks.gates.record_chain import RecordReference
from tasks.gates.signed_request import RecordedRunRequest, WithRequesters
from tasks.inquiry.planted_defects import gate_facts
from tasks.policy.policy import Policy, RequiredRole, Tier, WaiverRule
from tasks.sources import sources
from tasks.sources.dataset import DECLARED_FIELDS, Dataset, declared_fields
from tasks.trust.gate_statement import GateName
from tasks.trust.stage_record import SignedRecord

NO_DECLARATIONS: Mapping[str, Sha256] = {}


class Subject(FrozenModel):
    """Output that a gate lets pass."""

    stage: str
    sha256: Sha256
    """`tasks.core.files.tree_digest` of the stage's folder."""


class RequiredDecisions(FrozenModel):
    """Decisions that a gate needs from people."""

    roles: list[RequiredRole]
    """Roles that must approve, with the number of people of each; empty if the checks alone decide."""
    waive: WaiverRule | None
    """Rule for waivers: role, checks and maximum duration; null: nobody may waive a check."""
    deadline_days: float
    """Number of days from the opening of the gate in which decisions count."""
    owners: list[str]
    """Owners of the sources, each of whom must approve; empty if policy does not ask for that, and on a demo run."""
    besides_owner: Name | None
    """One of `roles`, in which the only owner of all sources does not count; null if there are several owners or policy
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
            owners=owners if rules.asks_owners and not demo else [],
            besides_owner=besides,
        )


class EvidenceSummary(Document, WithRequesters):
    """Evidence without figures, dataset and artefacts: decisions that a gate needs, and results of its checks."""

    type: Literal["urn:hallmark:evidence:v1"] = "urn:hallmark:evidence:v1"
    gate: GateName
    run: str
    requested_by: str
    """Id of the person who requested the run, who may not decide on it; `scheduler` if no person did."""
    initiated_by: list[str] = []
    """Ids of the people who declared the run's schedule or trigger, who may not decide on it either; empty if the run
    has none, or was requested by a version that did not record them."""
    request_sha256: Sha256
    """`dsse.digest` of the signed run request."""
    tree_sha256: Sha256
    """Digest of all files of the run's commit, as the run request has it."""
    demo: bool
    """Whether the run was made under --demo-approvals."""
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
    """Contents of evidence/GATE.json, in canonical JSON."""

    purpose: Purpose
    """Purpose of the use case, from its card."""
    bar: AcceptanceCriteria
    """Acceptance criteria of the use case."""
    adopted: PromotedCriteria | None
    """Acceptance criteria of the use case's last promotion, at the evaluation gate; null at other gates, and if nothing
    was promoted before."""
    facts: dict[str, Fact]
    artefacts: dict[str, Sha256]
    """Digest of every file looked at, by path from the root of the worktree; `tasks` is the code of the stages
    (`core.code`)."""
    dataset: Dataset | None
    """Dataset that the owners approve, source by source, at the data gate; null at other gates."""
    change: DatasetChange | None
    """Differences between the dataset approved last and this one; null if none was approved before."""
    recorded: dict[str, RecordReference] = {}
    """Signed record of each stage looked at, by DVC's name of the stage; empty if a version without stage records made
    the evidence, and such a run cannot be promoted."""
    declared: dict[str, Sha256] = {}
    """Digests of the adopted sources and card that the run complies with, by `source/ID` and `card/NAME`. Outside
    environment `local` these are all of its sources and its card; empty if a version without declarations made the
    evidence."""

    @property
    def purpose_sha256(self) -> Sha256:
        """Digest of the purpose for which data is approved: name, problem, users and approved uses of the use case."""
        return sha256_bytes(canonical_json({"name": self.use_case, **self.purpose.json_value}))

    @property
    def input_digests(self) -> dict[str, Sha256]:
        """Digests of everything except the outputs of stages, as the function `input_digests` returned them."""
        return {path: sha256 for path, sha256 in self.artefacts.items() if not path.startswith("artefacts/")}

    def is_for_request(self, asked: RecordedRunRequest) -> bool:
        """Return whether the evidence names this request, and agrees with it in all fields that both have."""
        request = asked.request
        own = (self.run, self.requested_by, self.initiated_by, self.demo, self.tree_sha256, self.request_sha256)
        return own == (
            request.run_id, request.requested_by, request.initiated_by, request.demo_approvals, request.tree_sha256,
            asked.sha256,
        )  # fmt: skip


def collect(
    gate: GateName,
    layout: Layout,
    params: Params,
    policy: Policy,
    asked: RecordedRunRequest,
    before: "Evidence | None" = None,
    adopted: PromotedCriteria | None = None,
    recorded: Mapping[str, SignedRecord] | None = None,
    declared: Mapping[str, Sha256] = NO_DECLARATIONS,
) -> Evidence:
    """Gather the evidence for a gate from the files of a run.

    Missing figures raise no error: their checks fail.

    Args:
        gate: Gate to gather evidence for.
        layout: Paths of the run's files.
        params: Parameters of the run.
        policy: Policy in force.
        asked: Signed request for the run.
        before: Evidence of the data gate for the dataset approved last; None if there is none.
        adopted: Acceptance criteria of the last promotion; None if there is none.
        recorded: Verified stage records, by DVC's name of the stage.
        declared: Digests of the declarations that the run complies with.

    Raises:
        InputError: The gate's subject does not exist yet, a file cannot be read, or the risk tier has no gates.
        Refused: The manifest of the dataset does not agree with the sources that the run was resolved with.
    """
    rules = policy.gate(params.use_case.risk_tier, gate)
    if not (layout.artefacts(SUBJECT_STAGES[gate]) / "result.json").exists():
        raise InputError(
            f"gate {gate} needs {layout.artefacts(SUBJECT_STAGES[gate])}; run stage {SUBJECT_STAGES[gate]} first"
        )
    facts = read_facts(layout, EVIDENCE_STAGES[gate])
    artefacts = _artefacts(layout, EVIDENCE_STAGES[gate])
    dataset = _dataset(layout) if gate == "data" else None
    demo = asked.request.demo_approvals
    purpose, bar = Purpose.from_card(params.use_case), AcceptanceCriteria.from_params(params)
    adopted = adopted if gate == "evaluation" else None
    facts |= standing_facts(gate, purpose, dataset, bar, adopted)
    facts |= gate_facts.read_facts(layout) if gate == "data" else {}
    return Evidence(
        gate=gate,
        run=asked.request.run_id,
        requested_by=asked.request.requested_by,
        initiated_by=asked.request.initiated_by,
        request_sha256=asked.sha256,
        tree_sha256=asked.request.tree_sha256,
        demo=demo,
        use_case=params.use_case.name,
        tier=params.use_case.risk_tier,
        subject=Subject(stage=SUBJECT_STAGES[gate], sha256=tree_digest(layout.artefacts(SUBJECT_STAGES[gate]))),
        policy_sha256=policy.digest(),
        asks=RequiredDecisions.from_policy(policy.tier(params.use_case.risk_tier), gate, dataset, demo),
        checks=[check_result(check, facts) for check in checks_of(gate, rules, bar.success_metrics)],
        purpose=purpose,
        bar=bar,
        adopted=adopted,
        facts=facts,
        artefacts=artefacts,
        dataset=dataset,
        change=dataset_change(before, dataset),
        recorded=record_chain.references(recorded or {}),
        declared=dict(declared),
    )


def owners(layout: Layout) -> list[str]:
    return sorted({item.source.owner for item in sources.load_resolved(layout.sources).sources})


def read_dataset(layout: Layout) -> Dataset | None:
    path = layout.artefacts("split") / "manifest.json"
    try:
        return Dataset.from_bytes(read_stage_bytes(path))
    except FileNotFoundError:
        return None
    except (ValueError, OSError) as error:
        raise InputError(
            f"{path}: is not the manifest of a dataset; run stage split again ({error_text(error)})"
        ) from None


def _dataset(layout: Layout) -> Dataset:
    """Return the manifest of the dataset. It is compared with the pinned sources, since the run's own code wrote it."""
    path, dataset = layout.artefacts("split") / "manifest.json", read_dataset(layout)
    if dataset is None:
        raise InputError(f"gate data needs {path}, which its owners sign; run stage split first")
    pinned = {item.source.id: declared_fields(item) for item in sources.load_resolved(layout.sources).sources}
    stated = {name: origin.model_dump(include=set(DECLARED_FIELDS)) for name, origin in dataset.sources.items()}
    if differ := sorted(name for name in {*pinned, *stated} if pinned.get(name) != stated.get(name)):
        raise Refused(
            f"{path}: what it says of {', '.join(differ)} is not what {layout.sources} says that the run was resolved "
            "with; correct stage split, or resolve again"
        )
    return dataset


def require_asks(evidence: Evidence, policy: Policy) -> None:
    """Verify that evidence asks for the decisions that policy requires for its dataset.

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


def require_checks(evidence: Evidence, policy: Policy) -> None:
    """Verify that the checks are those of policy, tier and use case, and that the results follow from the figures.

    Raises:
        Refused: Checks, results or figures differ.
        InputError: As `require_asks`.
    """
    rules, facts = policy.gate(evidence.tier, evidence.gate), evidence.facts
    standing = standing_facts(evidence.gate, evidence.purpose, evidence.dataset, evidence.bar, evidence.adopted)
    wanted = [
        check_result(check, facts | standing) for check in checks_of(evidence.gate, rules, evidence.bar.success_metrics)
    ]
    if evidence.checks != wanted or standing != {name: facts.get(name) for name in standing}:
        raise Refused(
            f"the evidence's checks are not those that policy and the use case ask at gate {evidence.gate} and its "
            "figures give"
        )


def dataset_change(before: Evidence | None, now: Dataset | None) -> DatasetChange | None:
    if before is None or before.dataset is None or now is None:
        return None
    return compare(before.dataset, now, before.run, before.subject.sha256)


def write(evidence: Evidence, layout: Layout) -> Path:
    """Write evidence/GATE.json. The SHA-256 of the file is `digest(evidence)`."""
    path = layout.evidence(evidence.gate)
    write_bytes(path, to_bytes(evidence))
    return path


def digest(evidence: Evidence) -> str:
    return evidence.sha256


def to_bytes(evidence: Evidence) -> bytes:
    return evidence.serialised


def read_facts(layout: Layout, stages: Iterable[str]) -> Facts:
    """Return the figures that stages have written so far, by their names in a policy.

    Raises:
        InputError: A file is not valid.
    """
    facts: Facts = {}
    for stage in stages:
        for folder, name in _folders(stage):
            facts |= _read(layout.artefacts(folder) / "result.json", name)
            # Policies are mostly about the candidate's measured figures, so these have the short name.
            measured = stage if folder == "predict/candidate" else name
            facts |= _read(layout.measurements(folder) / "facts.json", f"measured.{measured}")
    return dict(sorted(facts.items()))


def _folders(stage: str) -> list[tuple[str, str]]:
    return [(folder, folder.replace("/", ".")) for folder in STAGES[stage].output_folders]


def _read(path: Path, prefix: str) -> Facts:
    try:
        facts = facts_module.parse(read_stage_json(path).get("facts", {}))
    except FileNotFoundError:
        return {}
    except (ValueError, AttributeError, OSError) as error:
        raise InputError(
            f"{path}: expected JSON with a `facts` mapping ({error_text(error)}); run its stage again"
        ) from None
    return {f"{prefix}.{name}": fact for name, fact in facts.items()}


def _artefacts(layout: Layout, stages: Iterable[str]) -> dict[str, str]:
    digests = input_digests(layout)
    for stage in stages:
        folder = layout.artefacts(stage)
        digests |= _files(layout, folder)
    return dict(sorted(digests.items()))


def input_digests(layout: Layout) -> dict[str, Sha256]:
    """Return the digests of the inputs that determine a run's outputs: code, graph, versions, parameters, inputs/."""
    alone = [layout.params, layout.root / "dvc.yaml", layout.root / "constraints.txt"]
    digests = {path.name: sha256_file(path) for path in alone if path.exists()}
    return digests | {"tasks": code_digest.digest_of_all(layout.root)} | _files(layout, layout.inputs)


def _files(layout: Layout, folder: Path) -> dict[str, str]:
    prefix = folder.relative_to(layout.root).as_posix()
    try:
        return {f"{prefix}/{path}": sha256 for path, sha256 in tree_manifest(folder).items()}
    except ValueError as error:  # a symbolic link
        raise InputError(str(error)) from None
