"""Start of a round: whose rows, who is shown them, and which guideline; and its result as a source."""

import json
from contextlib import nullcontext
from pathlib import Path

import pytest

from tasks.backup import contents
from tasks.core.errors import Refused
from tasks.core.files import write_json
from tasks.core.layout import EXPERIMENT_TIER
from tasks.inquiry import access
from tasks.labels import participants
from tasks.labels import start as start_module
from tasks.labels.label_round import LabelRound, Participant, RoundSource
from tasks.labels.round_order import RoundOrder
from tasks.policy.people import Person
from tasks.runs.checkout import Checkout
from tests.in_process import hallmark, hallmark_json
from tests.labels.rounds import (
    ANNOTATORS,
    LEAD,
    export,
    fill_in,
    label_all,
    people,
    read_lines,
    start,
    texts,
    write_inputs,
)
from tests.stages.data.build import Run, record, several, worded

FIRST, SECOND = ANNOTATORS


@pytest.fixture
def inputs(tmp_path: Path) -> list[str]:
    return write_inputs(tmp_path / "in", texts(6))


GUIDELINE = slice(4, 8)
"""Options of a guideline among those of `write_inputs`."""
WRONG: dict[str, tuple[list[str], str]] = {
    "who adjudicates labels": ([*people(), "--adjudicator", FIRST], "an adjudicator is somebody who does not label"),
    "the lead labels": (people([*ANNOTATORS, LEAD]), f"{LEAD} leads the round and sees all labels"),
    "an annotator twice": (people([FIRST, FIRST]), f"each annotator is named once; twice: {FIRST}"),
    "nobody": (["--annotator", "nobody"], "'nobody' is nobody in people.yaml"),
    "an external who is somebody": (["--external", SECOND], "is in people.yaml; name them with --annotator"),
    "no annotator": (["--label", "a", "--label", "b"], "say who labels"),
    "more than all": ([*people(), "--overlap", "3"], "--overlap 3: expected 1 to 2"),
    "one label": (people(labels=["bill"]), "at least two different labels"),
    "words of an interval": ([*people(), "--scale", "interval"], "expected numbers as labels"),
    "an order of free text": ([*people(labels=[]), "--scale", "ordinal"], "give the labels in their order"),
    "gold of another label": (people(labels=["bill", "other"]), "row 1: its label is not one of this round"),
    "two places of rows": ([*people(), "--run", "none"], "either --run RUN or --rows FILE"),
    "a hidden character": (people(labels=["bill", "o\u202eo"]), "it holds the character <U+202E>"),
}  # fmt: skip


@pytest.mark.parametrize("case", WRONG)
def test_what_cannot_be_a_round_is_refused_and_nothing_is_written(project: Path, inputs: list[str], case: str) -> None:
    more, said = WRONG[case]
    if case == "two places of rows":  # the run has to exist to be named
        Run(project / ".hallmark" / "runs" / "none").split([record(f"text {n}", "yes", n) for n in range(20)])
    told = start(project, "wrong", inputs, *more, code=2)
    assert said in told and "Traceback" not in told
    assert not (project / ".hallmark" / "labels" / "wrong").exists()


@pytest.mark.parametrize(
    ("file", "text", "said"),
    [
        ("rows.jsonl", '{"text": "a"}\n{"no": 1}\n', "rows.jsonl: row 2: expected text in column `text`"),
        ("rows.jsonl", '{"text": "a"\n', "rows.jsonl: line 1 is not JSON"),
        ("rows.jsonl", "words\nmore\n", "expected CSV with a column `text`, or JSON Lines"),
        ("rows.jsonl", '{"text": " "}\n', "row 1: column `text` is empty"),
        ("rows.jsonl", '{"id": "x", "text": "a"}\n{"id": "x", "text": "b"}\n', "row 2: its `id` stands in an earlier"),
        ("rows.jsonl", "", "rows.jsonl: expected CSV with a column"),
        ("gold.csv", "text,label\na,\n", "gold.csv: row 1: column `label` is empty"),
        ("gold.csv", "text,label\na,bill\na,card\n", "two gold examples have the same text"),
        ("guideline.md", " \n", "guideline.md: it is empty"),
    ],
)
def test_a_wrong_file_is_named_with_its_row(
    project: Path, inputs: list[str], tmp_path: Path, file: str, text: str, said: str
) -> None:
    (tmp_path / "in" / file).write_text(text)
    assert said in start(project, "wrong", inputs, code=2)


def test_a_version_of_a_guideline_is_one_text(project: Path, inputs: list[str], tmp_path: Path) -> None:
    start(project, "first-text", inputs)
    start(project, "same-text", inputs)
    (tmp_path / "in" / "guideline.md").write_text("A bill is a bill, and a card is a bill.\n")
    told = start(project, "other-text", inputs, code=1)
    assert "version 1 of guideline.md was another text in round first-text" in told
    start(project, "other-text", [*inputs[:-1], "2"])
    assert "round first-text was started already" in start(project, "first-text", [*inputs[:-1], "2"], code=2)


def test_a_row_with_the_text_of_a_gold_example_is_left_out(project: Path, tmp_path: Path) -> None:
    inputs = write_inputs(tmp_path / "in", [*texts(3), "gold thanks"])
    told = start(project, "twice", inputs)
    assert "3 rows for 2 annotators" in told and "1 row left out, equal to a gold example" in told


def run_of_messages(project: Path, name: str) -> Run:
    """A run with a dataset of source `messages`, which the tiny project declares."""
    run, rows = Run(project / ".hallmark" / "runs" / name), 20
    said = {"source_id": "messages", "language": "en"}
    run.split([record(f"Parcel {n} of [name:abcdefghijkl]", "secret target", n, **said) for n in range(rows)])
    run.put_rows([{"record_id": f"{n:032x}", "source_id": "messages", "row": n + 1} for n in range(rows)])
    return run


def test_rows_of_a_run_have_no_targets_and_need_access(project: Path, inputs: list[str], tmp_path: Path) -> None:
    run_of_messages(project, "labelled")
    of_run = ["--run", "labelled", *inputs[GUIDELINE], "--sample", "12"]
    told = start(project, "of-run", of_run, code=1)
    assert f"{FIRST} may not look at records of messages" in told, "an annotator has to be let see the source"
    named = ["--annotator", "demo-data-owner", "--external", "Ada L.", "--label", "a", "--label", "b"]
    other = hallmark(project, "labels", "start", "of-run", *of_run, *named, "--as", "risk-officer", code=1)
    assert "risk-officer may not look at records of messages" in other
    assert "12 rows for 2 annotators" in start(project, "of-run", of_run, *named)
    rows = read_lines(export(project, "of-run", "demo-data-owner", tmp_path / "rows.jsonl"))
    assert len(rows) == 12 and "secret target" not in json.dumps(rows) and "[name:abcdefghijkl]" in rows[0]["text"]
    of_lead = hallmark(project, "labels", "export", "of-run", "--to", str(tmp_path / "x"), "--as", LEAD, code=2)
    assert "no annotator of round of-run" in of_lead
    by_lead, ada = ("--annotator", "Ada L.", "--as", LEAD), tmp_path / "ada"
    hallmark(project, "labels", "export", "of-run", "--to", str(ada), *by_lead)
    assert "Ada" not in ada.read_text()
    fill_in(ada, lambda _: "a")
    assert "12 labels" in hallmark(project, "labels", "import", "of-run", str(ada), *by_lead)


def test_rows_of_a_withdrawn_source_are_handed_to_nobody(project: Path, inputs: list[str], tmp_path: Path) -> None:
    run_of_messages(project, "taken-back")
    of_run = ["--run", "taken-back", *inputs[GUIDELINE], "--annotator", "demo-data-owner", "--overlap", "1"]
    start(project, "taken-back", of_run[:-2], *of_run[-2:])
    hallmark(project, "data", "withdraw", "messages", "--reason", "a test", "--as", LEAD)
    target = tmp_path / "rows.jsonl"
    export = ("labels", "export", "taken-back", "--to", str(target), "--as", "demo-data-owner")
    assert "rows of a withdrawn source are not labelled" in hallmark(project, *export, code=1)
    assert not target.exists()
    assert "withdrawn source" in start(project, "after", of_run[:-2], *of_run[-2:], code=1)
    hallmark(project, "data", "withdraw", "messages", "--restore", "--reason", "a test", "--as", LEAD)
    hallmark(project, *export)


def test_a_run_whose_files_disagree_about_a_source_hands_nothing_out(project: Path, inputs: list[str]) -> None:
    run = run_of_messages(project, "disagrees")
    run.put_rows([{"record_id": f"{n:032x}", "source_id": "other", "row": n + 1} for n in range(20)])
    named = ["--annotator", "demo-data-owner", "--overlap", "1"]
    told = start(project, "disagrees", ["--run", "disagrees", *inputs[GUIDELINE]], *named, code=1)
    assert "files of run disagrees disagree about the source of a record" in told


def test_only_the_owner_shows_rows_to_an_external(project: Path, inputs: list[str]) -> None:
    run_of_messages(project, "owned")
    of_run = ["--run", "owned", *inputs[GUIDELINE], "--external", "Ada", "--overlap", "1"]
    told = hallmark(project, "labels", "start", "not-mine", *of_run, "--as", "demo-data-owner", code=1)
    assert "rows of messages are shown to an external by decision of its owner or steward alone" in told
    assert not (project / ".hallmark" / "labels" / "not-mine").exists()


@pytest.mark.parametrize(
    ("lead", "receiver", "refused"),
    [
        (LEAD, Participant(name="colleague", pseudonym="a-1"), "colleague may not look at records of messages"),
        (LEAD, Participant(name="demo-data-owner", pseudonym="a-1"), None),
        ("demo-data-owner", Participant(name="Ada", external=True, pseudonym="a-1"), "by decision of its owner"),
        (LEAD, Participant(name="Ada", external=True, pseudonym="a-1"), None),
    ],
)
def test_a_file_is_handed_to_who_may_read_the_rows_now(
    project: Path, lead: str, receiver: Participant, refused: str | None
) -> None:
    governed = Checkout(project).governance
    source = RoundSource(id="messages", owner=LEAD, steward=LEAD, sha256="0" * 64, location="examples/messages.csv")
    said = LabelRound.model_construct(id="r", lead=lead, sources=[source])
    actor = access.access_of_person(governed, governed.require_actor(lead))
    with pytest.raises(Refused, match=refused) if refused else nullcontext():
        participants.require_may_receive(said, receiver, actor, governed)


def test_files_of_an_external_are_the_leads_even_if_somebody_has_the_externals_name(project: Path) -> None:
    """Somebody may have come into people.yaml since the round was started."""
    governed = Checkout(project).governance
    source = RoundSource(id="messages", owner=LEAD, steward=LEAD, sha256="0" * 64, location="examples/messages.csv")
    said = LabelRound.model_construct(id="r", lead="demo-data-owner", sources=[source])
    external = Participant(name=LEAD, external=True, pseudonym="a-1")
    actor = access.access_of_person(governed, governed.require_actor(LEAD))
    with pytest.raises(Refused, match=f"{LEAD} does not lead round r; demo-data-owner does"):
        participants.require_may_receive(said, external, actor, governed)
    for who, refused in ((LEAD, "does not lead round r"), ("demo-data-owner", None)):
        with pytest.raises(Refused, match=refused) if refused else nullcontext():
            participants.require_may_import(said, external, who)
    with pytest.raises(Refused, match=f"{LEAD} has an identity here"):
        participants.require_may_import(said, external.model_copy(update={"external": False}), "demo-data-owner")


@pytest.mark.parametrize(
    ("source_id", "owner_then", "lead", "is_refused"),
    [
        ("messages", "demo-data-owner", "demo-data-owner", True),
        ("messages", "demo-data-owner", LEAD, False),
        ("gone", "demo-data-owner", "demo-data-owner", False),
    ],
)
def test_the_owner_of_today_decides_on_externals(
    project: Path, source_id: str, owner_then: str, lead: str, is_refused: bool
) -> None:
    """The owner of then decides about a source that is declared no longer."""
    governed = Checkout(project).governance
    source = RoundSource(id=source_id, owner=owner_then, steward=owner_then, sha256="0" * 64, location="x.csv")
    said = LabelRound.model_construct(id="r", lead=lead, sources=[source])
    actor = access.access_of_person(governed, governed.require_actor(lead))
    with pytest.raises(Refused, match="by decision of its owner or steward alone") if is_refused else nullcontext():
        participants.require_may_receive(said, Participant(name="Ada", external=True, pseudonym="a"), actor, governed)


@pytest.mark.attack(rights="stage", stopped="who labels records of an experiment may see all of its sources")
def test_of_an_experiment_all_sources_are_those_of_the_round(tmp_path: Path) -> None:
    """Its code could say of a record that it is of the source that the lead may see."""
    run = Run(tmp_path / ".hallmark" / "runs" / "tried")
    run.root.mkdir(parents=True)
    rows = {"tickets": worded("tickets", 2), "chats": worded("chats", 2)}
    run.resolve(*several(run.root, rows, access=["reader"], steward="steward"))
    owner, reader = (Person(id=who, name=who, roles=[role]) for who, role in ((LEAD, "data_owner"), ("eve", "reader")))
    order = RoundOrder("r", tmp_path / "g.md", "1", [FIRST], run=run.layout, sources=["tickets"])
    assert [each.id for each in start_module._round_sources(order, run.access(owner))] == ["tickets"]
    write_json(run.layout.authority_path, {"tier": EXPERIMENT_TIER})
    assert [each.id for each in start_module._round_sources(order, run.access(reader))] == ["tickets", "chats"]
    with pytest.raises(Refused, match=f"{LEAD} may not look at records of chats"):
        start_module._round_sources(order, run.access(owner))


@pytest.mark.parametrize("spelling", ["Colleague", " colleague ", "ｃolleague"])
def test_an_external_is_nobody_of_people_yaml(project: Path, inputs: list[str], spelling: str) -> None:
    words = ["--external", spelling, "--annotator", "ml-engineer", "--adjudicator", "product-owner"]
    assert "is in people.yaml" in start(project, "twice", inputs, *words, code=2)


def test_a_changed_file_of_a_round_is_refused(project: Path, inputs: list[str], tmp_path: Path) -> None:
    start(project, "changed", inputs)
    path = project / ".hallmark" / "labels" / "changed" / "rows.jsonl"
    before = path.read_bytes()
    path.write_bytes(before.replace(b"message number 3", b"message number 4"))
    told = hallmark(project, "labels", "export", "changed", "--to", str(tmp_path / "x"), "--as", FIRST, code=1)
    assert "rows.jsonl is not the file that the ledger names" in told and not (tmp_path / "x").exists()
    path.unlink()
    assert "cannot be read" in hallmark(project, "labels", "status", "changed", code=1)
    path.write_bytes(before)


def test_an_unknown_round_is_named(project: Path, tmp_path: Path) -> None:
    told = hallmark(project, "labels", "status", "../../keys", code=2)
    assert "there is no round of labels '../../keys'" in told


def test_a_backup_has_the_rounds(project: Path, inputs: list[str], tmp_path: Path) -> None:
    start(project, "kept", inputs)
    hallmark(project, "backup", str(tmp_path / "backup"))
    assert contents.read_manifest(tmp_path / "backup").files.keys() >= {
        f"state/labels/kept/{name}" for name in ("round.json", "rows.jsonl", "gold.jsonl", "assignment.json")
    }


def test_the_result_is_a_source_whose_records_have_round_guideline_and_annotators(
    project: Path, tmp_path: Path
) -> None:
    start(project, "a-source", write_inputs(tmp_path / "in", texts(6)))
    label_all(project, "a-source", tmp_path, dict.fromkeys(ANNOTATORS, lambda row: "card"))
    result = tmp_path / "result.jsonl"
    told = hallmark(project, "labels", "finish", "a-source", "--to", str(result), "--as", LEAD)
    allowed = sorted({row["labelled_by"] for row in read_lines(result)})
    assert all(f"- {json.dumps(each)}" in told for each in allowed)
    run = Run(tmp_path / "run")
    run.root.mkdir()
    done = run.ingest(
        result.read_bytes(),
        "experts.jsonl",
        kind="jsonl",
        mapping={"prompt": "text", "response": "label", "labelled_by": "labelled_by"},
        constants={"task": "triage", "language": "en", "origin": "expert"},
        labels={"labelled_by": allowed},
    )
    records = run.records_of("ingest")
    assert done.counts.records == len(records) == 6
    assert {(one["origin"], one["labelled_by"]) for one in records} == {("expert", allowed[0])}
    assert {one["messages"][1]["content"] for one in records} == {"card"}


def test_numbers_have_an_interval_scale_and_free_text_has_any_label(project: Path, tmp_path: Path) -> None:
    inputs = write_inputs(tmp_path / "in", texts(8), gold=[("gold one", "1"), ("gold ten", "10.5")])
    numbers = people(labels=["1", "3", "10.5"])
    start(project, "numbers", inputs, *numbers, "--scale", "interval")
    label_all(project, "numbers", tmp_path, {
        FIRST: lambda row: "1" if row["text"] < "message number 4" else "10.5",
        SECOND: lambda row: "1" if row["text"] < "message number 5" else "3",
    })  # fmt: skip
    report = hallmark_json(project, "labels", "agreement", "numbers", "--as", LEAD)
    assert report["scale"] == "interval" and report["alpha"]["value"] is not None
    start(project, "free", inputs, *people(labels=[]))
    path = fill_in(export(project, "free", FIRST, tmp_path / "free.jsonl"), lambda row: f"about {row['text'][-9:]}")
    assert "10 labels" in hallmark(project, "labels", "import", "free", str(path), "--as", FIRST)
    assert hallmark_json(project, "labels", "agreement", "free", "--as", LEAD)["by_class"] == {}


def test_the_list_has_every_round_without_who_labels(project: Path, inputs: list[str]) -> None:
    start(project, "listed", inputs)
    found = {one["round"]: one for one in hallmark_json(project, "labels", "status")}
    assert found["listed"]["annotators"] is None and found["listed"]["state"] == "open"
    assert "listed" in hallmark(project, "labels", "status")
