"""What a gate looks at: figures, the checks on them, and the digest of every artefact. Decisions bind to its digest."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Literal

from tasks.core import code
from tasks.core import facts as facts_module
from tasks.core.config import Frozen
from tasks.core.document import Document, why
from tasks.core.errors import InputError, Refused
from tasks.core.facts import Fact, Facts
from tasks.core.files import (
    canonical_json,
    read_at_most,
    sha256_bytes,
    sha256_file,
    tree_digest,
    tree_manifest,
    write_bytes,
)
from tasks.core.graph import LOOKS_AT, STAGES, SUBJECTS
from tasks.core.layout import Layout
from tasks.core.params.params import Params
from tasks.core.params.values import Name, Sha256
from tasks.declarations.bar import Adopted, Bar
from tasks.gates import chain
from tasks.gates.chain import Recorded
from tasks.gates.checks.change import Change, compare
from tasks.gates.checks.checks import CheckResult, check_result, checks_of, standing_facts
from tasks.gates.checks.purpose import Purpose
from tasks.gates.signed_request import SignedRequest, WithAskers
from tasks.inquiry.planted import figures
from tasks.policy.policy import Policy, Role, Tier, Waive
from tasks.sources import sources
from tasks.sources.dataset import DECLARED, Dataset, declared
from tasks.trust.gate_statement import GateName
from tasks.trust.stage_record import SignedRecord

MOST = 64 * 2**20
"""Bytes of a result.json: far more than figures take."""
NOTHING: Mapping[str, Sha256] = {}


class Subject(Frozen):
    """The output that a gate lets pass."""

    stage: str
    sha256: Sha256
    """`tasks.core.files.tree_digest` of the stage's folder."""


class Asks(Frozen):
    """What the gate asks of people."""

    roles: list[Role]
    """Who must approve, and how many of each role; none where the checks alone decide."""
    waive: Waive | None
    """Who may waive which failed checks for how long; null: nobody may."""
    deadline_days: float
    """Days after the gate was asked in which decisions count."""
    owners: list[str]
    """Owners of the sources, each of whom must approve; none where policy doesn't ask that, and on a demo run."""
    besides_owner: Name | None
    """Where one person owns all sources: one of `roles`, in which that owner does not count; null: none."""

    @staticmethod
    def of(tier: Tier, gate: GateName, dataset: Dataset | None, demo: bool) -> "Asks":
        rules, owners = tier.gates[gate], dataset.owners if dataset else []
        besides = tier.separation.sole_owner if len(owners) == 1 else None
        more = [Role(role=besides)] if besides and besides not in {role.role for role in rules.decisions} else []
        return Asks(
            roles=rules.decisions + more,
            waive=rules.waive,
            deadline_days=rules.deadline_days,
            owners=owners if rules.asks_owners and not demo else [],
            besides_owner=besides,
        )


class Summary(Document, WithAskers):
    """What is asked of whom, and on which checks: evidence without what these rest on."""

    type: Literal["urn:hallmark:evidence:v1"] = "urn:hallmark:evidence:v1"
    gate: GateName
    run: str
    requested_by: str
    """Id of the person who asked for the run; they may not decide on it. `scheduler` where no person did."""
    initiated_by: list[str] = []
    """Who declared the schedule or trigger that the run is of; nor may they. None where a version asked that did not
    say."""
    request_sha256: Sha256
    """`dsse.digest` of the request that they signed."""
    tree_sha256: Sha256
    """Of all that the run's commit holds, as they signed it."""
    demo: bool
    """Made under --demo-approvals."""
    use_case: str
    tier: str
    subject: Subject
    policy_sha256: Sha256
    asks: Asks
    checks: list[CheckResult]

    @property
    def asked_by(self) -> str:
        """In words."""
        declared = f", as {' and '.join(self.initiated_by)} declared" if self.initiated_by else ""
        return f"{self.requested_by}{declared}"


class Evidence(Summary):
    """evidence/GATE.json, in canonical JSON."""

    purpose: Purpose
    """What the use case is for, of its card."""
    bar: Bar
    """What it is held to."""
    adopted: Adopted | None
    """At the evaluation gate: what the version of it that was adopted last is held to; null where none was."""
    facts: dict[str, Fact]
    artefacts: dict[str, Sha256]
    """Every file looked at, by path from the root of the run; `tasks` is the code of the stages (`core.code`)."""
    dataset: Dataset | None
    """At the data gate: what the owners approve, source by source; null at other gates."""
    change: Change | None
    """From the dataset approved last; null where none was."""
    recorded: dict[str, Recorded] = {}
    """The signed record of each stage looked at, by the name that DVC knows; none where a version made it that had
    none, and such a run is not promoted any more."""
    declared: dict[str, Sha256] = {}
    """By `source/ID` and `card/NAME`, what their owners adopted and the run keeps to; outside environment `local` all
    of its sources and its card, and none where a version made it that asked nobody."""

    @property
    def purpose_sha256(self) -> Sha256:
        """What approvals of data are given for: name, problem, users and approved uses of the use case."""
        return sha256_bytes(canonical_json({"name": self.use_case, **self.purpose.said}))

    @property
    def made_from(self) -> dict[str, Sha256]:
        """As `made_from` of the run found it."""
        return {path: sha256 for path, sha256 in self.artefacts.items() if not path.startswith("artefacts/")}

    def is_of(self, asked: SignedRequest) -> bool:
        """Whether a request is the one that it names, and says what it says of it."""
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
    asked: SignedRequest,
    before: "Evidence | None" = None,
    adopted: Adopted | None = None,
    recorded: Mapping[str, SignedRecord] | None = None,
    declared: Mapping[str, Sha256] = NOTHING,
) -> Evidence:
    """Gather the evidence for a gate from what the stages before it left in `layout`, as `recorded`, of what was
    `declared` and adopted.

    `before` is the data gate's evidence of the dataset approved last, `adopted` what the version adopted last is held
    to. Raises InputError where the gate's subject is
    not there yet, a stage's file cannot be read or the risk tier has no gates. A figure that is missing raises
    nothing: its check fails.
    """
    rules = policy.gate(params.use_case.risk_tier, gate)
    if not (layout.stage(SUBJECTS[gate]) / "result.json").exists():
        raise InputError(f"gate {gate} needs {layout.stage(SUBJECTS[gate])}; run stage {SUBJECTS[gate]} first")
    facts = _facts(layout, LOOKS_AT[gate])
    artefacts = _artefacts(layout, LOOKS_AT[gate])
    dataset = _dataset(layout) if gate == "data" else None
    demo = asked.request.demo_approvals
    purpose, bar = Purpose.of(params.use_case), Bar.of(params)
    adopted = adopted if gate == "evaluation" else None
    facts |= standing_facts(gate, purpose, dataset, bar, adopted)
    facts |= figures.facts(layout) if gate == "data" else {}
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
        subject=Subject(stage=SUBJECTS[gate], sha256=tree_digest(layout.stage(SUBJECTS[gate]))),
        policy_sha256=policy.digest(),
        asks=Asks.of(policy.tier(params.use_case.risk_tier), gate, dataset, demo),
        checks=[check_result(check, facts) for check in checks_of(gate, rules, bar.success_metrics)],
        purpose=purpose,
        bar=bar,
        adopted=adopted,
        facts=facts,
        artefacts=artefacts,
        dataset=dataset,
        change=changed(before, dataset),
        recorded=chain.named(recorded or {}),
        declared=dict(declared),
    )


def owners(layout: Layout) -> list[str]:
    """Who answers for the sources of a run, sorted. Raises InputError where inputs/sources.json cannot be read."""
    return sorted({item.source.owner for item in sources.load_resolved(layout.sources).sources})


def read_dataset(layout: Layout) -> Dataset | None:
    """What `split` says the dataset is made of. None where it does not say."""
    path = layout.stage("split") / "manifest.json"
    try:
        return Dataset.read_bytes(path.read_bytes())
    except FileNotFoundError:
        return None
    except (ValueError, OSError) as error:
        raise InputError(f"{path}: is not the manifest of a dataset; run stage split again ({why(error)})") from None


def _dataset(layout: Layout) -> Dataset:
    """What the owners sign, once it is known to be of what was pinned: a run's own code wrote it."""
    path, dataset = layout.stage("split") / "manifest.json", read_dataset(layout)
    if dataset is None:
        raise InputError(f"gate data needs {path}, which its owners sign; run stage split first")
    pinned = {item.source.id: declared(item) for item in sources.load_resolved(layout.sources).sources}
    stated = {name: origin.model_dump(include=set(DECLARED)) for name, origin in dataset.sources.items()}
    if differ := sorted(name for name in {*pinned, *stated} if pinned.get(name) != stated.get(name)):
        raise Refused(
            f"{path}: what it says of {', '.join(differ)} is not what {layout.sources} says that the run was resolved "
            "with; correct stage split, or resolve again"
        )
    return dataset


def check_asks(evidence: Evidence, policy: Policy) -> None:
    """Raises Refused where evidence asks others than policy, and the dataset that it is about, say.

    Raises InputError for a tier that is not in policy.yaml or asks nothing.
    """
    policy.gate(evidence.tier, evidence.gate)
    if (evidence.gate == "data") != (evidence.dataset is not None):
        raise Refused("the evidence of the data gate says what the dataset is, and no other does")
    wanted = Asks.of(policy.tier(evidence.tier), evidence.gate, evidence.dataset, evidence.demo)
    if evidence.asks != wanted:
        raise Refused(
            f"the evidence of gate {evidence.gate} states other roles, owners, waivers or a deadline than policy asks "
            "on its dataset"
        )


def require_checks(evidence: Evidence, policy: Policy) -> None:
    """Raises Refused where the checks are others than those of policy, of every tier and of the use case, or came out
    otherwise than the figures give; InputError as `check_asks`."""
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


def changed(before: Evidence | None, now: Dataset | None) -> Change | None:
    """From the dataset of other evidence to this one."""
    if before is None or before.dataset is None or now is None:
        return None
    return compare(before.dataset, now, before.run, before.subject.sha256)


def write(evidence: Evidence, layout: Layout) -> Path:
    """Write evidence/GATE.json; the SHA-256 of the file is `digest(evidence)`."""
    path = layout.evidence(evidence.gate)
    write_bytes(path, spell(evidence))
    return path


def digest(evidence: Evidence) -> str:
    """SHA-256 of `spell`."""
    return evidence.sha256


def spell(evidence: Evidence) -> bytes:
    """Its bytes: those of evidence/GATE.json, and what is attached to the ledger's entry."""
    return evidence.spelled


def _facts(layout: Layout, stages: Iterable[str]) -> Facts:
    facts: Facts = {}
    for stage in stages:
        for folder, name in _folders(stage):
            facts |= _read(layout.stage(folder) / "result.json", name)
            # The candidate's measured figures are the ones that policies are about, so theirs is the short name.
            measured = stage if folder == "predict/candidate" else name
            facts |= _read(layout.measured(folder) / "facts.json", f"measured.{measured}")
    return dict(sorted(facts.items()))


def _folders(stage: str) -> list[tuple[str, str]]:
    """Each folder of a stage below artefacts/ and measured/, with the prefix of its facts."""
    return [(folder, folder.replace("/", ".")) for folder in STAGES[stage].folders]


def _read(path: Path, prefix: str) -> Facts:
    try:
        facts = facts_module.parse(json.loads(read_at_most(path, MOST)).get("facts", {}))
    except FileNotFoundError:
        return {}
    except (ValueError, AttributeError, OSError, RecursionError) as error:
        raise InputError(f"{path}: expected JSON with a `facts` mapping ({why(error)}); run its stage again") from None
    return {f"{prefix}.{name}": fact for name, fact in facts.items()}


def _artefacts(layout: Layout, stages: Iterable[str]) -> dict[str, str]:
    digests = made_from(layout)
    for stage in stages:
        folder = layout.stage(stage)
        digests |= _files(layout, folder)
    return dict(sorted(digests.items()))


def made_from(layout: Layout) -> dict[str, Sha256]:
    """What decides the outputs of a run beside its data, as it lies there now: code, graph, versions, parameters,
    inputs."""
    alone = [layout.params, layout.root / "dvc.yaml", layout.root / "constraints.txt"]
    digests = {path.name: sha256_file(path) for path in alone if path.exists()}
    return digests | {"tasks": code.digest(layout.root)} | _files(layout, layout.inputs)


def _files(layout: Layout, folder: Path) -> dict[str, str]:
    prefix = folder.relative_to(layout.root).as_posix()
    try:
        return {f"{prefix}/{path}": sha256 for path, sha256 in tree_manifest(folder).items()}
    except ValueError as error:  # a symbolic link
        raise InputError(str(error)) from None
