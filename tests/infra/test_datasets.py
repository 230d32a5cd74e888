"""The data gate as the owners of the sources look at it: theirs, its figures, and what changed since the last one."""

from pathlib import Path

import pytest

from infra.cli import dataset_table
from infra.cli.shared import console
from tasks.core.files import sha256_bytes
from tasks.gates import decisions, evidence, gates, passed_evidence
from tasks.gates.evidence import Evidence
from tasks.runs.run import Run
from tasks.sources.dataset import COUNTED_STAGES, PARTITIONS, Dataset, DatasetSource, StageCounts, declared_fields
from tasks.sources.resolved_sources import ResolvedSource
from tests.in_process import adopt, hallmark, hallmark_json
from tests.stages.data.build import source, stages
from tests.tiny_project import commit, create, messages

SECOND = """
  - id: extra
    kind: csv
    location: examples/extra.csv
    owner: risk-officer
    licence: CC-BY-4.0
    steward: data-owner
    access: [data_owner]
    classification: internal
    lawful_basis: consent
    retention_days: 36500
    region: eu
    refresh_days: 3650
    approved_uses: [tests]
    mapping: {prompt: text, response: {intent: intent, queue: queue}, department: queue}
    constants: {task: triage, language: en, kind: answer, origin: simulated}
    detectors:
      - {name: money, kind: presidio, path: examples/money.yaml, sha256: DIGEST, labels: {CURRENCY: financial}}
"""
MONEY = "recognizers: [{name: currency, supported_entity: CURRENCY, deny_list: [euro]}]\n"


@pytest.fixture(scope="module")
def project(project: Path) -> Path:
    """Two runs at their data gates: the first approved, the second with a source more and one changed."""
    first = create(project, "first")
    asked = ask(first)
    decisions.decide(first.ledger(), first.governance(), asked, "data-owner", "approve", "seen")
    assert gates.judge_and_close(first.ledger(), first.governance(), asked).state == "passed"
    (project / "examples" / "messages.csv").write_text(messages(75))
    (project / "examples" / "extra.csv").write_text(messages(30).replace("my card", "their card"))
    sources = project / "infra" / "governance" / "sources.yaml"
    sources.write_text(
        sources.read_text().replace("CC0-1.0", "MIT") + SECOND.replace("DIGEST", sha256_bytes(MONEY.encode()))
    )
    (project / "examples" / "money.yaml").write_text(MONEY)
    people = project / "infra" / "governance" / "people.yaml"
    people.write_text(people.read_text().replace("[risk_officer]}", "[risk_officer, data_owner]}", 1))
    commit(project, "More data")
    adopt(project)
    ask(create(project, "second"))
    return project


def ask(run: Run) -> Evidence:
    for stage in stages(validate=True).values():
        stage.run(run.params, run.layout)
    before = passed_evidence.last_passed_evidence(run.ledger(), run.params.use_case.name, demo=False)
    policy = run.governance().policy
    return gates.open_gate(
        run.ledger(), evidence.collect_evidence("data", run.layout, run.params, policy, run.signed_request, before)
    )


def test_an_owner_sees_which_sources_are_theirs_and_what_changed(project: Path) -> None:
    told = hallmark(project, "gates", "show", "second", "data")
    lines = [line.strip() for line in told.splitlines()]
    extra, own = (next(line for line in lines if line.startswith(name)) for name in ("extra ", "messages "))
    assert "risk-officer" in extra and "exact_duplicate 20" in extra and extra.endswith("added")
    assert "data-owner" in own and own.endswith("changed")
    assert "source messages: licence CC0-1.0 → MIT, rows 60 → 75, in the dataset 60 → 75" in lines
    assert "compared with the dataset approved in run first" in told
    assert "waits for 2 approvals in role data_owner, of data-owner, risk-officer" in told


def test_an_owner_sees_what_their_own_detector_found(project: Path) -> None:
    finds = hallmark_json(project, "data", "detectors", "second")
    (found,) = finds["finds"]
    assert (found["source"], found["detector"], found["category"]) == ("extra", "money", "financial")
    assert (found["found"], found["added"], finds["missing"]) == (10, 10, None)
    told = hallmark(project, "data", "detectors", "second")
    assert "financial" in told and "policy asks for no detector" in told
    assert "no source has a detector of its owner" in hallmark(project, "data", "detectors", "first")
    for words in (("gates", "show", "second", "data"), ("data", "manifest", "second")):
        assert "financial 10 found, 10 of them by it alone" in " ".join(hallmark(project, *words).split())


def test_the_first_dataset_of_a_use_case_is_compared_with_none(project: Path) -> None:
    assert "no dataset was approved before" in hallmark(project, "gates", "show", "first", "data")


def test_the_manifest_is_a_document_with_the_change(project: Path) -> None:
    document = hallmark_json(project, "data", "manifest", "second")
    assert document["dataset"]["sources"]["extra"]["licence"] == "CC-BY-4.0"
    assert document["change"]["run"] == "first"
    shown = hallmark_json(project, "gates", "show", "second", "data")["evidence"]
    assert (shown["dataset"], shown["change"]) == (document["dataset"], document["change"])
    assert "risk-officer" in hallmark(project, "data", "manifest", "second")


def test_a_run_before_its_data_gate_is_compared_with_what_is_approved_by_then(project: Path) -> None:
    early = create(project, "early")
    told = hallmark(project, "data", "manifest", "early", code=2)
    assert "run early has no dataset yet" in told
    for stage in stages().values():
        stage.run(early.params, early.layout)
    assert hallmark_json(project, "data", "manifest", "early")["change"]["run"] == "first"


def test_no_value_of_a_record_is_in_the_evidence(project: Path) -> None:
    text = (project / ".hallmark" / "runs" / "second" / "artefacts" / "split" / "manifest.json").read_text()
    assert "Lovelace" not in text + hallmark(project, "gates", "show", "second", "data", "--json")


def test_every_rule_is_told() -> None:
    rules = {f"rule_{number}": number + 1 for number in range(12)}
    passages = {stage: StageCounts(rows=99, records=99, quarantined={}) for stage in COUNTED_STAGES}
    passages["clean"] = StageCounts(rows=99, records=21, quarantined=rules)
    known = declared_fields(ResolvedSource(source=source("data.csv"), sha256="0" * 64, bytes=1))
    sides = dict.fromkeys(PARTITIONS, 10)
    origin = DatasetSource(**known, passages=passages, rows=sides, protected={})
    made = Dataset(sources={"src": origin}, counts=passages, rows=sides, digests={}, segments={}, settings={})
    with console.capture() as capture:
        dataset_table.print_dataset(made, None)
    told = capture.get()
    assert all(f"{rule} {count}" in told for rule, count in rules.items()) and "…" not in told


def test_a_dataset_is_compared_with_the_counts_that_were_approved(project: Path) -> None:
    assert "nothing to compare with" in hallmark(project, "data", "distribution", "first")
    told = hallmark(project, "data", "distribution", "second")
    assert "compared with the dataset approved in run first" in told and "prompt_chars" in told
    found = hallmark_json(project, "data", "distribution", "second", "--json")
    assert found["compared_with"] == "first" and found["coverage_gaps"] is None
    shifts = {each["field"]: each for each in found["shifts"]}
    asked = hallmark_json(project, "gates", "show", "second", "data", "--json")
    assert shifts.keys() >= {"language", "label"} and "card_lost" not in str(found), "labels stand by their digest"
    assert 0 < shifts["label"]["distance"] < 1 and f"{shifts['label']['distance']}" in str(asked)
