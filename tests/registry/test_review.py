"""An expert review from its start to the evaluation gate: who is blind to what, and which result counts."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from tasks.core.errors import InputError, Refused
from tasks.core.json_text import canonical_json
from tasks.gates import evidence as evidence_module
from tasks.gates import review_validity
from tasks.gates.signed_review import ENTRY_KIND, REVIEW_KIND
from tasks.labels import handout
from tasks.labels.forms.table import FORMS
from tasks.labels.label_round import FormName
from tasks.review import answer_order, finish, recorded, results
from tasks.review.recorded import ReviewedAnswers
from tasks.trust import dsse
from tests.in_process import hallmark, hallmark_json
from tests.registry import reviews
from tests.registry.conftest import After
from tests.registry.house import House
from tests.registry.reviews import ANNOTATORS, LEAD

RUN, OTHER_RUN = "run-1", "run-2"


def evaluated_with_answers(house: House) -> None:
    """Let two runs come to their evaluation gate, which asks for a review."""
    reviews.invite(house)
    for run, weights in ((RUN, b"adapter"), (OTHER_RUN, b"second")):
        layout = house.begin(run, weights)
        reviews.put_answers(house, layout)


@pytest.fixture
def house(after: After) -> House:
    return after(evaluated_with_answers)


def reviewed(house: House, tmp_path: Path, name: str = "look", run: str = RUN) -> dict[str, Any]:
    """Make a review, and return its signed result."""
    reviews.begin(house, name, house.run(run))
    entry = finish.finish_review(reviews.label(house, name, tmp_path), house.governance)
    envelope: dict[str, Any] = entry.body["envelope"]
    return envelope


def newest(house: House, run: str = RUN) -> dict[str, Any] | None:
    found = recorded.newest_review(house.ledger, house.governance, ReviewedAnswers.of_run(house.run(run)))
    return found.envelope if found else None


@pytest.mark.attack(rights="visitor", stopped="which answer of a review is whose is in no file of an annotator")
def test_a_task_file_does_not_say_which_answer_is_whose(house: House, tmp_path: Path) -> None:
    started = reviews.begin(house, "look", house.run(RUN))
    assert (started.pairs, started.contested, started.found.equal) == (12, 8, 2)
    files = reviews.read(house, "look")
    rows = reviews.task_rows(files, ANNOTATORS[0], tmp_path / "rows.jsonl")
    assert rows[0]["labels"] == ["A", "B", "both", "neither"] and len(rows) == 12
    forms: list[FormName] = ["jsonl", "label-studio"]
    task = handout.annotator_task(files, files.round.annotators[0])
    handed_out = b"".join(FORMS[form].write(task) for form in forms).decode()
    for word in ("candidate", "champion", "base", "other", "slips", RUN, "exact", "passed", "failed", "contested"):
        assert word not in handed_out
    document = json.loads((files.folder / "pairs.json").read_text())
    assert Counter(pair["first"] for pair in document["pairs"]) == {"candidate": 6, "other": 6}
    assert (files.folder / "pairs.json").stat().st_mode & 0o777 == 0o600
    public = canonical_json([entry.body for entry in house.ledger.entries()]).decode() + str(files.round.serialised)
    assert document["salt"] not in public and '"first"' not in public
    assert answer_order.draw_order(200) != answer_order.draw_order(200), "the order follows from no seed"


def test_contested_pairs_come_first_and_strata_take_turns(house: House) -> None:
    few = reviews.begin(house, "few", house.run(RUN), sample=9)
    assert (few.pairs, few.contested) == (9, 8)
    fewer = {}
    for name, seed in (("one", 1), ("again", 1), ("two", 2)):
        reviews.begin(house, name, house.run(RUN), sample=4, seed=seed)
        fewer[name] = {pair.key for pair in results.read_review(reviews.read(house, name)).pairs}
    assert fewer["one"] == fewer["again"] != fewer["two"]
    drawn = results.read_review(reviews.read(house, "one")).pairs
    strata = {(None, "en"), (None, "de"), ("slips", "de"), ("slips", "")}
    assert {(pair.suite, pair.language) for pair in drawn} == strata


def test_a_review_passes_the_gate_that_asks_for_it(house: House, tmp_path: Path) -> None:
    layout = house.run(RUN)
    house.open(layout, "data")
    asked = house.ask(layout, "evaluation")
    failed = {check.name for check in asked.checks if check.verdict == "failed"}
    assert failed == {"experts looked", "experts prefer it"} and asked.review is None
    envelope = reviewed(house, tmp_path)
    said = REVIEW_KIND.unverified_document(envelope)
    counts = (said.pairs, said.candidate, said.other, said.both, said.neither, said.split, said.equal, said.contested)
    assert counts == (12, 6, 2, 2, 2, 0, 2, 8) and said.compared_with == "champion" and said.alpha.value == 1
    assert said.preference.value == 0.75 and said.preference.low and 0.2 < said.preference.low < 0.4
    assert said.judges["exact_match"].share.value == 1 and said.judges["format_adherence"].share.value == 0.2
    assert said.judges["slips"].share.pairs == 1, "the judge failed on the other case"
    assert not any(each.pseudonym in str(said.json_value) for each in reviews.read(house, "look").round.annotators)
    again = house.ask(layout, "evaluation")
    assert again.review == envelope and again.sha256 != asked.sha256, "the gate is asked anew"
    assert all(check.verdict != "failed" for check in again.checks)
    assert again.facts["review.preference"].value == 0.75
    house.open(layout, "evaluation")
    bundle = Path(house.promote(house.package(layout)).bundle)
    (released,) = bundle.rglob("evidence/evaluation.json")
    assert json.loads(released.read_text())["review"] == envelope, "the release was verified with it"


@pytest.mark.attack(rights="approver", stopped="nobody takes part in a review of a run that they requested")
@pytest.mark.parametrize(
    "order",
    [{"lead": "engineer"}, {"annotators": ("engineer", "ben")}, {"adjudicators": ("engineer",)}],
    ids=["leads", "compares", "adjudicates"],
)
def test_who_requested_the_run_reviews_none_of_its_answers(house: House, order: dict[str, Any]) -> None:
    with pytest.raises(Refused, match="engineer requested run run-1, and nobody reviews answers of their own run"):
        reviews.begin(house, "own", house.run(RUN), **order)
    assert not (house.state / "labels" / "own").exists()


@pytest.mark.attack(rights="approver", stopped="who can see whose an answer is decides no disagreement about it")
def test_the_lead_does_not_adjudicate(house: House) -> None:
    with pytest.raises(InputError, match="zoe leads the review and can see whose an answer is; name another"):
        reviews.begin(house, "own", house.run(RUN), adjudicators=(LEAD,))
    reviews.begin(house, "look", house.run(RUN), adjudicators=())
    assert reviews.read(house, "look").round.adjudicators == []


def signed(house: House, envelope: dict[str, Any], who: str = LEAD, **said: Any) -> dict[str, Any]:
    """A result as somebody signs it who says something else than their labels."""
    other = REVIEW_KIND.unverified_document(envelope).model_copy(update={"person": who, **said})
    return dsse.sign_statement(
        REVIEW_KIND.statement(REVIEW_KIND.model.model_validate(other.model_dump())), house.key(who)
    )


@pytest.mark.attack(rights="database", stopped="a review counts for its own answers, once, and as its labels say")
def test_a_result_that_is_forged_replayed_or_of_other_answers_does_not_count(house: House, tmp_path: Path) -> None:
    reviews.begin(house, "given-up", house.run(RUN))
    envelope = reviewed(house, tmp_path)
    assert REVIEW_KIND.unverified_document(envelope).rounds == 2
    assert newest(house) == envelope and newest(house, OTHER_RUN) is None
    digests = ReviewedAnswers.of_run(house.run(OTHER_RUN))
    forged = {
        "replayed on another run": (OTHER_RUN, envelope),
        "signed again for another run": (OTHER_RUN, signed(house, envelope, **digests._asdict())),
        "by who requested the run": (RUN, signed(house, envelope, "engineer", candidate=8)),
        "other counts than the labels": (RUN, signed(house, envelope, candidate=8, other=0)),
        "judges that agree more": (RUN, signed(house, envelope, judges={})),
        "labels that were not given": (RUN, signed(house, envelope, missing_labels=1)),
        "another environment": (RUN, signed(house, envelope, environment="production")),
        "fewer reviews than were started": (RUN, signed(house, envelope, rounds=1)),
        "another round": (RUN, signed(house, envelope, round="never")),
        "signed by nobody": (RUN, {**envelope, "signatures": [{**envelope["signatures"][0], "sig": "AAAA"}]}),
        "no document": (RUN, {"payload": 1}),
    }
    for why, (run, each) in forged.items():
        house.ledger.append(ENTRY_KIND, run, {"envelope": each})
        assert (newest(house), newest(house, OTHER_RUN)) == (envelope, None), why
    later = reviewed(house, tmp_path, "later")
    house.ledger.append(ENTRY_KIND, RUN, {"envelope": envelope})
    assert newest(house) == later, "an older review that is appended again is not the newest"
    (house.run(RUN).artefacts("evaluate") / "examples.parquet").write_bytes(b"other answers")
    assert newest(house) is None


@pytest.mark.attack(rights="database", stopped="facts of a review are those of a signed review of the run, or none")
def test_evidence_has_no_facts_of_a_review_but_those_of_its_own(house: House, tmp_path: Path) -> None:
    envelope = reviewed(house, tmp_path)
    house.open(house.run(RUN), "data")
    asked, policy = house.ask(house.run(RUN), "evaluation"), house.governance.policy
    evidence_module.verify_checks(asked, policy)
    review_validity.require_recorded_review(asked, house.ledger, house.governance)
    without = asked.model_copy(update={"review": None})
    with pytest.raises(Refused, match="are not those that policy"):
        evidence_module.verify_checks(type(asked).from_value(without.json_value), policy)
    for said, why in (
        (signed(house, envelope, run=OTHER_RUN), "is about other answers"),
        (signed(house, envelope, evaluate_sha256="0" * 64), "is about other answers"),
        (signed(house, envelope, "engineer"), "led by engineer, who requested run run-1"),
        (signed(house, envelope, "demo-owner"), "demo identity"),
    ):
        other = asked.model_copy(update={"review": said})
        with pytest.raises(Refused, match=why):
            review_validity.require_valid_review(other, house.governance, "local")
        with pytest.raises(Refused, match="the ledger does not hold the review"):
            review_validity.require_recorded_review(other, house.ledger, house.governance)


def test_disagreements_are_split_and_comments_are_the_leads(house: House, tmp_path: Path) -> None:
    reviews.begin(house, "look", house.run(RUN))
    files = reviews.read(house, "look")
    by_who = {each.pseudonym: each.name for each in files.round.annotators}
    opposite = {"A": "B", "B": "A", "both": "neither", "neither": "both"}

    def label(row: dict[str, Any]) -> str:
        said = reviews.prefer_good(row)
        return said if by_who[row["annotator"]] == ANNOTATORS[0] else opposite[said]

    reviews.label(house, "look", tmp_path, label, note="because")
    report = results.report_review(files, for_lead=True)
    assert report.overall.split == 12 and report.overall.preference.value is None and not report.judges
    assert report.alpha.value is not None and report.alpha.value < 0
    assert report.comments and len(report.comments) == 24 and {each.note for each in report.comments} == {"because"}
    assert results.report_review(files, for_lead=False).comments is None


def test_a_review_is_no_source_and_labels_are_no_review(house: House, tmp_path: Path) -> None:
    first = reviewed(house, tmp_path)
    files = reviews.read(house, "look")
    assert finish.finish_review(files, house.governance).body["envelope"] == first, "finishing again changes nothing"
    plain = files.round.model_copy(update={"review": None})
    with pytest.raises(InputError, match="round look is no review"):
        finish.finish_review(type(files)(files.folder, files.ledger, plain, {}, {}, {}), house.governance)
    reviews.begin(house, "open", house.run(RUN))
    with pytest.raises(Refused, match="has no labels yet"):
        finish.finish_review(reviews.read(house, "open"), house.governance)


def test_the_commands_show_the_result_to_the_lead_first(
    house: House, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = house.checkout()
    monkeypatch.setenv("HALLMARK_ROOT", str(root))
    named = ("--annotator", ANNOTATORS[0], "--annotator", ANNOTATORS[1], "--sample", "10", "--as", LEAD)
    told = hallmark(root, "review", "start", "look", "--run", RUN, *named)
    assert "10 pairs of candidate and champion, 8 of them contested, for 2 annotators, 2 for each pair" in told
    assert "2 with equal ones left out" in told and "Say which one you would send" in told
    task = tmp_path / "task.xlsx"
    hallmark(root, "labels", "export", "look", "--form", "xlsx", "--to", str(task), "--as", ANNOTATORS[0])
    assert task.read_bytes().startswith(b"PK")
    reviews.label(house, "look", tmp_path, note="a matter of <tone>\x1b[31m")
    results_of = ("review", "results", "look", "--as")
    assert f"{ANNOTATORS[0]} does not lead round look" in hallmark(root, *results_of, ANNOTATORS[0], code=1)
    assert "a matter of <tone>" in hallmark(root, *results_of, LEAD)
    finish_as_source = ("labels", "finish", "look", "--to", str(tmp_path / "source.jsonl"), "--as", LEAD)
    assert "say `hallmark review finish look`" in hallmark(root, *finish_as_source, code=2)
    assert f"signed by {LEAD}: entry" in hallmark(root, "review", "finish", "look", "--as", LEAD)
    shown = hallmark(root, *results_of, ANNOTATORS[0])
    assert "0.750" in shown and "exact_match" in shown and "tone" not in shown
    assert hallmark_json(root, *results_of, LEAD)["overall"]["candidate"] == 6
