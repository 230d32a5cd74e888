"""Labels that are not trained or nearly equal another one: found, counted, named by their records, left out."""

import random
import time
from typing import Any

import pytest

from tasks.core.errors import InputError
from tasks.core.files import read_json
from tasks.gates.checks import checks
from tasks.gates.checks.checks import evaluate_check
from tasks.policy.gate_rules import Check
from tasks.stages.data.similar_labels import MAX_LABELS, find_near_equal_labels
from tasks.stages.data.split.partitions import TEST, TRAIN
from tests.stages.data.build import Run, record

ATIS = {"atis_flight": 3666, "atis_airfare": 423, "atis_airline": 157, "atis_flight_time": 54, "atis_airport": 20,
        "atis_flight_no": 12, "atis_cheapest": 1, "atis_meal": 6, "atis_city": 19}  # fmt: skip


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("atis_fligth", "atis_flight"),
        ("Atis_Flight ", "atis_flight"),
        ("atis flight", "atis_flight"),
        ("atis-airfare", "atis_airfare"),
        ("atis_flightt", "atis_flight"),
        ("atis_arifaer", "atis_airfare"),
        ("ATIS_airlinee", "atis_airline"),
    ],
)
def test_a_misspelt_label_is_found_with_the_label_that_it_nearly_equals(typed: str, meant: str) -> None:
    assert find_near_equal_labels(ATIS | {typed: 1}) == {typed: meant}


@pytest.mark.parametrize(
    "labels",
    [
        ATIS,
        {"change_accent": 150, "change_account": 150},
        {"priority 1": 500, "priority 2": 5},
        {"cancel_order": 500, "cancel_order_b": 5},
        {"yes": 500, "no": 5, "yet": 1},
        {"complete": 500, "incomplete": 100},
        {f"text number {number} says more": 1 for number in range(MAX_LABELS)} | {"a": 9, "A": 9},
        {},
        {"-": 5, "_": 5, " ": 5},
    ],
)
def test_other_labels_are_classes_of_their_own(labels: dict[str, int]) -> None:
    assert find_near_equal_labels(labels) == {}


def test_case_alone_makes_two_labels_near_whatever_their_rows() -> None:
    assert find_near_equal_labels({"Yes": 40, "yes": 60, "YES": 60}) == {"Yes": "YES", "yes": "YES"}


def test_as_many_labels_as_are_compared_take_seconds() -> None:
    dice = random.Random(5)
    labels = {"".join(dice.choices("abcdefgh_", k=30)): 10 for _ in range(MAX_LABELS - 1)}
    usual = next(iter(labels))
    began = time.monotonic()
    assert find_near_equal_labels(labels | {usual[:-1] + "z": 1}) == {usual[:-1] + "z": usual}
    assert time.monotonic() - began < 20


def tailed(run: Run, **data: Any) -> list[dict[str, Any]]:
    """Fifty training and ten test records of label `common`, one of `commno` to train, two of `rare` to test."""
    items = [record(f"train {number}", "common", number=number, split=TRAIN) for number in range(50)]
    items += [record(f"test {number}", "common", number=100 + number, split=TEST) for number in range(10)]
    items += [record("typed", "commno", number=200, split=TRAIN, source_id="two")]
    items += [record(f"odd {number}", "rare", number=300 + number, split=TEST) for number in range(2)]
    run.split(items, **data)
    return items


FINDING = {"record_id": f"{300:032x}", "source_id": "src", "label": "rare", "finding": "not_trained", "near": None}
NEAR = {"record_id": f"{200:032x}", "source_id": "two", "partition": "train", "label": "commno",
        "finding": "near_equal", "near": "common", "near_sources": ["src"]}  # fmt: skip


def test_labels_to_look_at_are_written_with_their_records(run: Run) -> None:
    tailed(run)
    near, first, second = run.records_of("split", "label_findings")
    assert near == NEAR
    assert first == FINDING | {"partition": "test", "near_sources": []}
    assert second["record_id"] == f"{301:032x}"
    facts = run.result("split")["facts"]
    assert facts["near_equal_labels"]["value"] == 1 and facts["labels_only_in_test"]["value"] == 1
    assert facts["labels_only_in_test"]["note"].endswith(f": records {300:032x}, {301:032x}")


def test_records_whose_label_is_not_trained_are_left_out_counted_and_still_named(run: Run) -> None:
    tailed(run, untrained_labels="quarantine")
    entries = run.records_of("split", "quarantine")
    assert [(entry["record_id"], entry["row"], entry["rule"]) for entry in entries] == [
        (f"{300 + number:032x}", 62 + number, "label_not_trained") for number in range(2)
    ]
    assert "rare" not in str(entries)
    assert {entry["winner"] for entry in entries} == {None}
    found = run.records_of("split", "label_findings")
    assert found[0] == NEAR and found[1] == FINDING | {"partition": "quarantine", "near_sources": []}
    result = run.result("split")
    assert result["labels_only_in_test"] == [] and result["facts"]["label_not_trained"]["value"] == 2
    assert result["facts"]["labels_only_in_test"] == {"value": 0, "note": "labels that no training record has"}
    manifest = read_json(run.layout.artefacts("split") / "manifest.json")
    passed = {"rows": 63, "records": 61, "quarantined": {"label_not_trained": 2}, "not_drawn": 0}
    assert manifest["counts"]["split"] == passed and manifest["settings"]["untrained_labels"] == "quarantine"
    assert manifest["sources"]["src"]["passages"]["split"] == passed | {"rows": 62, "records": 60}


def test_a_test_that_nothing_is_left_of_is_refused_with_the_setting(run: Run) -> None:
    train = [record(f"train {number}", "common", number=number, split=TRAIN) for number in range(5)]
    test = record("other", "rare", number=9, split=TEST)
    with pytest.raises(InputError, match=r"test partition, after data\.untrained_labels has left 1 out"):
        run.split([*train, test], untrained_labels="quarantine")


def test_a_gate_shows_the_records_of_untrained_labels_and_no_other_words(run: Run) -> None:
    tailed(run)
    written = checks.Fact.model_validate(run.result("split")["facts"]["labels_only_in_test"])
    more = [record(f"odd {number}", "rare", number=300 + number, split=TEST) for number in range(6)]
    run.split([*more, record("train", "common", number=1, split=TRAIN)])
    assert run.result("split")["facts"]["labels_only_in_test"]["note"].endswith(f", {304:032x}, …")
    check = Check(name="every label tested was trained", fact="split.labels_only_in_test", at_most=0)
    assert evaluate_check(check, {check.fact: written}).why == written.note
    for note in (
        f"{written.note} of Ada",
        written.note.replace("that no", "of Ada that no"),
        "labels that no training record has",
    ):
        assert evaluate_check(check, {check.fact: written.model_copy(update={"note": note})}).why == ""
