"""Profile of a dataset: what is missing in a segment, and how far it lies from the one approved last."""

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from pydantic import ValidationError

from infra.console.rendering import make_template_environment
from tasks.core.errors import InputError
from tasks.core.files import sha256_bytes
from tasks.core.json_text import canonical_json
from tasks.core.layout import Layout
from tasks.core.params.coverage import CoverageRule, smallest_asked_share
from tasks.core.params.params import Params
from tasks.core.params.prompts import Prompt
from tasks.core.records.record import RECORD_SCHEMA, write_table
from tasks.gates.checks.checks import evaluate_check
from tasks.gates.dataset_profile import profile_facts, reading
from tasks.gates.dataset_profile.coverage import coverage_gaps
from tasks.gates.dataset_profile.profile import RARE, DatasetProfile, fold_rare
from tasks.gates.dataset_profile.shift import measure_shift, measure_shifts
from tasks.policy.gate_rules import Check
from tasks.policy.policy import load_policy
from tasks.policy.tier import Tier
from tasks.runs.requests.expected_failures import find_low_coverage_demands
from tasks.sources.dataset import Dataset
from tests.stages.data.build import params, record
from tests.tiny_project import ROOT


def put(
    root: Path, train: list[dict[str, Any]], test: list[dict[str, Any]], asked: Params | None = None
) -> reading.DatasetCounts:
    layout = Layout(root)
    for side, rows in (("train", train), ("test", test)):
        table = pa.Table.from_pylist(rows, schema=RECORD_SCHEMA)
        write_table(table, layout.artefacts("split") / f"{side}.parquet")
    counts = reading.count_dataset(layout, asked or params())
    assert counts is not None
    return counts


def rows(kind: str, count: int, **fields: Any) -> list[dict[str, Any]]:
    return [record("x" * (n % 40 + 1), number=n, kind=kind, **fields) for n in range(count)]


def rule(**fields: Any) -> CoverageRule:
    return CoverageRule.model_validate({"task": "triage", "kind": "refuse", "at_least": 0.05} | fields)


def test_a_segment_without_enough_of_a_kind_is_named_with_both_numbers(tmp_path: Path) -> None:
    train = [
        *rows("answer", 98),
        *rows("refuse", 2),
        *rows("answer", 40, language="de"),
        *rows("refuse", 2, language="de"),
    ]
    test = [*rows("answer", 19), *rows("refuse", 1), *rows("answer", 19, language="de")]
    cells = put(tmp_path, train, test).cells
    assert list(coverage_gaps([rule(by="language")], cells)) == [
        "train, task triage, language de: 2 of 42 records are refuse, required 3",
        "train, task triage, language en: 2 of 100 records are refuse, required 5",
    ], "19 German records in the test are too few to be judged"
    assert list(coverage_gaps([rule(by="language", at_least=0.02, min_segment_rows=19)], cells)) == [
        "test, task triage, language de: 0 of 19 records are refuse, required 1"
    ]
    assert list(coverage_gaps([rule(at_least=0.02, kind="clarify", task="other")], cells)) == [
        f"{side}, task other: no record, so no clarify" for side in ("train", "test")
    ]
    places = {("train", "refuse"): 7, ("train", "answer"): 93, ("test", "refuse"): 1}
    exact = Counter({reading.Cell(side, "triage", kind, "", ""): count for (side, kind), count in places.items()})
    assert list(coverage_gaps([rule(at_least=0.07)], exact)) == [], "0.07 * 100 is no more than 7"


@pytest.mark.parametrize(
    ("before", "now", "distance", "significant", "real"),
    [
        ({"en": 500, "de": 500}, {"en": 500, "de": 500}, 0.0, False, False),
        ({"en": 50_000, "de": 50_000}, {"en": 51_000, "de": 49_000}, 0.01, True, False),  # significant, of no matter
        ({"en": 5, "de": 5}, {"en": 8, "de": 2}, 0.3, False, False),  # large, and chance
        ({"en": 900, "de": 100}, {"en": 500, "de": 500}, 0.4, True, True),
        ({"en": 900}, {"de": 900}, 1.0, True, True),
        ({"en": 900}, {"en": 900}, 0.0, False, False),
    ],
)
def test_a_check_of_the_low_end_flags_what_is_large_and_no_chance(
    before: dict[str, int], now: dict[str, int], distance: float, significant: bool, real: bool
) -> None:
    found = measure_shift("language", before, now)
    assert found.distance == pytest.approx(distance) and found.low <= distance <= found.high
    assert (found.p_value is not None and found.p_value < 0.001) is significant
    check = Check(name="languages as before", fact="shift.language", bound="low", at_most=0.05, optional=True)
    result = evaluate_check(check, profile_facts.shift_facts([found], "run-1"))
    assert result.verdict == ("failed" if real else "passed") and "of run run-1" in result.why
    assert evaluate_check(check, {}).verdict == "absent", "the first dataset has nothing to compare with"


def test_chance_alone_stays_below_the_low_end() -> None:
    """Two samples of 77 labels from one distribution, fifty times: the low end is 0 each time."""
    draw, shares = np.random.default_rng(1), np.arange(1, 78) / np.arange(1, 78).sum()
    for size in (300, 3000):
        for _ in range(25):
            first, second = (draw.multinomial(size, shares).tolist() for _ in range(2))
            pair = [{str(place): count for place, count in enumerate(counts)} for counts in (first, second)]
            assert measure_shift("label", *pair).low == 0


def test_lengths_are_compared_in_the_bins_of_the_earlier_dataset(tmp_path: Path) -> None:
    before = put(tmp_path / "a", rows("answer", 400), rows("answer", 40))
    histogram = before.to_profile().lengths["prompt_chars"]
    assert histogram.edges == [0, 4, 8, 12, 16, 20, 24, 28, 32, 36, 40] and histogram.counts == [0, *[44] * 10, 0]
    now = put(tmp_path / "b", rows("answer", 400), [record("x" * 39, number=n) for n in range(440)])
    shifts = {each.field: each for each in measure_shifts(before.to_profile(), now.to_profile(), now)}
    assert list(shifts) == ["language", "department", "geography", "label", "prompt_chars", "target_chars"]
    assert [each.value for each in shifts["prompt_chars"].values[-2:]] == ["37 to 40", "41 or more"]
    assert shifts["prompt_chars"].values[-2].now == pytest.approx((40 + 440) / 840)
    assert shifts["prompt_chars"].low > 0.3 and shifts["label"].distance == 0


def profile_of_lengths(lengths: dict[int, int]) -> tuple[DatasetProfile, reading.DatasetCounts]:
    counts = reading.DatasetCounts()
    counts.lengths["prompt_chars"].update(lengths)
    return counts.to_profile(), counts


@pytest.mark.parametrize(
    ("before", "now", "distance", "moved"),
    [
        ({10: 500}, {5_000: 500}, 1.0, "10 to 10 100.0% → 0.0%; 11 or more 0.0% → 100.0%"),
        ({10: 500}, {3: 500}, 1.0, "0 to 9 0.0% → 100.0%; 10 to 10 100.0% → 0.0%"),
        ({0: 500}, {1: 500}, 1.0, "0 to 0 100.0% → 0.0%; 1 or more 0.0% → 100.0%"),
        ({10: 500}, {10: 400}, 0.0, ""),
        (dict.fromkeys(range(10, 20), 50), {9: 500}, 1.0, "0 to 9 0.0% → 100.0%; 10 to 10 10.0% → 0.0%"),
        (dict.fromkeys(range(10, 20), 50), {20: 500}, 1.0, "20 or more 0.0% → 100.0%; 10 to 10 10.0% → 0.0%"),
    ],
)
def test_lengths_beyond_the_shortest_and_the_longest_of_the_earlier_dataset_are_a_shift(
    before: dict[int, int], now: dict[int, int], distance: float, moved: str
) -> None:
    reference, (profile, counts) = profile_of_lengths(before)[0], profile_of_lengths(now)
    found = {each.field: each for each in measure_shifts(reference, profile, counts)}["prompt_chars"]
    assert found.distance == distance and found.moved_text(2) == moved


def test_an_empty_dataset_has_no_lengths() -> None:
    assert profile_of_lengths({})[0].lengths["prompt_chars"].counts == [0]


@pytest.mark.parametrize(("labels", "size"), [(300, 15_000), (80, 400)])
def test_rare_values_of_two_samples_of_one_distribution_are_no_shift(labels: int, size: int) -> None:
    """Chance decides which values are named, in each of the two samples."""
    draw = np.random.default_rng(2)
    for _ in range(10):
        pair = [
            fold_rare({str(place): count for place, count in enumerate(counts.tolist()) if count})
            for counts in draw.multinomial(size, np.full(labels, 1 / labels), 2)
        ]
        assert all(RARE in side for side in pair) and pair[0].keys() != pair[1].keys()
        found = measure_shift("label", *pair)
        assert found.low == 0 and (found.rows_before, found.rows_now) == (size, size)
    gone = {value: rows for value, rows in pair[0].items() if value != RARE}
    assert measure_shift("label", gone, {"other": size}).distance == 1, "nothing is folded without rare values"


def test_values_with_too_few_rows_for_the_test_do_not_make_it_certain() -> None:
    found = measure_shift("language", {"a": 1000, "b": 1000}, {"a": 10, "b": 10, "c": 1})
    assert found.p_value is not None and found.p_value > 0.1
    assert measure_shift("language", {"a": 1000}, {"a": 20, "b": 1}).p_value is None, "one pair is left"
    many = measure_shift("language", {"a": 1000, "b": 1000}, {"a": 500, "b": 500, "c": 300})
    assert many.p_value is not None and many.p_value < 1e-9, "values with enough rows are tested"


def test_rare_values_and_labels_are_not_named(tmp_path: Path) -> None:
    assert fold_rare({"en": 5, "Ada Lovelace": 4, "Grace Hopper": 3}) == {"en": 5, RARE: 7}
    assert fold_rare({"en": 5, RARE: 6, "fr": 1}) == {"en": 5, RARE: 7}, "no row of a value with that name is lost"
    assert len(fold_rare({f"v{n}": 5 for n in range(300)})) == 201
    made = put(tmp_path, [record("ask", "Ada Lovelace", n, geography="eu") for n in range(9)], rows("answer", 1))
    assert "Ada" not in made.to_profile().model_dump_json()


def test_a_file_that_a_run_damaged_is_named(tmp_path: Path) -> None:
    put(tmp_path, rows("answer", 3), rows("answer", 3))
    path = Layout(tmp_path).artefacts("split") / "test.parquet"
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(InputError, match=r"test.parquet: cannot be counted .*; run stage split again"):
        reading.count_dataset(Layout(tmp_path), params())


def prompts_of(**fields: Any) -> dict[str, Prompt]:
    return {"triage": Prompt(**fields), "other": Prompt()}


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"version": 2, "system": "a"}, ""),
        ({"version": 3, "system": "b"}, ""),
        ({"version": 2, "system": "b"}, "version 2"),
        ({"version": 1, "system": "b"}, "version 1"),
        ({"version": 1, "system": "a"}, ""),
        ({"system": "b"}, "no version"),
        ({"system": "a"}, ""),
    ],
)
def test_a_changed_prompt_needs_a_higher_version(fields: dict[str, Any], said: str) -> None:
    approved = profile_facts.prompt_versions(prompts_of(version=2, system="a"))
    assert list(approved) == ["triage"]
    asked, now = params().model_copy(update={"prompts": prompts_of(**fields)}), reading.DatasetCounts()
    fact = profile_facts.template_facts(asked, dataset_with({}), now, approved)["templates.reused_version"]
    wanted = f"prompts.triage differs from the approved version 2 and has {said}; give it version 3" if said else ""
    assert (fact.value, fact.note) == (int(bool(said)), wanted)


def test_a_version_does_not_return_with_another_content() -> None:
    """A task without a version, or left out, keeps the one approved last, so it cannot be dropped and reused."""
    approved = profile_facts.prompt_versions(prompts_of(version=2, system="a"))
    for between in (prompts_of(system="a"), prompts_of(version=1, system="a"), {"other": Prompt()}):
        known = profile_facts.known_versions(approved, between)
        assert known == approved and profile_facts.reused_versions(known, prompts_of(version=2, system="b"))
    later = profile_facts.known_versions(approved, prompts_of(version=3, system="b"))
    assert later["triage"].version == 3 and not profile_facts.reused_versions(later, prompts_of(version=3, system="b"))


def test_the_digest_of_a_prompt_covers_what_its_version_covers() -> None:
    """A field of a later Hallmark version with a default, or a default that is written out, changes no digest."""
    cites: dict[str, Any] = {"form": "§{digits}"}
    response: dict[str, Any] = {"form": "text", "citation": cites}
    written = response | {"labels": [], "fields": {}, "citation": cites | {"kinds": ["answer"]}}
    made = [
        profile_facts.prompt_versions({"a": Prompt.model_validate({"version": 1, **fields})})["a"].sha256
        for fields in ({"response": response}, {"response": written, "system": ""}, {"text_window": 64}, {})
    ]
    assert made[0] == made[1] == sha256_bytes(canonical_json({"response": response}))
    assert made[2] == made[3] == sha256_bytes(b"{}")


def test_the_smallest_share_over_the_tasks_is_what_policy_sees() -> None:
    rules = [rule(), rule(by="language", at_least=0.5), rule(task="other", at_least=0.02)]
    assert smallest_asked_share(rules, ["triage", "other"], "refuse") == 0.02
    assert smallest_asked_share(rules, ["triage", "other", "third"], "refuse") == 0
    assert smallest_asked_share(rules[:2], ["triage"], "refuse") == 0.05, "a segment can have too few records"
    assert smallest_asked_share(rules[1:2], ["triage"], "refuse") == 0
    assert smallest_asked_share(rules, ["triage"], "clarify") == 0


@pytest.mark.parametrize("least", [4, 1_001])
def test_a_rule_cannot_judge_segments_that_name_people_nor_leave_out_all(least: int) -> None:
    with pytest.raises(ValidationError, match="min_segment_rows"):
        rule(by="department", min_segment_rows=least)


def test_notes_show_values_of_rows_cut_and_escaped() -> None:
    value = "Ada\x1b[31m\n" + "x" * 200
    cells = Counter({reading.Cell(side, "triage", "answer", "department", value): 30 for side in ("train", "test")})
    gap, *_ = coverage_gaps([rule(by="department")], cells)
    shift = measure_shift("department", {"loans": 500}, {value: 500}).to_fact("run-1")
    for note in (gap, shift.note):
        assert "Ada<U+001B>[31m\\n" + "x" * 51 + "…" in note and "x" * 52 not in note


def test_a_rule_of_an_unknown_task_or_given_twice_is_refused() -> None:
    for rules, words in (([rule(task="sort")], "no task in prompts is named sort"), ([rule(), rule()], "twice")):
        asked = params().model_dump(mode="json")
        asked["data"]["coverage"] = [each.model_dump() for each in rules]
        with pytest.raises(ValidationError, match=words):
            Params.model_validate(asked)


def test_the_picture_has_a_pair_of_bars_for_each_value_and_takes_no_markup() -> None:
    shift = measure_shift("department", {"<b>": 50, "loans": 50}, {"<b>": 100})
    drawn = str(make_template_environment().get_template("parts.html").module.paired_bars(shift))
    assert drawn.count("<rect") == 4 and drawn.count('class="now"') == 2 and "<b>" not in drawn
    assert [f'height="{high}"' in drawn for high in ("17.0", "34.0", "0.0")] == [True] * 3


def test_params_that_ask_for_less_than_policy_are_told_before_the_run() -> None:
    wanted = {"name": "refusals are asked for", "fact": "coverage.asked_refuse", "at_least": 0.05}
    tier = Tier.model_validate({"gates": {"data": {"checks": [wanted]}}})
    for share, told in ((None, True), (0.04, True), (0.05, False)):
        asked = params(coverage=[] if share is None else [rule(at_least=share).model_dump()])
        assert bool(list(find_low_coverage_demands(asked, tier))) is told
        fact = profile_facts.coverage_facts(asked, reading.DatasetCounts())["coverage.asked_refuse"]
        assert evaluate_check(Check.model_validate(wanted), {"coverage.asked_refuse": fact}).verdict == (
            "failed" if told else "passed"
        ), "the gate agrees"


def dataset_with(quarantined: dict[str, int]) -> Dataset:
    counts = {"clean": {"rows": 9, "records": 5, "quarantined": quarantined}}
    return Dataset.model_validate(
        {"sources": {}, "counts": counts, "rows": {}, "digests": {}, "segments": {}, "settings": {}}
    )


def test_breaches_of_templates_are_counted_in_the_rows(tmp_path: Path) -> None:
    """A run's own code writes the manifest, and can leave out the rules of `clean`."""
    label = Prompt.model_validate(
        {"version": 1, "template": "{department}: {prompt}", "response": {"form": "label", "labels": ["yes"]}}
    )
    asked = params().model_copy(update={"prompts": {"triage": label, "plain": Prompt()}})
    good, known = record("ask", department="loans"), {"department": "loans"}
    hidden = record("ask", "no", record_id="Ada Lovelace", **known)
    train = [good, hidden, record("ask", "Ada Lovelace", 1, **known), record("ask", number=2, department=None)]
    test = [good, record("ask", number=4, task="third"), record("ask", "free", 5, task="plain")]
    test += [record("ask", "no", 6, **known)]
    counts = put(tmp_path, train, test, asked)
    made = dataset_with({"missing_citation": 3, "prompt_too_short": 1, "Ada": 4})
    assert "templates.breaches" not in profile_facts.template_facts(params(), made, counts), "no task has a template"
    fact = profile_facts.template_facts(asked, made, counts)["templates.breaches"]
    assert fact.value == 5 and fact.note == (
        "in the dataset missing_template_value 1, unknown_response_label 3, unknown_task 1: records "
        f"{1:032x}, {2:032x}, {4:032x}, …; quarantined by clean missing_citation 3"
    )
    clean = put(tmp_path, [good], [good], asked)
    fact = profile_facts.template_facts(asked, made, clean)["templates.breaches"]
    assert (fact.value, fact.note) == (0, "quarantined by clean missing_citation 3"), "clean did what it should"


def test_no_shipped_policy_lets_anybody_waive_a_broken_template() -> None:
    for tier in load_policy(ROOT / "infra" / "governance").tiers.values():
        rules = tier.gates.get("data")
        for check in rules.checks if rules else []:
            if rules and check.fact.startswith("templates."):
                assert not rules.can_waive(check.name), check.name
