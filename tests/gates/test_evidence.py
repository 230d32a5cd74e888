"""What a gate looks at: figures from the right files, verdicts, digests that follow every byte."""

from pathlib import Path

import pytest

from tasks.core import code_digest
from tasks.core.errors import InputError
from tasks.core.facts import Fact
from tasks.core.files import sha256_file, tree_digest, write_json
from tasks.gates import evidence, evidence_text, missing_decisions
from tasks.gates.checks.checks import evaluate_check
from tasks.gates.evidence import Evidence, RequiredDecisions
from tasks.policy.gate_rules import CHECK_NAMES_OF_EVERY_TIER
from tasks.policy.policy import Check, WaiverRule
from tests.governed.house import House, put_result


def test_figures_come_from_results_and_measurements_under_their_names(house: House) -> None:
    for which, value in (("base", 0.1), ("champion", 0.2), ("candidate", 0.3)):
        put_result(house.layout.artefacts(f"predict/{which}"), rows=value)
        put_result(house.layout.measurements(f"predict/{which}"), latency_p95_ms=value * 1000)
    put_result(house.layout.measurements("train"), seconds=9)
    found = house.collect("evaluation").facts
    assert {name: fact.value for name, fact in found.items()} == {
        "evaluate.exact_match": 0.8,
        "measured.predict.base.latency_p95_ms": 100,
        "measured.predict.champion.latency_p95_ms": 200,
        "measured.predict.latency_p95_ms": 300,
        "measured.train.seconds": 9,
        "predict.base.rows": 0.1,
        "predict.candidate.rows": 0.3,
        "predict.champion.rows": 0.2,
        "use_case.laxer_metrics": 0,
    }
    assert "split.train_rows" in house.collect("data").facts


def test_success_metrics_judged_at_evaluation_are_checks_of_that_gate_only(house: House) -> None:
    assert [check.name for check in house.collect("evaluation").checks] == [
        "good enough",
        CHECK_NAMES_OF_EVERY_TIER["evaluation"],
        "fast",
    ]
    assert [check.name for check in house.collect("data").checks] == [
        "enough rows",
        "new fact",
        CHECK_NAMES_OF_EVERY_TIER["data"],
    ]
    assert house.collect("release").checks == []


def test_it_states_whom_policy_asks_who_may_waive_and_by_when(house: House) -> None:
    assert house.collect("evaluation").asks.model_dump() == {
        "roles": [{"role": "ml-lead", "count": 1, "owners": False}, {"role": "risk", "count": 2, "owners": False}],
        "waive": None,
        "deadline_days": 14,
        "owners": [],
        "besides_owner": None,
    }
    assert house.collect("data").asks.waive == WaiverRule(role="risk", max_days=30)


@pytest.mark.parametrize(
    ("fact", "bound", "at_least", "at_most", "optional", "verdict"),
    [
        (Fact(value=0.8), "value", 0.8, None, False, "passed"),
        (Fact(value=0.79), "value", 0.8, None, False, "failed"),
        (Fact(value=0.8), "value", None, 0.8, False, "passed"),
        (Fact(value=0.81), "value", None, 0.8, False, "failed"),
        (Fact(value=0.0), "value", None, 0, False, "passed"),
        (Fact(value=-1.0), "value", 0, None, False, "failed"),
        (Fact(value=0.9, low=0.7, high=0.95), "low", 0.8, None, False, "failed"),
        (Fact(value=0.9, low=0.8, high=0.95), "low", 0.8, None, False, "passed"),
        (Fact(value=0.1, low=0.0, high=0.3), "high", None, 0.2, False, "failed"),
        (Fact(value=0.9), "low", 0.8, None, False, "failed"),
        (Fact(value=0.9), "low", 0.8, None, True, "failed"),
        (Fact(value=0.1), "value", 0.8, None, True, "failed"),
        (None, "value", 0.8, None, False, "failed"),
        (None, "value", 0.8, None, True, "absent"),
    ],
)
def test_verdicts(fact, bound, at_least, at_most, optional, verdict) -> None:
    check = Check(name="c", fact="s.f", bound=bound, at_least=at_least, at_most=at_most, optional=optional)
    result = evaluate_check(check, {"s.f": fact} if fact else {})
    assert result.verdict == verdict
    assert result.value == (fact.value if fact else None)


@pytest.mark.parametrize(
    ("note", "why"),
    [
        (said := f"2 of 1,154 targets with a placeholder: records {'0a' * 16}, {'f1' * 16}, …", said),
        (none := "0 of 9 targets with a placeholder", none),
        ("2 of 9 targets with a placeholder: records Grace Hopper", ""),
    ],
)
def test_a_gate_says_which_records_a_figure_names_and_nothing_else_of_a_runs_own_words(note: str, why: str) -> None:
    check = Check(name="c", fact="validate.placeholders_only_in_target", at_most=0)
    result = evaluate_check(check, {check.fact: Fact(value=0.5, note=note)})
    assert (result.why, result.verdict) == (why, "failed")
    assert "is 0.5, wanted at most 0" in missing_decisions.missing_waivers([result], RequiredDecisions(
        roles=[], waive=None, deadline_days=1, owners=[], besides_owner=None
    ))[0]  # fmt: skip
    other = Check(name="c", fact="validate.other", at_most=0)
    assert evaluate_check(other, {other.fact: Fact(value=0.5, note=note)}).why == ""


def test_the_data_gate_says_what_masking_missed_of_planted_values(house: House) -> None:
    assert evidence_text.evidence_lines(house.collect("data"))["masking missed"].startswith("not measured here")
    counts = {"category": "address", "values": 16, "truth": 200, "hit": 150, "marked": 150, "right": 150}
    write_json(house.layout.measurements("planted.json"), {"kinds": [], "classes": [counts | {"taken_for": {}}]})
    found = house.collect("data")
    assert found.facts["planted.recall_address"].value == 0.75
    wanted = "address 25% (150 of 200 characters of 16 planted values)"
    assert evidence_text.evidence_lines(found)[
        "masking missed"
    ] == wanted and "masking missed" not in evidence_text.evidence_lines(house.collect("evaluation"))
    check = Check(name="c", fact="planted.recall_address", at_least=0.8)
    assert evaluate_check(check, found.facts).verdict == "failed", "policy may ask for it"
    house.layout.measurements("planted.json").write_text("{}")
    with pytest.raises(InputError, match="is not what a drill found"):
        house.collect("data")


def test_the_written_file_has_the_digest_that_decisions_bind_to(house: House) -> None:
    found = house.collect()
    path = evidence.write_evidence(found, house.layout)
    assert path == house.layout.root / "evidence" / "data.json"
    assert sha256_file(path) == evidence.evidence_digest(found)
    assert Evidence.model_validate_json(path.read_bytes()) == found
    assert found.subject.sha256 == tree_digest(house.layout.artefacts("split"))


def test_every_file_looked_at_has_its_digest(house: House) -> None:
    house.layout.params_path.write_text("x: 1")
    found = house.collect().artefacts
    assert set(found) == {
        "artefacts/ingest/result.json",
        "artefacts/split/manifest.json",
        "artefacts/split/result.json",
        "artefacts/split/test.parquet",
        "artefacts/split/train.parquet",
        "artefacts/split/train.txt",
        "inputs/sources.json",
        "params.yaml",
        "tasks",
    }
    assert found.pop("tasks") == code_digest.all_stages_digest(house.layout.root)
    assert all(sha256_file(house.layout.root / path) == digest for path, digest in found.items())


@pytest.mark.parametrize("path", ["artefacts/split/train.txt", "artefacts/ingest/result.json", "params.yaml"])
def test_one_changed_byte_changes_the_evidence(house: House, path: str) -> None:
    house.layout.params_path.write_text("x: 1")
    before = evidence.evidence_digest(house.collect())
    file = house.layout.root / path
    file.write_bytes(file.read_bytes() + b" ")
    assert evidence.evidence_digest(house.collect()) != before


def test_a_missing_figure_fails_its_check_and_raises_nothing(house: House) -> None:
    put_result(house.layout.artefacts("split"), other=1)
    check = house.collect().checks[0]
    assert (check.name, check.value, check.verdict) == ("enough rows", None, "failed")


def test_a_gate_whose_subject_is_not_there_says_which_stage_to_run(house: House) -> None:
    (house.layout.artefacts("split") / "result.json").unlink()
    with pytest.raises(InputError, match="run stage split first"):
        house.collect()


@pytest.mark.parametrize("name", ["train.parquet", "test.parquet"])
def test_the_data_gate_does_not_open_without_the_rows_that_it_counts(house: House, name: str) -> None:
    """Checks of the counts are optional, and would pass as absent."""
    (house.layout.artefacts("split") / name).unlink()
    with pytest.raises(InputError, match=r"needs train\.parquet and test\.parquet in .*; run stage split first"):
        house.collect()
    assert house.collect("evaluation").profile is None


@pytest.mark.parametrize(
    "text", ["", "{", "[]", '{"facts": []}', '{"facts": {"a": 1}}', '{"facts": {"a": {"value": "many"}}}', "\xff"]
)
def test_a_result_that_cannot_be_read_is_named(house: House, text: str) -> None:
    path = house.layout.artefacts("ingest") / "result.json"
    path.write_bytes(text.encode("latin-1"))
    with pytest.raises(InputError, match=r"ingest/result\.json"):
        house.collect()


@pytest.mark.parametrize("number", ["NaN", "Infinity", "1e999"])
def test_figures_that_are_no_numbers_are_refused(house: House, number: str) -> None:
    path = house.layout.artefacts("ingest") / "result.json"
    path.write_text(f'{{"facts": {{"rows": {{"value": {number}}}}}}}')
    with pytest.raises(InputError, match="finite number"):
        house.collect()


def test_a_symbolic_link_among_the_outputs_is_refused(house: House, tmp_path: Path) -> None:
    (house.layout.artefacts("split") / "link").symlink_to(tmp_path)
    with pytest.raises(InputError, match="symbolic link"):
        house.collect()


def test_tier_experiment_has_no_gates_and_an_unknown_tier_is_named(house: House) -> None:
    def tier(name: str) -> None:
        card = house.params.use_case.model_copy(update={"risk_tier": name})
        house.params = house.params.model_copy(update={"use_case": card})

    tier("experiment")
    with pytest.raises(InputError, match="has no gates"):
        house.collect()
    tier("unheard-of")
    with pytest.raises(InputError, match="it has experiment, low"):
        house.collect()
