"""Chapters of a dossier about the time from the run request to the promotion.

Each claim refers to the artifacts that support it.
"""

from collections.abc import Iterable, Sequence

from tasks.audit.artifacts import ArtifactCollection
from tasks.audit.dossier import Artifact, Chapter, Claim, ClaimKind, Table
from tasks.audit.release_facts import ReleaseFacts
from tasks.core.facts import Fact
from tasks.core.formatting import format_count, format_exact_time, format_time
from tasks.core.params import methods
from tasks.gates.checks.checks import CheckResult
from tasks.registry.release import bundle
from tasks.sources.dataset import COUNTED_STAGES, PARTITIONS

ClaimContent = tuple[ClaimKind, str, Sequence[Artifact]]
PARAMS_PATH, DATASET_PATH = "payload/params.yaml", "payload/dataset/manifest.json"
MANIFEST_PATH = "payload/manifest.json"
MINUS = "−"
CHECK_OUTCOMES = {"ok": "yes", "no": "NO", "missing": "cannot be said"}


def make_chapter(
    number: int, id_: str, title: str, tables: Sequence[Table], claim_contents: Iterable[ClaimContent]
) -> Chapter:
    claims = [
        Claim(number=f"{number}.{place}", kind=kind, text=text, artifacts=list(artifacts))
        for place, (kind, text, artifacts) in enumerate(claim_contents, start=1)
    ]
    return Chapter(id=id_, title=title, tables=list(tables), claims=claims)


def request_chapter(facts: ReleaseFacts, collection: ArtifactCollection) -> Chapter:
    card, release = facts.params.use_case, facts.release
    table = Table(
        caption="The use case, as it was when the run was asked for",
        columns=["", ""],
        rows=[
            ["Problem", card.problem],
            ["Users", ", ".join(card.users)],
            ["Risk tier", card.risk_tier],
            ["Approach", f"{card.approach.replace('_', ' ')}: {card.approach_reason}"],
            ["Approved uses", "; ".join(card.approved_uses)],
            ["Limitations", "; ".join(card.limitations)],
            ["Owners", f"business {card.owners.business}, technical {card.owners.technical}, data {card.owners.data}"],
            ["Escalation", card.escalation_path],
        ],
    )
    first = facts.gate_cases.get("data")
    before = [collection.add_entry(first.opening_entry)] if first else []
    same = first is not None and first.evidence.artefacts.get("params.yaml") == facts.contents.manifest.params_sha256
    fixed = (
        f" They were fixed before training: the data gate, asked on {format_case_time(first)}, looked at the same file "
        "by digest."
        if same
        else ""
    )
    asked_by = f"{facts.display_name(release.requested_by)} asked for run {release.run}"
    if facts.request and facts.request_entry:
        changes = ", ".join(f"{key}={value}" for key, value in facts.request.changes.items())
        signed = f"under a signature over commit {facts.request.commit[:12]} and {facts.request.params}"
        signed += f", with {changes}" if changes else ""
        where = [collection.add_entry(facts.request_entry)]
    else:
        signed, where = "as the gates' evidence says", before
    return make_chapter(1, "asked", "Who asked, and what for", [table], [
        ("request", f"{asked_by}, {signed}.", where),
        ("purpose", f"Purpose, approved uses, limitations and owners stand in the parameters.{fixed}",
         [collection.file_artifact(PARAMS_PATH), *before]),
        ("criteria", f"Good enough means to reach {format_count(len(card.success_metrics), 'success metric')}.{fixed}",
         [collection.file_artifact(PARAMS_PATH), *before]),
    ])  # fmt: skip


def data_chapter(facts: ReleaseFacts, collection: ArtifactCollection) -> Chapter:
    dataset = facts.contents.dataset
    sources = Table(
        caption="Sources, by the terms that their owners signed with the dataset",
        columns=["Source", "Owner", "Licence", "Lawful basis", "Classification", "Region", "Days kept", "Rows read",
                 "Quarantined", *(side.capitalize() for side in PARTITIONS)],
        rows=[
            [name, it.owner, it.licence, it.lawful_basis, it.classification, it.region, f"{it.retention_days:,}",
             f"{it.rows_read:,}", f"{sum(it.quarantined.values()):,}", *(f"{it.rows[side]:,}" for side in PARTITIONS)]
            for name, it in dataset.sources.items()
        ],
        numbers=[6, 7, 8, 9, 10],
    )  # fmt: skip
    passages = Table(
        caption="Rows through the stages: what came in is a record, was quarantined by a rule, or was not drawn",
        columns=["Stage", "Rows in", "Records out", "Quarantined", "Not drawn", "By rule"],
        rows=[
            [stage, f"{it.rows:,}", f"{it.records:,}", f"{sum(it.quarantined.values()):,}", f"{it.not_drawn:,}",
             ", ".join(f"{rule} {count:,}" for rule, count in it.quarantined.items()) or "–"]
            for stage, it in ((stage, dataset.counts[stage]) for stage in COUNTED_STAGES if stage in dataset.counts)
        ],
        numbers=[1, 2, 3, 4],
    )  # fmt: skip
    adds_up = all(it.counts_add_up for it in dataset.counts.values())
    protected = {name: sum(it.protected.values()) for name, it in dataset.sources.items()}
    made_of = collection.file_artifact(DATASET_PATH)
    gate = [collection.add_entry(facts.gate_cases["data"].opening_entry)] if "data" in facts.gate_cases else []
    rows = ", ".join(f"{dataset.rows[side]:,} {side}" for side in PARTITIONS)
    stretches = sum(protected.values())
    return make_chapter(2, "data", "What it was trained on", [sources, passages], [
        ("data-provenance", f"{format_count(len(dataset.sources), 'source')}, pinned by the SHA-256 of its content, "
                            f"made a "
         f"dataset of {rows} records (digest {facts.contents.manifest.stages['split'][:12]}…).", [made_of, *gate]),
        ("data-terms", "Owner, licence, lawful basis, class, region, retention and approved uses of each source are "
         "part of what was signed at the data gate.", [made_of, *gate]),
        ("data-quality", "Counts add up in every stage: in = out + quarantined + not drawn." if adds_up
         else "Counts do NOT add up in every stage.", [made_of]),
        ("personal-data", f"Before anything was written, {stretches:,} stretches of personal or secret text were found "
         "and treated as each source's terms say." if stretches else
         "No personal or secret text was found in the sources; what each class would have become is in the terms.",
         [made_of]),
    ])  # fmt: skip


def checks_chapter(facts: ReleaseFacts, collection: ArtifactCollection) -> Chapter:
    rows, said = [], list[ClaimContent]()
    for gate in facts.contents.promotion.gates:
        evidence = facts.contents.evidence[gate]
        waived = {check for it in facts.decisions.get(gate, []) if it.counted for check in it.decision.checks}
        rows += [
            [gate, it.name, it.fact, format_value(it), format_limit(it), format_verdict(it, waived)]
            for it in evidence.checks
        ]
        failed = sum(it.verdict == "failed" for it in evidence.checks)
        how = (
            f"{format_count(len(evidence.checks), 'check')}, {failed} failed"
            if evidence.checks
            else "policy asks no check here"
        )
        said.append((
            "checks",
            f"The {gate} gate looked at the output of {evidence.subject.stage} ({evidence.subject.sha256[:12]}…) and "
            f"{len(evidence.artefacts)} files by digest: {how}.",
            [collection.file_artifact(f"attestations/evidence/{gate}.json"), *case_artifacts(collection, facts, gate)],
        ))  # fmt: skip
    table = Table(
        caption="Automatic checks, with the figure that each judged",
        columns=["Gate", "Check", "Figure", "Found", "Wanted", "Verdict"],
        rows=rows,
        numbers=[3, 4],
    )
    return make_chapter(3, "checked", "What was checked", [table], said)


def training_chapter(facts: ReleaseFacts, collection: ArtifactCollection) -> Chapter:
    manifest, release = facts.contents.manifest, facts.release
    stages = Table(
        caption="What each stage left, by digest",
        columns=["Stage", "SHA-256"],
        rows=[[name, manifest.stages[name]] for name in manifest.stages],
    )
    how = methods.get_method(manifest.method).trained_part
    return make_chapter(4, "trained", "What was trained", [stages], [
        ("base-model", f"Base model: {manifest.base_model_origin}, weights {manifest.base_model_sha256[:12]}…, "
         f"licence {manifest.base_model_licence}.",
         [collection.file_artifact(MANIFEST_PATH), collection.file_artifact("payload/ml-bom.cdx.json")]),
        ("training", f"Run {release.run} trained {how} it from commit {release.commit[:12]}, with code, parameters, "
         "inputs and library versions pinned by digest.",
         [collection.file_artifact(MANIFEST_PATH), collection.file_artifact("attestations/provenance.json")]),
    ])  # fmt: skip


def metrics_chapter(facts: ReleaseFacts, collection: ArtifactCollection) -> Chapter:
    rows = [
        [name, format_metric(fact), format_interval(fact), fact.note]
        for name, fact in facts.contents.quality_metrics.items()
    ]
    table = Table(
        caption="Figures of the candidate, as the evaluation gate looked at them",
        columns=["Figure", "Value", "Interval", "How"],
        rows=rows,
        numbers=[1, 2],
    )
    bounded = sum(fact.low is not None and fact.high is not None for fact in facts.contents.quality_metrics.values())
    rest = [
        collection.file_artifact("payload/evaluation/report.html"),
        collection.file_artifact("attestations/evidence/evaluation.json"),
    ]
    text = f"{len(rows)} figures were measured on held-out records, {bounded} of them with an interval."
    return make_chapter(5, "figures", "How good it is", [table], [("figures", text, rest)])


def promotion_chapter(facts: ReleaseFacts, collection: ArtifactCollection) -> Chapter:
    statement = facts.own_periods[0].signed
    table = Table(
        caption="What was verified for this dossier, from the release's folder and this installation's keys",
        columns=["About", "Check", "Holds"],
        rows=[[check.about, check.text, CHECK_OUTCOMES[check.state]] for check in facts.verification.checks],
    )
    promotion = statement.promotion
    artifacts = [
        collection.file_artifact(bundle.PROMOTION_STATEMENT),
        *([collection.add_entry(statement.entry)] if statement.entry else []),
    ]
    holds = sum(check.ok for check in facts.verification.checks)
    valid = f"Of {len(facts.verification.checks)} checks {holds} hold."
    if facts.verification.verdict == "invalid":
        valid = f"It does NOT verify: {facts.verification.against}."
    return make_chapter(7, "promoted", "How it came into production", [table], [
        ("promotion", f"Statement {promotion.sequence} of {promotion.name} in environment {promotion.environment} made "
         f"{promotion.label} champion on {format_exact_time(facts.own_periods[0].since)}.", artifacts),
        ("integrity", f"The statement lists all {len(promotion.files)} files of the release by digest. {valid}",
         [collection.file_artifact(bundle.PROMOTION_STATEMENT)]),
    ])  # fmt: skip


def case_artifacts(collection: ArtifactCollection, facts: ReleaseFacts, gate: object) -> list[Artifact]:
    return [collection.add_entry(case.opening_entry) for name, case in facts.gate_cases.items() if name == gate]


def format_case_time(case: object) -> str:
    entry = getattr(case, "entry", None)
    return format_time(entry.time) if entry else ""


def format_value(check: CheckResult) -> str:
    measured = getattr(check, check.bound)
    return "–" if measured is None else f"{measured:,.4g}".replace("-", MINUS)


def format_limit(check: CheckResult) -> str:
    sign, limit = ("≥", check.at_least) if check.at_least is not None else ("≤", check.at_most)
    return f"{'' if check.bound == 'value' else f'{check.bound} end '}{sign} {limit:,g}".replace("-", MINUS)


def format_verdict(check: CheckResult, waived: set[str]) -> str:
    return "failed, waived" if check.verdict == "failed" and check.name in waived else check.verdict


def format_metric(fact: Fact) -> str:
    return f"{fact.value:,.4g}{f' {fact.unit}' if fact.unit else ''}".replace("-", MINUS)


def format_interval(fact: Fact) -> str:
    return "–" if fact.low is None or fact.high is None else f"{fact.low:.3f} to {fact.high:.3f}".replace("-", MINUS)
