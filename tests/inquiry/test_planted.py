"""Recall and precision of what was planted: counted by hand on small runs, and no value in what is written."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.core.errors import InputError
from tasks.core.files import read_json
from tasks.inquiry.planted_defects import score, value_score
from tasks.inquiry.planted_defects.character_score import count_characters, score_categories
from tasks.inquiry.planted_defects.ground_truth import DEFECT_KINDS, PlantedValue, RowLocation
from tasks.inquiry.planted_defects.masked_spans import find_masked_spans
from tasks.inquiry.planted_defects.score import PlantedScore
from tasks.sources.protection import Protection
from tasks.stages.data.clean import clean
from tasks.stages.data.deduplicate import deduplicate
from tasks.stages.data.deduplicate.verdicts import PARENT_QUARANTINED, REASONS_BY_RULE, SYNTHETIC_COPY
from tasks.stages.data.ingest import ingest
from tasks.stages.data.protect import actions
from tasks.stages.data.protect.detected_span import DetectedSpan
from tasks.stages.evaluate.report.data_section import RULE_DESCRIPTIONS
from tests.stages.data.build import Run, params, source, table

HEADER = "source_id,row,defect,original,value\n"


def drill(run: Run, rows: list[dict[str, Any]], truth: str, **protect: str) -> PlantedScore:
    """The figures of a run over `rows` that drops trade secrets, with a truth beside them."""
    (run.root / "data.csv").write_bytes(table(rows))
    (run.root / "truth.csv").write_text(HEADER + truth)
    dropping = source("data.csv", protect={"trade_secret": "drop"} | protect)
    run.resolve(dropping, truth="truth.csv", terms={"trade_secret": ["Halcyon"]})
    for stage in (ingest, clean, deduplicate):
        stage.run(params(max_malformed_share=0.5, near_duplicates={"jaccard": 0.85}), run.layout)
    score.write_score(run.layout)
    return PlantedScore.model_validate(read_json(run.layout.measurements("planted.json")))


ROWS = [
    {"text": "Where is the card that I asked for on Monday?", "label": "card"},
    {"text": "Where is the card that I asked for on Monday?", "label": "card"},
    {"text": "   ", "label": "card"},
    {"text": "Please write to ada@example.org about the loan", "label": "loan"},
    {"text": "Is Halcyon the reason why my loan was refused?", "label": "loan"},
    {"text": "The fee was taken twice, says grace@example.org", "label": "fee"},
    {"text": "Nothing is wrong with this line at all", "label": "fee"},
]


def test_rows_are_judged_by_rule_and_by_what_is_kept(run: Run) -> None:
    truth = "src,2,duplicate,src:1,\nsrc,3,empty_prompt,,\nsrc,7,empty_prompt,,\nsrc,5,trade_secret,,Halcyon\n"
    found = {kind.defect: kind for kind in drill(run, ROWS, truth).kinds}
    assert set(found) == {"duplicate", "empty_prompt", "trade_secret"}
    duplicate = found["duplicate"]
    assert (duplicate.recall, duplicate.precision, duplicate.copies, duplicate.cited) == (1.0, 1.0, 1, 1)
    assert (found["empty_prompt"].recall, found["empty_prompt"].precision) == (0.5, 1.0)
    assert found["empty_prompt"].taken_for == {"kept": 1}
    assert found["trade_secret"].stage == "ingest" and found["trade_secret"].recall == 1.0


def test_what_was_taken_out_and_not_planted_costs_precision(run: Run) -> None:
    found = drill(run, [*ROWS, ROWS[6], ROWS[6]], "src,2,duplicate,src:1,\n")
    (duplicate,) = found.kinds
    assert (duplicate.removed, duplicate.right, duplicate.recall) == (3, 1, 1.0)


def test_values_are_judged_character_by_character(run: Run) -> None:
    truth = "src,4,email,,ada@example.org\nsrc,6,name,,twice\n"
    found = {item.category: item for item in drill(run, ROWS, truth).classes}
    assert (found["email"].truth, found["email"].hit, found["email"].values) == (15, 15, 1)
    assert (found["email"].marked, found["email"].right) == (32, 15)  # grace@example.org is not in the truth
    assert (found["name"].recall, found["name"].taken_for) == (0.0, {"kept": 5})
    assert found["all"].recall == 15 / 20


def test_a_class_that_its_source_keeps_is_not_judged(run: Run) -> None:
    truth = "src,4,email,,ada@example.org\n"
    assert [item.category for item in drill(run, ROWS, truth, email="keep").classes if item.truth] == []


def test_figures_hold_no_value(run: Run) -> None:
    drill(run, ROWS, "src,4,email,,ada@example.org\n")
    assert "ada@" not in run.layout.measurements("planted.json").read_text()


def test_without_a_truth_there_are_no_figures(run: Run) -> None:
    drill(run, ROWS, "")
    run.resolve(source("data.csv"))
    score.write_score(run.layout)
    assert not run.layout.measurements("planted.json").exists()


@pytest.mark.parametrize(
    ("truth", "said"),
    [
        ("src,4,email,,bob@example.org\n", "row 4 of source src does not hold the email"),
        ("src,4,misspelt,,\n", "expected a defect of cut_off"),
        ("src,4,ada@example.org,,\n", "line 2: expected a defect of"),
        ("src,4,email,,\n", "classes of text, and only they, a value"),
        ("src,4,duplicate,,ada@example.org\n", "classes of text, and only they, a value"),
        ("src,4\n", "expected a defect of"),
        ("src,four,duplicate,,\n", "expected a source and a row"),
        ("src,4,duplicate,12,\n", "expected a source and a row"),
        ("elsewhere,4,email,,ada@example.org\n", "no source 'elsewhere'"),
    ],
)
def test_a_truth_about_something_else_is_refused_without_its_values(run: Run, truth: str, said: str) -> None:
    with pytest.raises(InputError, match=said) as caught:
        drill(run, ROWS, truth)
    assert "@" not in str(caught.value)


def test_a_table_without_its_first_line_is_refused_without_its_values(run: Run) -> None:
    (run.root / "data.csv").write_bytes(table(ROWS))
    (run.root / "truth.csv").write_text("src,4,email,,ada@example.org\n")
    run.resolve(source("data.csv"), truth="truth.csv")
    with pytest.raises(InputError, match=r"the first line of truth\.csv is not source_id,row") as caught:
        score.write_score(run.layout)
    assert "ada" not in str(caught.value)


def test_kinds_name_rules_that_deduplicate_has_and_the_report_explains() -> None:
    named = {rule for kind in DEFECT_KINDS.values() if kind.stage == "deduplicate" for rule in kind.rules}
    of_synthetic = {SYNTHETIC_COPY, PARENT_QUARANTINED}  # the sample has no synthetic records
    assert named | of_synthetic == REASONS_BY_RULE.keys() == RULE_DESCRIPTIONS.keys()


def test_training_text_in_a_fixed_test_set_is_judged(run: Run) -> None:
    sided = [row | {"side": "train"} for row in ROWS[5:]] + [ROWS[6] | {"side": "test"}]
    (run.root / "data.csv").write_bytes(table(sided, ["text", "label", "side"]))
    (run.root / "truth.csv").write_text(HEADER + "src,2,in_test,src:3,\n")
    mapping = {"prompt": "text", "response": "label", "split": "side"}
    run.resolve(source("data.csv", mapping=mapping), truth="truth.csv")
    for stage in (ingest, clean, deduplicate):
        stage.run(params(near_duplicates={"jaccard": 0.85}), run.layout)
    score.write_score(run.layout)
    (kind,) = PlantedScore.model_validate(read_json(run.layout.measurements("planted.json"))).kinds
    assert (kind.defect, kind.recall, kind.precision, kind.cited) == ("in_test", 1.0, 1.0, 1)


def test_a_truth_that_changed_or_is_not_there_is_refused(run: Run) -> None:
    drill(run, ROWS, "")
    (run.root / "truth.csv").write_text(HEADER + "src,2,duplicate,src:1,\n")
    with pytest.raises(InputError, match="not what it was when the run was resolved"):
        score.write_score(run.layout)
    with pytest.raises(InputError, match=r"there is no file gone\.csv"):
        run.resolve(source("data.csv"), truth="gone.csv")


WORDS = st.lists(st.text("abc .[]:\n", max_size=5), min_size=1, max_size=5)
VALUES = st.lists(st.text("xyz ", min_size=1, max_size=5).filter(str.strip), min_size=5, max_size=5)


@given(words=WORDS, hidden=VALUES, category=st.sampled_from(["name", "birth_date", "health"]))
def test_what_was_replaced_is_recovered(words: list[str], hidden: list[str], category: Any) -> None:
    text, found = words[0], []
    for value, after in zip(hidden, words[1:], strict=False):
        found.append(DetectedSpan(len(text), len(text) + len(value), category))
        text += value + after
    protected = actions.replace_spans(text, found, Protection(), b"k" * 32, actions.ProtectionOutcome())
    covered = {
        i for span in find_masked_spans(text, protected) for i in range(span.start, span.end) if not text[i].isspace()
    }
    assert covered == {i for span in found for i in range(span.start, span.end) if not text[i].isspace()}


@pytest.mark.parametrize(
    ("original", "protected"), [("a", "b"), ("Hi Ada", "Hi [name] there"), ("Ada", "[name]Ada"), ("ab", "a")]
)
def test_texts_that_differ_otherwise_are_refused(original: str, protected: str) -> None:
    with pytest.raises(ValueError, match="differ"):
        find_masked_spans(original, protected)


def test_every_place_of_a_value_counts_once_and_as_a_whole_word() -> None:
    place = RowLocation("src", 1)
    planted = [PlantedValue(place, "name", "Ada"), PlantedValue(place, "name", "Ada Lee")]
    (spans,) = value_score.locate_values(planted, ["Ada Lee and Ada, not Adam"])
    assert sorted((span.start, span.end) for span in spans) == [(0, 7), (12, 15)]


def test_a_class_taken_for_another_counts_as_found() -> None:
    found = score_categories(
        count_characters("call 123 now", [DetectedSpan(5, 8, "phone")], [DetectedSpan(5, 12, "account")])
    )
    assert found["phone"].recall == 1.0 and found["phone"].marked == 0
    assert found["account"].precision == 0.5 and found["all"].precision == 0.5


def test_what_another_rule_took_is_said(run: Run) -> None:
    found = drill(run, ROWS, "src,2,near_duplicate,src:1,\n")
    assert found.kinds[0].recall == 0.0 and found.kinds[0].taken_for == {"exact_duplicate": 1}
