"""What a dataset's owners are told: how it differs from the one approved last, and which one that is."""

from typing import Any

import pytest

from tasks.core.errors import InputError, Refused
from tasks.core.files import write_json
from tasks.gates import evidence, passed_evidence
from tasks.gates.checks.dataset_diff import ValueChange, compare_datasets
from tasks.gates.evidence import Evidence
from tests.governed.datasets import dataset, origin, put
from tests.governed.house import House


def test_nothing_changes_between_equals() -> None:
    same = dataset({"a": origin(100), "b": origin(50)})
    change = compare_datasets(same, same, "run-0", "9" * 64)
    assert (change.run, change.subject_sha256) == ("run-0", "9" * 64)
    assert all(pair.unchanged for pair in (*change.rows.values(), *change.quarantined.values()))
    assert {source.content for source in change.sources.values()} == {"same"}
    assert not any(source.terms for source in change.sources.values())
    assert not change.settings and not any(change.segments.values())


def test_a_dataset_from_before_a_stage_is_compared_and_counted() -> None:
    now = dataset({"a": origin(100)})
    older = now.model_copy(update={"counts": {name: it for name, it in now.counts.items() if name != "clean"}})
    own = now.sources["a"]
    source = own.model_copy(update={"passages": {name: it for name, it in own.passages.items() if name != "clean"}})
    older = older.model_copy(update={"sources": {"a": source}})
    change = compare_datasets(older, now, "run-0", "9" * 64)
    assert change.quarantined["clean"] == ValueChange(before=None, now=0.1)
    assert (older.sources["a"].quarantined, own.quarantined) == ({}, {"empty_prompt": 10})


def test_every_kind_of_difference_is_told() -> None:
    before = dataset({"a": origin(100), "b": origin(50), "c": origin(30)})
    own = origin(110, content="2", owner="other", protect={"name": "mask"})
    now = dataset({"a": own, "b": origin(50), "d": origin(40)}, settings={"seed": 18, "near_duplicates": None})
    change = compare_datasets(before, now, "run-0", "9" * 64)
    assert {name: source.content for name, source in change.sources.items()} == {
        "a": "changed", "b": "same", "c": "removed", "d": "added"
    }  # fmt: skip
    a, removed, added = (change.sources[name] for name in "acd")
    assert a.terms == {
        "owner": ValueChange(before="owner", now="other"), "protect.name": ValueChange(before="tokenise", now="mask")
    }  # fmt: skip
    assert (a.taken, a.rows) == (ValueChange(before=100, now=110), ValueChange(before=90, now=99))
    assert a.aside_share == ValueChange(before=0.1, now=0.1)
    assert (removed.taken, added.taken) == (ValueChange(before=30, now=None), ValueChange(before=None, now=40))
    assert change.rows["train"] == ValueChange(before=156, now=174)
    assert change.segments["language"] == {"en": ValueChange(before=157, now=175)}
    assert change.segments["source_id"]["d"] == ValueChange(before=None, now=36)
    assert change.settings == {
        "seed": ValueChange(before=17, now=18), "near_duplicates.jaccard": ValueChange(before=0.85, now=None)
    }  # fmt: skip


def test_the_dataset_and_its_change_are_part_of_what_is_signed(house: House) -> None:
    put(house.layout, dataset({"a": origin(100)}))
    first = approve(house, "run-1")
    assert first.dataset == dataset({"a": origin(100)}) and first.change is None
    put(house.layout, dataset({"a": origin(120, content="2")}))
    second = collect(house, "run-2")
    assert second.change is not None and second.change.sources["a"].content == "changed"
    assert (second.change.run, second.change.subject_sha256) == ("run-1", first.subject.sha256)
    assert evidence.evidence_digest(second) != evidence.evidence_digest(second.model_copy(update={"change": None}))
    assert house.collect("evaluation").dataset is None


def test_only_what_passed_for_the_same_use_case_was_approved(house: House) -> None:
    put(house.layout, dataset({"a": origin(100)}))
    assert passed_evidence.last_passed_evidence(house.ledger, "triage", demo=False) is None
    waits = house.ask(run="run-1")
    assert passed_evidence.last_passed_evidence(house.ledger, "triage", demo=False) is None
    house.decide(waits, "both", "reject", role="data-owner")
    assert house.settle(waits).state == "rejected"
    assert passed_evidence.last_passed_evidence(house.ledger, "triage", demo=False) is None
    for run, rows in (("run-2", 105), ("run-3", 110)):
        put(house.layout, dataset({"a": origin(rows)}))
        newest = approve(house, run)
    assert passed_evidence.last_passed_evidence(house.ledger, "triage", demo=False) == newest
    assert passed_evidence.last_passed_evidence(house.ledger, "another", demo=False) is None


def test_what_demo_identities_let_through_is_compared_with_on_demo_runs_only(house: House) -> None:
    put(house.layout, dataset({"a": origin(100)}))
    asked = house.ask(run="run-1", demo=True)
    house.decide(asked, "demo-owner")
    assert house.settle(asked).state == "passed"
    assert passed_evidence.last_passed_evidence(house.ledger, "triage", demo=False) is None
    assert passed_evidence.last_passed_evidence(house.ledger, "triage", demo=True) == asked


def test_a_resumed_run_is_still_compared_with_what_was_approved_before_it(house: House) -> None:
    put(house.layout, dataset({"a": origin(100)}))
    approve(house, "run-1")
    put(house.layout, dataset({"a": origin(110)}))
    asked = approve(house, "run-2")
    again = house.ask_again(collect(house, "run-2"))
    assert again == asked and again.change is not None and again.change.run == "run-1"


def test_a_manifest_that_is_none_is_told(house: House) -> None:
    write_json(house.layout.artefacts("split") / "manifest.json", {"rows": 3})
    with pytest.raises(InputError, match=r"manifest\.json: is not the manifest of a dataset; run stage split again"):
        house.collect()


def test_without_a_manifest_there_is_nothing_to_sign(house: House) -> None:
    (house.layout.artefacts("split") / "manifest.json").unlink()
    with pytest.raises(InputError, match=r"manifest\.json, which its owners sign; run stage split first"):
        house.collect()
    assert house.collect("evaluation").dataset is None


@pytest.mark.parametrize(
    ("told", "differs"),
    [
        ({"a": origin(100)}, "b"),
        ({"a": origin(100), "b": origin(50), "c": origin(30)}, "c"),
        ({"a": origin(100), "b": origin(50, licence="LicenseRef-other")}, "b"),
        ({"a": origin(100, content="2"), "b": origin(50)}, "a"),
        ({"a": origin(100), "b": origin(50, protect={"name": "keep"})}, "b"),
    ],
)
def test_a_manifest_of_other_sources_than_the_run_was_resolved_with_is_refused(
    house: House, told: dict[str, Any], differs: str
) -> None:
    """A run's own code wrote it."""
    put(house.layout, dataset({"a": origin(100), "b": origin(50)}))
    manifest = house.layout.artefacts("split") / "manifest.json"
    write_json(manifest, dataset(told).model_dump(mode="json"))
    with pytest.raises(Refused, match=f"what it says of {differs} is not what .*sources.json says"):
        house.collect()


def collect(house: House, run: str) -> Evidence:
    before = passed_evidence.last_passed_evidence(house.ledger, "triage", demo=False)
    policy = house.governance.policy
    return evidence.collect_evidence("data", house.layout, house.params, policy, house.request(run), before)


def approve(house: House, run: str) -> Evidence:
    asked = house.ask_again(collect(house, run))
    house.decide(asked, "owner")
    assert house.settle(asked).state == "passed"
    return asked


def test_everything_that_the_inventory_says_of_a_source_is_compared() -> None:
    change = compare_datasets(
        dataset({"a": origin(50)}),
        dataset({"a": origin(50, region="us", approved_uses=["a", "triage", "resale"])}),
        "r",
        "6" * 64,
    )
    moved = {name: (pair.before, pair.now) for name, pair in change.sources["a"].terms.items()}
    assert moved == {"region": ("eu", "us"), "approved_uses": ("a, triage", "a, triage, resale")}
