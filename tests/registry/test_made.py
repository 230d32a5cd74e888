"""A release holds a signed record of each stage, and together they are one chain from the sources to the payload."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tasks.core.errors import Refused
from tasks.core.files import read_json, write_json
from tasks.core.graph import DATA_STAGE_NAMES, DVC_STAGES
from tasks.gates import record_chain
from tasks.policy.judge_install import JudgeInstall
from tasks.registry.release import bundle, contents
from tasks.registry.verify import attestation_checks, attestations, stage_record_checks, trust, verification
from tasks.trust import dsse, keys, stage_record
from tests.recorded import record, sign
from tests.registry.forging import resign
from tests.registry.house import House, writable

Change = Callable[[dict[str, Any], dict[str, str]], None]


def worker(house: House) -> Path:
    return house.state / "keys" / "worker"


def lines(house: House) -> list[str]:
    checked = verification.verify_release(house.bundle(), house.governance)
    return [f"{check.state}: {check.text}" for check in checked.checks if check.about == "stages"]


def test_the_records_of_a_release_say_how_it_was_made(released: House) -> None:
    by, chained, boxed = lines(released)
    key = keys.fingerprint(released.key("worker").public_line)
    assert (
        by == f"ok: each of {len(DVC_STAGES)} stages was signed with what it read and left, by the worker's key {key}"
    )
    assert chained == "ok: what each read is what another left: one chain from 1 source to the payload"
    assert boxed == "ok: every stage ran in a sandbox (bubblewrap 0.11.0), where it saw its own code and inputs"
    record = stage_record.parse_unverified_record(
        dsse.read_envelope(released.bundle() / bundle.STAGE_RECORDS / "train.json")
    )
    assert record.record.inputs.keys() >= {"tasks", "artefacts/split", "gates/data.json", "params.yaml#training"}
    assert record.record.taken_from is None and record.record.environment.run == "run-1"


@pytest.mark.attack(rights="worker", stopped="what is promoted is what a supervisor signed that each stage left")
@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda house, run: house.ledger.append(stage_record.STAGE_ENTRY_KIND, run.root.name,
            {"stage": "train", "envelope": sign(run, "train", house.state / "keys" / "gate")}), None),
        (lambda house, run: record(run, house.ledger, worker(house), ["train"], taken_from="1" * 64), None),
        (lambda house, run: write_json(run.artefacts("predict/base") / "result.json",
                                       {"facts": {"rows": {"value": 5}}}),
            r"stage predict@base: artefacts/predict/base/result\.json changed since it was signed"),
        (lambda house, run: write_json(run.measurements("train") / "facts.json", {"facts": {}}),
            r"stage train: measured/train/facts\.json changed since it was signed"),
        (lambda house, run: record(run, house.ledger, worker(house), ["train"], tree_sha256="1" * 64),
            "stage train: its record is of another tree than was asked for"),
        (lambda house, run: record(run, house.ledger, worker(house), ["train"], command=["other"]),
            "the gates looked at another record of stage train than the ledger has"),
    ],
    ids=["another key signs", "taken from nothing", "outputs", "figures beside them", "another tree", "a later record"],
)  # fmt: skip
def test_what_is_not_as_signed_is_not_promoted(ready: House, change: Callable[..., None], why: str | None) -> None:
    layout = ready.run("run-1")
    change(ready, layout)
    if why is None:
        ready.promote(layout)
        assert len(lines(ready)) == 3, "what another key signed is no record, and the worker's own counts"
        return
    with pytest.raises(Refused, match=why):
        ready.promote(layout)
    assert not ready.bundle().exists()


@pytest.mark.attack(rights="worker", stopped="a stage without a signed record passes no gate")
def test_a_stage_without_a_record_that_counts_passes_no_gate(house: House) -> None:
    layout = house.begin("run-1")
    without = r"stage split: no signed record that counts says what it read and left"
    record(layout, house.ledger, worker(house), [stage for stage in DATA_STAGE_NAMES if stage != "split"])
    for key in (None, "gate", "engineer", "risk-officer"):
        if key:
            record(layout, house.ledger, house.state / "keys" / key, ["split"])
        with pytest.raises(Refused, match=without):
            record_chain.require_gate_records("data", layout, "run-1", house.ledger, house.governance)
    house.ledger.append(stage_record.STAGE_ENTRY_KIND, "run-1", {"stage": "split", "envelope": {"payload": 1}})
    house.ledger.append(stage_record.STAGE_ENTRY_KIND, "run-1", {"stage": "split"})
    with pytest.raises(Refused, match=without):
        record_chain.require_gate_records("data", layout, "run-1", house.ledger, house.governance)
    record(layout, house.ledger, worker(house), ["split"])
    assert len(record_chain.require_gate_records("data", layout, "run-1", house.ledger, house.governance)) == len(
        DATA_STAGE_NAMES
    )


def test_a_stage_without_a_sandbox_counts_in_environment_local_alone(house: House) -> None:
    layout = house.begin("run-1")
    record(layout, house.ledger, worker(house), sandbox=None)
    found = record_chain.require_gate_records("data", layout, "run-1", house.ledger, house.governance)
    assert {each.sandbox for each in record_chain.record_references(found).values()} == {None}
    elsewhere = house.in_environment("production")
    with pytest.raises(Refused, match="stage ingest: it ran without a sandbox, which does not count in environment p"):
        record_chain._verified_records(["ingest"], layout, found, elsewhere)


def change_record(house: House, name: str, change: Change, key: str = "worker") -> Path:
    """A release whose record of a stage says something else, with every list and the promotion signed again."""
    folder = writable(house.bundle())
    path = folder / bundle.STAGE_RECORDS / f"{name}.json"
    statement = dsse.unverified_statement(dsse.read_envelope(path))
    left = dsse.subject_digests(statement)
    change(statement["predicate"], left)
    anew = dsse.make_statement(stage_record.LINK_PREDICATE_TYPE, left, statement["predicate"])
    dsse.write_envelope(path, dsse.sign_statement(anew, house.key(key)))
    resign(house, folder)
    return folder


def other_material(name: str) -> Change:
    def change(said: dict[str, Any], _: dict[str, str]) -> None:
        (material,) = [each for each in said["materials"] if each["name"] == name]
        material["digest"]["sha256"] = "1" * 64

    return change


@pytest.mark.attack(rights="worker", stopped="the records of a release are one chain, which anybody checks offline")
@pytest.mark.parametrize(
    ("name", "change", "why"),
    [
        ("train", other_material("artefacts/split"), "no gate looked at the record of stage train"),
        ("train", lambda said, left: left.update({"artefacts/train/more": "1" * 64}),
            "the record of stage train is about other outputs"),
    ],
    ids=["read something else", "left something else"],
)  # fmt: skip
def test_the_record_of_something_else_makes_a_release_invalid(
    released: House, name: str, change: Change, why: str
) -> None:
    folder = change_record(released, name, change)
    checked = verification.verify_release(folder, released.governance)
    assert checked.verdict == "invalid" and re.search(why, str(checked.against)), checked.against


@pytest.mark.attack(rights="gate key", stopped="the records of a release are one chain, which anybody checks offline")
@pytest.mark.parametrize(
    ("material", "why"),
    [
        ("artefacts/split", "stage train read another artefacts/split than"),
        ("params.yaml#training", r"stage train read another params\.yaml#training than"),
        ("gates/data.json", r"stage train read another gates/data\.json than"),
        ("constraints.txt", r"stage train read another constraints\.txt than"),
        ("inputs/authority.json", r"stage (train|package) read another inputs/authority\.json than"),
        ("tasks", r"the stages ran other code than payload/manifest\.json says"),
    ],
)
def test_a_gap_in_the_chain_shows_even_where_every_gate_looked_at_it(released: House, material: str, why: str) -> None:
    files = Attested(released, "train", other_material(material))
    with pytest.raises(Refused, match=why):
        stage_record_checks._check_chain(files.attested, files.records, files.listing)


def same(_: dict[str, Any], __: dict[str, str]) -> None:
    """A record as it was."""


@pytest.mark.attack(rights="gate key", stopped="outside local a release is of code that was signed off, also offline")
def test_offline_too_code_is_signed_off_outside_local(released: House) -> None:
    files = Attested(released, "train", same)
    assert "nobody signed its version of the code off" in attestation_checks._check_code_signoff(
        files.attested, files.promotion
    )
    elsewhere = files.promotion.model_copy(update={"environment": "production"})
    with pytest.raises(Refused, match="its version of the code was not signed off: it lacks the signature of somebody"):
        attestation_checks._check_code_signoff(files.attested, elsewhere)


@pytest.mark.attack(rights="gate key", stopped="a release was promoted by a Hallmark that may judge, also offline")
@pytest.mark.parametrize(
    ("judge", "why"),
    [
        (None, "the promotion statement does not say which one did"),
        (JudgeInstall(version="1", sha256="b" * 64, editable=True), "an editable install"),
        (
            JudgeInstall(version="1", sha256="b" * 64, editable=False),
            "is none of those that policy names under `judges`",
        ),
    ],
)
def test_offline_too_what_promoted_may_judge(released: House, judge: JudgeInstall | None, why: str) -> None:
    files = Attested(released, "train", same)
    update = {"environment": "production", "judges": ["a" * 64]}
    files.attested.policy = files.attested.policy.model_copy(update=update)
    with pytest.raises(Refused, match=why):
        attestation_checks._check_judge(files.attested, judge)
    assert attestation_checks._check_judge(files.attested, JudgeInstall(version="1", sha256="a" * 64, editable=False))


class Attested:
    """What verification reads of a release, with one record changed and nothing that refers to it."""

    def __init__(self, house: House, name: str, change: Change) -> None:
        folder = house.bundle()
        signed = verification.require_valid_release(folder, house.governance)
        self.promotion = signed.promotion
        self.listing = signed.promotion.files
        kept = [n for n in self.listing if n.startswith("attestations/")]
        files = contents.read_files(folder, self.listing, [*kept, *attestations.PARSED_FILES])
        self.attested = attestations.Attestations(files, signed, trust.trust_from_governance(house.governance))
        self.records = self.attested.stage_records()
        statement = dsse.unverified_statement(self.records[name].envelope)
        change(statement["predicate"], {})
        anew = dsse.make_statement(stage_record.LINK_PREDICATE_TYPE, self.records[name].outputs, statement["predicate"])
        self.records[name] = stage_record.parse_unverified_record(dsse.sign_statement(anew, house.key("worker")))


@pytest.mark.attack(rights="gate key", stopped="a release has a record of every stage, which its evidence names")
def test_a_record_that_is_taken_away_or_signed_by_another_shows(released: House) -> None:
    folder = change_record(released, "train", lambda said, left: None, key="gate")
    assert "is signed by" in str(verification.verify_release(folder, released.governance).against)
    (folder / bundle.STAGE_RECORDS / "train.json").unlink()
    resign(released, folder)
    assert "records of none: train" in str(verification.verify_release(folder, released.governance).against)
    for path in (folder / bundle.STAGE_RECORDS).iterdir():
        path.unlink()
    (folder / bundle.STAGE_RECORDS).rmdir()
    resign(released, folder)
    assert verification.verify_release(folder, released.governance).verdict == "invalid", "evidence names the records"


def test_what_no_record_says_is_told(released: House) -> None:
    """Of a release of a version that recorded no stages: tests/golden has one that verifies."""
    assert (
        stage_record_checks.UNVERIFIABLE_CLAIM
        not in verification.verify_release(released.bundle(), released.governance).unchecked
    )
    assert read_json(released.bundle() / "attestations/evidence/data.json")["recorded"].keys() >= {"ingest", "split"}
