"""A round from its start to its finish by commands: who sees what, and what a file with labels must be."""

import json
from pathlib import Path
from typing import Any

import pytest

from tasks.labels import entries
from tasks.labels.label_round import Handout, LabelSubmission
from tasks.ledger.ledger import open_ledger
from tests.in_process import hallmark, hallmark_json
from tests.labels.rounds import (
    ADJUDICATOR,
    ANNOTATORS,
    GOLD,
    LABELS,
    LEAD,
    export,
    fill_in,
    label_all,
    read_lines,
    start,
    status,
    submit,
    texts,
    write_lines,
)

FIRST, SECOND = ANNOTATORS


def private(project: Path, name: str, file: str) -> Any:
    return json.loads((project / ".hallmark" / "labels" / name / file).read_text())


def test_an_annotator_gets_their_items_blind_with_gold_unmarked(project: Path, begun: str, tmp_path: Path) -> None:
    rows = read_lines(export(project, begun, FIRST, tmp_path / "first.jsonl"))
    assert {row["text"] for row in rows} == {*texts(12), *(text for text, _ in GOLD)}
    assert {tuple(row) for row in rows} == {
        ("round", "annotator", "guideline", "item", "text", "labels", "label", "seconds", "note")
    }
    assert {row["label"] for row in rows} == {""} and rows[0]["labels"] == list(LABELS)
    assert "gold" not in json.dumps([{**row, "text": ""} for row in rows])
    others = read_lines(export(project, begun, SECOND, tmp_path / "second.jsonl"))
    assert [row["item"] for row in rows] != [row["item"] for row in others], "an order of their own"
    assert {row["annotator"] for row in rows} != {row["annotator"] for row in others}
    assert FIRST not in (tmp_path / "first.jsonl").read_text(), "their pseudonym stands for them"
    assert (tmp_path / "first.jsonl").stat().st_mode & 0o777 == 0o600


def test_the_ledger_has_digests_and_neither_texts_nor_pseudonyms_nor_counts_of_one(
    project: Path, begun: str, tmp_path: Path
) -> None:
    path = fill_in(export(project, begun, FIRST, tmp_path / "first.jsonl"), lambda _: "card")
    submit(project, begun, FIRST, path)
    found = {entry.kind: entry for entry in open_ledger(project / ".hallmark").entries(subject=begun)}
    assert set(found) == {entries.STARTED, entries.EXPORTED, entries.IMPORTED}
    assert found[entries.STARTED].body["person"] == LEAD and found[entries.STARTED].body["rows"] == 12
    assert found[entries.IMPORTED].body.keys() == {"sha256"}
    assert found[entries.EXPORTED].body.keys() == {"sha256", "form"}, "an annotator who exports is not named"
    told = json.dumps([entry.body for entry in found.values()])
    said = private(project, begun, "round.json")
    assert not any(one["pseudonym"] in told for one in said["annotators"]) and "message number" not in told


def test_the_folder_of_a_round_is_its_owners(project: Path, begun: str) -> None:
    folder = project / ".hallmark" / "labels" / begun
    modes = {path.relative_to(folder).as_posix(): path.stat().st_mode & 0o077 for path in folder.rglob("*")}
    assert folder.stat().st_mode & 0o077 == 0 and set(modes.values()) == {0}


def test_work_and_speed_are_shown_to_the_lead_alone(project: Path, begun: str, tmp_path: Path) -> None:
    path = export(project, begun, FIRST, tmp_path / "first.jsonl")
    rows = read_lines(path)
    write_lines(path, [row | {"label": "bill", "seconds": place} for place, row in enumerate(rows[:5])])
    submit(project, begun, FIRST, path)
    first, second = status(project, begun)["annotators"]
    assert (first["assigned"], first["labelled"], first["median_seconds"], first["versions"]) == (15, 5, 2, 1)
    assert (second["labelled"], second["last_import"]) == (0, None)
    for who in (*ANNOTATORS, ADJUDICATOR):
        assert status(project, begun, who)["annotators"] is None
        assert FIRST not in hallmark(project, "labels", "status", begun, "--as", who)
        told = hallmark(project, "labels", "agreement", begun, "--as", who, code=1)
        assert f"{who} does not lead round" in told
    assert FIRST in hallmark(project, "labels", "status", begun, "--as", LEAD)
    assert hallmark_json(project, "labels", "agreement", begun, "--as", LEAD)["annotators"][0]["name"] == FIRST


def test_counts_of_an_open_round_tell_an_annotator_nothing_of_others(project: Path, begun: str, tmp_path: Path) -> None:
    label_all(project, begun, tmp_path, {FIRST: lambda _: "bill", SECOND: lambda _: "card"})
    hidden = {"labelled_rows": None, "disagreements": None, "adjudicated": None}
    assert hidden.items() <= status(project, begun, FIRST).items()
    (anybody,) = hallmark_json(project, "labels", "status", begun)
    assert hidden.items() <= anybody.items()
    for who in (LEAD, ADJUDICATOR):
        assert status(project, begun, who)["disagreements"] == 12
    hallmark(project, "labels", "finish", begun, "--to", str(tmp_path / "result.jsonl"), "--as", LEAD)
    assert status(project, begun, FIRST)["disagreements"] == 12
    assert hallmark_json(project, "labels", "agreement", begun, "--as", FIRST)["annotators"] is None


def test_an_adjudicated_label_stands_if_annotators_agree_later(project: Path, begun: str, tmp_path: Path) -> None:
    label_all(project, begun, tmp_path, {FIRST: lambda _: "bill", SECOND: lambda _: "card"})
    queue = tmp_path / "queue.jsonl"
    hallmark(project, "labels", "adjudicate", begun, "--to", str(queue), "--as", ADJUDICATOR)
    rows = read_lines(queue)
    submit(project, begun, FIRST, fill_in(tmp_path / f"{begun}-{FIRST}.jsonl", lambda _: "card"))
    write_lines(queue, [row | {"label": "other"} for row in rows[:1]])
    hallmark(project, "labels", "adjudicate", begun, "--from", str(queue), "--as", ADJUDICATOR)
    hallmark(project, "labels", "finish", begun, "--to", str(tmp_path / "result.jsonl"), "--as", LEAD)
    found = {row["item"]: (row["label"], row["decided_by"]) for row in read_lines(tmp_path / "result.jsonl")}
    assert found.pop(rows[0]["item"]) == ("other", "adjudicator") and {*found.values()} == {("card", "agreement")}


def test_an_adjudicator_decides_on_what_annotators_disagreed_about_alone(
    project: Path, begun: str, tmp_path: Path
) -> None:
    first = {"message number 3 about something": "bill"}
    label_all(project, begun, tmp_path, {FIRST: lambda row: first.get(row["text"], "card"), SECOND: lambda _: "card"})
    queue, adjudicate = tmp_path / "queue.jsonl", ("labels", "adjudicate", begun, "--as", ADJUDICATOR)
    handed_out = read_lines(tmp_path / f"{begun}-{SECOND}.jsonl")
    agreed = next(row for row in handed_out if row["text"] == "message number 4 about something")
    forged = agreed | {
        "annotator": private(project, begun, "round.json")["adjudicators"][0]["pseudonym"],
        "label": "other",
    }
    write_lines(queue, [forged])
    assert "handed no disagreement out to" in hallmark(project, *adjudicate, "--from", str(queue), code=2)
    hallmark(project, *adjudicate, "--to", str(queue))
    write_lines(queue, [*(row | {"label": "other"} for row in read_lines(queue)), forged])
    assert "was given to somebody else" in hallmark(project, *adjudicate, "--from", str(queue), code=2)
    assert status(project, begun)["adjudicated"] == 0


@pytest.mark.attack(rights="visitor", stopped="each file of labels has random text, so its digest cannot be guessed")
def test_a_label_cannot_be_guessed_from_the_digest_of_its_file(project: Path, begun: str, tmp_path: Path) -> None:
    path = export(project, begun, FIRST, tmp_path / "first.jsonl")
    write_lines(path, [row | {"label": "bill"} for row in read_lines(path)[:1]])
    submit(project, begun, FIRST, path)
    folder = project / ".hallmark" / "labels" / begun / "documents"
    models = {"handout": Handout, "submission": LabelSubmission}
    salts = set()
    for file in folder.iterdir():
        said = next(model for name, model in models.items() if name in file.read_text()).from_bytes(file.read_bytes())
        assert said.sha256 == file.name != said.model_copy(update={"salt": ""}).sha256
        salts.add(said.salt)
    assert len(salts) == 2 and min(map(len, salts)) >= 32


def test_a_round_whose_files_are_elsewhere_does_not_hide_the_others(
    project: Path, begun: str, inputs: list[str]
) -> None:
    start(project, f"{begun}-2", inputs)
    (project / ".hallmark" / "labels" / begun).rename(project / ".hallmark" / "labels" / f"{begun}-moved")
    told = hallmark(project, "labels", "status")
    assert f"round {begun}: its files are not on this machine" in told and f"{begun}-2" in told
    (project / ".hallmark" / "labels" / f"{begun}-moved").rename(project / ".hallmark" / "labels" / begun)


def test_who_labels_is_told_to_the_lead_alone(project: Path, begun: str, tmp_path: Path) -> None:
    for name in (FIRST, "nobody"):
        told = hallmark(project, "labels", "export", begun, "--to", str(tmp_path / "x"), "--annotator", name,
                        "--as", "risk-officer", code=1)  # fmt: skip
        assert "risk-officer does not lead round" in told


def test_a_second_import_is_a_version_and_nothing_is_lost(project: Path, begun: str, tmp_path: Path) -> None:
    path = fill_in(export(project, begun, FIRST, tmp_path / "first.jsonl"), lambda _: "card")
    assert "15 labels" in submit(project, begun, FIRST, path)
    rows = read_lines(path)
    write_lines(path, [rows[0] | {"label": "bill"}, rows[1] | {"label": ""}])
    assert "1 label in round" in submit(project, begun, FIRST, path) and status(project, begun)["annotators"][0] == {
        **status(project, begun)["annotators"][0], "labelled": 15, "versions": 2
    }  # fmt: skip
    folder = project / ".hallmark" / "labels" / begun / "documents"
    kept = [json.loads(path.read_text()) for path in folder.iterdir()]
    assert sorted(len(one["labels"]) for one in kept if one["type"].endswith("label-submission:v1")) == [1, 15]


def test_each_imports_their_own_labels(project: Path, begun: str, tmp_path: Path) -> None:
    path = fill_in(export(project, begun, FIRST, tmp_path / "first.jsonl", "--annotator", FIRST), lambda _: "card")
    assert "another person of the round" in submit(project, begun, SECOND, path, code=2)
    told = hallmark(project, "labels", "import", begun, str(path), "--annotator", FIRST, "--as", LEAD, code=1)
    assert f"{FIRST} has an identity here and imports their own labels" in told
    assert "'risk-officer' is no annotator" in submit(project, begun, "risk-officer", path, code=2)
    told = hallmark(project, "labels", "export", begun, "--to", str(tmp_path / "x"), "--annotator", FIRST,
                    "--as", SECOND, code=1)  # fmt: skip
    assert f"{SECOND} does not lead round" in told and not (tmp_path / "x").exists()


def test_disagreements_are_queued_to_who_did_not_label_and_the_result_has_where_each_label_is_from(
    project: Path, begun: str, tmp_path: Path
) -> None:
    answers = {
        FIRST: lambda row: "card" if "gold card" in row["text"] else "bill",
        SECOND: lambda row: "other" if "number 3 " in row["text"] else "card" if "number 5" in row["text"] else "bill",
    }
    label_all(project, begun, tmp_path, answers)
    queue = tmp_path / "queue.jsonl"
    adjudicate = ("labels", "adjudicate", begun)
    told = hallmark(project, *adjudicate, "--to", str(queue), "--as", FIRST, code=1)
    assert f"{FIRST} labels in round {begun}, and nobody adjudicates a disagreement that is also theirs" in told
    told = hallmark(project, *adjudicate, "--to", str(queue), "--as", "risk-officer", code=1)
    assert f"risk-officer is no adjudicator of round {begun}; it has {ADJUDICATOR}" in told and not queue.exists()
    hallmark(project, *adjudicate, "--to", str(queue), "--as", ADJUDICATOR)
    rows = read_lines(queue)
    assert {row["text"][:16]: row["given"] for row in rows} == {
        "message number 3": ["bill", "other"], "message number 5": ["bill", "card"]
    }  # fmt: skip
    decided = [row for row in rows if "number 3" in row["text"]]
    write_lines(queue, [row | {"label": "other"} for row in decided])
    hallmark(project, *adjudicate, "--from", str(queue), "--as", ADJUDICATOR)
    assert (status(project, begun)["disagreements"], status(project, begun)["adjudicated"]) == (2, 1)
    result = tmp_path / "result.jsonl"
    finish = ("labels", "finish", begun, "--to", str(result))
    assert f"{FIRST} does not lead round" in hallmark(project, *finish, "--as", FIRST, code=1)
    done = hallmark_json(project, *finish, "--as", LEAD)
    assert (done["rows"], done["adjudicated"], done["open_disagreements"]) == (12, 1, 1)
    found = {row["text"]: row for row in read_lines(result)}
    three = found[texts(12)[3]]
    assert (three["label"], three["decided_by"], three["confidence"]) == ("other", "adjudicator", None)
    four, five = found[texts(12)[4]], found[texts(12)[5]]
    assert (four["label"], four["decided_by"], four["origin"], four["round"]) == ("bill", "agreement", "expert", begun)
    assert five["decided_by"] == "dawid-skene" and 0 < five["confidence"] <= 1
    said = private(project, begun, "round.json")
    names = sorted(one["pseudonym"] for one in said["annotators"])
    assert four["annotators"] == names and four["guideline_sha256"] == said["guideline"]["sha256"]
    assert (
        four["labelled_by"]
        == f"round {begun}, guideline 1 {four['guideline_sha256'][:12]}, annotators {' '.join(names)}"
    )
    assert three["labelled_by"].endswith(f", adjudicator {said['adjudicators'][0]['pseudonym']}")
    assert not {text for text, _ in GOLD} & found.keys(), "gold examples are no result"
    assert result.stat().st_mode & 0o777 == 0o600
    before = result.read_bytes()
    hallmark(project, *finish, "--method", "majority", "--as", LEAD)
    assert result.read_bytes() == before, "a finished round stays as it is"
    path = fill_in(tmp_path / f"{begun}-{FIRST}.jsonl", lambda _: "other")
    assert "is finished and takes no more labels" in submit(project, begun, FIRST, path, code=1)
    late = ("labels", "export", begun, "--to", str(tmp_path / "late.jsonl"), "--as", FIRST)
    assert "is finished and takes no more labels" in hallmark(project, *late, code=1)
    assert not (tmp_path / "late.jsonl").exists()


def test_a_round_without_all_labels_is_finished_only_on_request(project: Path, begun: str, tmp_path: Path) -> None:
    label_all(project, begun, tmp_path, {FIRST: lambda _: "bill"})
    finish = ("labels", "finish", begun, "--to", str(tmp_path / "result.jsonl"), "--as", LEAD)
    assert "lacks 15 labels of annotators" in hallmark(project, *finish, code=1)
    assert not (tmp_path / "result.jsonl").exists()
    told = hallmark(project, *finish, "--partial", "--method", "majority")
    assert "12 rows" in told and "origin: expert" in told and "labelled_by:" in told
    decided = {row["decided_by"] for row in read_lines(tmp_path / "result.jsonl")}
    assert decided == {"majority"}, "one of two annotators is no agreement"


def test_agreement_has_alpha_per_class_and_gold_of_each(project: Path, begun: str, tmp_path: Path) -> None:
    gold = dict(GOLD)
    label_all(project, begun, tmp_path, {
        FIRST: lambda row: gold.get(row["text"], "card" if "number 1" in row["text"] else "bill"),
        SECOND: lambda row: "card" if row["text"] in gold or "number 1 " in row["text"] else "bill",
    })  # fmt: skip
    report = hallmark_json(project, "labels", "agreement", begun, "--as", LEAD)
    assert report["alpha"]["items"] == 12 and 0 < report["alpha"]["value"] < 1
    assert report["alpha"]["low"] <= report["alpha"]["value"] <= report["alpha"]["high"]
    assert report["by_class"]["bill"]["value"] == pytest.approx(report["alpha"]["value"])
    assert report["by_class"]["other"]["value"] is None, "nobody gave it"
    first, second = report["annotators"]
    assert (first["right"]["value"], second["right"]["value"]) == (1, pytest.approx(1 / 3))
    told = hallmark(project, "labels", "agreement", begun, "--as", LEAD)
    assert "all rows" in told and SECOND in told and "0.333" in told
