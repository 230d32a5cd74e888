"""Task files in each form come back as they were handed out, and in a spreadsheet nothing is a formula."""

import io
import json
import zipfile
from pathlib import Path
from typing import Any

import pytest
from openpyxl import Workbook, load_workbook

from tasks.labels.forms import label_studio, spreadsheet
from tasks.labels.forms.table import FORMS, recognise_form
from tasks.labels.forms.task_file import FormError, TaskFile, TaskItem

HARMFUL = [
    '=HYPERLINK("http://example.invalid","x")', "+1+1", "-2+3", "@SUM(A1)", "=1", "'quoted", "-", "007", "1.0",
    "TRUE", "1/2", "#N/A", "two\nlines", "\ttab", "ünï ☃ 🙂", '{"a": 1}', "<b>&amp;</b>",
]  # fmt: skip
ITEMS = tuple(TaskItem(f"i-{number}", text) for number, text in enumerate(HARMFUL))
TASK = TaskFile("mails-1", "a-x", "=2 abc", ("=bill", "card"), ITEMS)


@pytest.mark.parametrize("name", FORMS)
def test_what_was_handed_out_is_read_back(name: Any) -> None:
    data = FORMS[name].write(TASK)
    assert recognise_form(data) == name
    found = FORMS[name].read(data)
    assert [(one.item, one.text) for one in found] == [(item.item, item.text) for item in ITEMS]
    assert {(one.round, one.annotator, one.guideline, one.label) for one in found} == {("mails-1", "a-x", "=2 abc", "")}


@pytest.mark.parametrize("name", FORMS)
def test_an_adjudicator_sees_the_labels_that_were_given(name: Any) -> None:
    task = TaskFile("mails-1", "a-x", "1 a", (), (TaskItem("i-1", "a text", ("bill", "=card")),))
    data = FORMS[name].write(task)
    shown = str(cells(data)) if name == "xlsx" else data.decode()
    assert "bill" in shown and "=card" in shown and FORMS[name].read(data)[0].text == "a text"


def cells(data: bytes) -> list[tuple[Any, ...]]:
    return list(load_workbook(io.BytesIO(data))[spreadsheet.SHEET].iter_rows(values_only=True))


def edited(change: Any) -> bytes:
    """A workbook as somebody saves it after a change."""
    book = load_workbook(io.BytesIO(spreadsheet.write(TASK)))
    change(book[spreadsheet.SHEET])
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def test_no_cell_is_a_formula() -> None:
    data = spreadsheet.write(TASK)
    book = load_workbook(io.BytesIO(data))
    for sheet in book:
        for row in sheet.iter_rows():
            assert {cell.data_type for cell in row} <= {"s", "inlineStr"} and all(cell.value is None or cell.quotePrefix
                                                                         for cell in row)  # fmt: skip
    parts = zipfile.ZipFile(io.BytesIO(data))
    assert not [name for name in parts.namelist() if "<f>" in parts.read(name).decode() or "<f " in
                parts.read(name).decode()]  # fmt: skip


def test_a_formula_that_comes_back_is_named_by_its_cell() -> None:
    def put(sheet: Any) -> None:
        sheet["F4"] = '="ca"&"rd"'

    with pytest.raises(FormError, match="cell F4 is a formula"):
        spreadsheet.read(edited(put))


def test_numbers_that_a_spreadsheet_made_of_labels_are_read() -> None:
    def put(sheet: Any) -> None:
        sheet["F2"], sheet["F3"], sheet["G2"], sheet["H2"] = 3, 2.5, 41, "a note"

    found = spreadsheet.read(edited(put))
    assert [one.label for one in found[:3]] == ["3", "2.5", ""]
    assert found[0].seconds == 41 and found[0].note == "a note"


@pytest.mark.parametrize(
    ("cell", "value", "said"),
    [("F1", "labels", "lacks the column `label`"), ("F2", True, "cell F2: expected text, got bool"),
     ("G2", "soon", "row 2: expected a number of seconds")],
)  # fmt: skip
def test_a_changed_sheet_is_named(cell: str, value: Any, said: str) -> None:
    def put(sheet: Any) -> None:
        sheet[cell] = value

    with pytest.raises(FormError, match=said):
        spreadsheet.read(edited(put))


@pytest.mark.parametrize("text", ["x" * 32_768, "a\x07bell", "a _x000D_ b", "\uffff"])
def test_a_text_that_no_cell_holds_is_refused(text: str) -> None:
    with pytest.raises(FormError, match="cannot be in a cell of a spreadsheet"):
        spreadsheet.write(TaskFile("r", "a", "g", (), (TaskItem("i", text),)))


def test_a_workbook_that_unpacks_to_more_than_any_does_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spreadsheet, "MAX_UNPACKED_BYTES", 1_000)
    with pytest.raises(FormError, match="unpacks to more than 1,000 bytes"):
        spreadsheet.read(spreadsheet.write(TASK))


def test_a_sheet_that_breaks_off_is_refused() -> None:
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(spreadsheet.write(TASK))) as whole, zipfile.ZipFile(out, "w") as broken:
        for name in whole.namelist():
            part = whole.read(name)
            broken.writestr(name, part[: len(part) // 2] if name.endswith("sheet1.xml") else part)
    with pytest.raises(FormError, match="it is no XLSX workbook"):
        spreadsheet.read(out.getvalue())


def other_workbook() -> bytes:
    out = io.BytesIO()
    Workbook().save(out)
    return out.getvalue()


@pytest.mark.parametrize(
    ("name", "data", "said"),
    [
        ("xlsx", b"PK no zip", "it is no XLSX workbook"),
        ("xlsx", other_workbook(), "it has no sheet `items`"),
        ("jsonl", b'{"item": "x"', "line 1 is not JSON"),
        ("jsonl", b"\xff{}", "it is not UTF-8"),
        ("jsonl", b'{"item": 3}', "line 1: expected text in `round`"),
        ("label-studio", b"[3]", "task 1: expected an object with `data`"),
        ("label-studio", b'[{"data": {}, "annotations": {}}]', "task 1: expected a list of objects in `annotations`"),
        ("label-studio", b"[", "it is not JSON"),
    ],
)
def test_a_file_that_is_not_in_its_form_is_named(name: Any, data: bytes, said: str) -> None:
    with pytest.raises(FormError, match=said):
        FORMS[name].read(data)


def annotated(*results: dict[str, Any], **more: Any) -> bytes:
    """A task of Label Studio as its JSON export has it."""
    data = {"round": "r", "annotator": "a", "guideline": "g", "item": "i", "text": "t"}
    annotation = {
        "id": 7,
        "completed_by": 1,
        "result": list(results),
        "was_cancelled": False,
        "lead_time": 12.5,
        **more,
    }
    task = {"id": 3, "data": data, "annotations": [annotation], "predictions": [], "project": 1}
    return json.dumps([task]).encode()


def choice(*labels: str, kind: str = "choices", key: str = "choices") -> dict[str, Any]:
    return {"id": "x", "from_name": "label", "to_name": "text", "type": kind, "value": {key: list(labels)}}


def test_an_annotation_of_label_studio_is_read() -> None:
    (found,) = label_studio.read(annotated(choice("card")))
    assert (found.label, found.seconds) == ("card", 12.5)
    (free,) = label_studio.read(annotated(choice("some words", kind="textarea", key="text")))
    assert free.label == "some words"
    (skipped,) = label_studio.read(annotated(choice("card"), was_cancelled=True))
    assert skipped.label == ""


def test_two_labels_or_annotations_of_label_studio_are_refused() -> None:
    with pytest.raises(FormError, match="task 1 has 2 labels"):
        label_studio.read(annotated(choice("card", "bill")))
    twice = json.loads(annotated(choice("card")))
    twice[0]["annotations"] *= 2
    with pytest.raises(FormError, match="task 1 has 2 annotations"):
        label_studio.read(json.dumps(twice).encode())


def test_the_interface_of_label_studio_has_the_labels() -> None:
    import xml.etree.ElementTree as ElementTree

    view = ElementTree.fromstring(label_studio.labelling_config(('a "b" <c>', "d"), shows_given=True))
    assert [each.get("value") for each in view.iter("Choice")] == ['a "b" <c>', "d"]
    assert {each.get("name") for each in view.iter("Text")} == {"text", "given"}
    assert ElementTree.fromstring(label_studio.labelling_config((), False)).find("TextArea") is not None


def test_no_form_is_none(tmp_path: Path) -> None:
    assert recognise_form(b"text,label\n") is None
