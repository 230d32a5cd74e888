"""A file with labels is imported whole or not at all, in each form in which it was handed out."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.labels.rounds import ANNOTATORS, export, fill_in, people, read_lines, start, status, submit, write_lines

FIRST, SECOND = ANNOTATORS
WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "an unknown annotator": ({"annotator": "a-nobody"}, "annotator 'a-nobody' is unknown"),
    "a changed text": ({"text": "message number 3 about another thing"}, "was changed"),
    "another guideline": ({"guideline": "2 0123456789ab"}, "2 versions of the guideline"),
    "another round": ({"round": "other"}, "it is of round 'other'"),
    "an item of nobody": ({"item": "i-unknown"}, "item 'i-unknown' is not in the round"),
    "a label that is not allowed": (
        {"label": "bil"},
        "label 'bil' is not allowed; allowed are 'bill', 'card', 'other'",
    ),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_wrong_row_is_named_and_nothing_is_imported(project: Path, begun: str, tmp_path: Path, case: str) -> None:
    change, said = WRONG[case]
    path = fill_in(export(project, begun, FIRST, tmp_path / "first.jsonl"), lambda _: "card")
    rows = read_lines(path)
    write_lines(path, [row | change if place == 6 else row for place, row in enumerate(rows)])
    told = submit(project, begun, FIRST, path, code=2)
    assert said in told and "nothing was imported" in told and "another thing" not in told
    assert "line 7: " in told
    assert status(project, begun)["annotators"][0]["labelled"] == 0


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ('"seconds": null', '"seconds": 1' + "0" * 400, "expected a number of seconds"),
        ('"label": "card"', '"label": 1' + "0" * 400, "the number in `label` is too large"),
        ('"note": ""', r'"note": "\ud83d"', "half of a character"),
        ('"label": ""', r'"label": "\ud83d"', "is not allowed"),
    ],
)
def test_what_no_file_can_hold_is_refused_in_words(
    project: Path, begun: str, tmp_path: Path, before: str, after: str, said: str
) -> None:
    label = "" if before.endswith('""') and "label" in before else "card"
    path = fill_in(export(project, begun, FIRST, tmp_path / "first.jsonl"), lambda _: label)
    path.write_text(path.read_text().replace(before, after, 1))
    assert said in submit(project, begun, FIRST, path, code=2)


def test_two_versions_of_a_guideline_are_refused_even_if_all_rows_are_of_another(
    project: Path, begun: str, tmp_path: Path
) -> None:
    path = fill_in(export(project, begun, FIRST, tmp_path / "first.jsonl"), lambda _: "card")
    write_lines(path, [row | {"guideline": "2 0123456789ab"} for row in read_lines(path)])
    told = submit(project, begun, FIRST, path, code=2)
    assert "it was labelled by guideline '2 0123456789ab', and the round has 1 " in told


def test_an_item_twice_or_of_somebody_else_is_refused(
    project: Path, name: str, inputs: list[str], tmp_path: Path
) -> None:
    start(project, name, inputs, *people(), "--overlap", "1")
    path = fill_in(export(project, name, FIRST, tmp_path / "first.jsonl"), lambda _: "card")
    rows, other = read_lines(path), read_lines(export(project, name, SECOND, tmp_path / "second.jsonl"))
    write_lines(path, [*rows, rows[2]])
    assert f"item {rows[2]['item']} stands in the file 2 times" in submit(project, name, FIRST, path, code=2)
    strange = next(row for row in other if row["item"] not in {row["item"] for row in rows})
    write_lines(path, [rows[0] | {"item": strange["item"], "text": strange["text"]}])
    assert "was given to somebody else" in submit(project, name, FIRST, path, code=2)
    write_lines(path, [row | {"label": " "} for row in rows])
    assert "has no labels yet" in submit(project, name, FIRST, path, code=2)


@pytest.mark.parametrize("form", ["xlsx", "label-studio"])
def test_a_file_of_another_form_is_imported_as_it_comes_back(
    project: Path, begun: str, tmp_path: Path, form: str
) -> None:
    path = export(project, begun, FIRST, tmp_path / "file", "--form", form)
    if form == "xlsx":
        from openpyxl import load_workbook

        with path.open("rb") as file:
            book = load_workbook(file)
        for row in book["items"].iter_rows(min_row=2):
            row[5].value = "card"
        book.save(path)
    else:
        tasks = json.loads(path.read_text())
        value = {"from_name": "label", "to_name": "text", "type": "choices", "value": {"choices": ["card"]}}
        for task in tasks:
            task["annotations"] = [{"result": [value], "lead_time": 3, "was_cancelled": False}]
        path.write_text(json.dumps(tasks))
    assert "15 labels" in submit(project, begun, FIRST, path)
