"""Editions of one text: the version in force stays."""

import datetime
from typing import Any

import pytest

from tasks.core.records.record import read_table, write_table
from tasks.sources.column_mapping import ColumnMapping
from tasks.stages.data.deduplicate import deduplicate
from tests.stages.data.build import Run, jsonl, messages, params, record
from tests.stages.data.repetitions import LONG, NEW, OLD, OTHER, rules


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ({"text": f"# Policy v1\n{LONG}"}, {"text": f"# Policy v2\n{LONG}"}),
        ({"text": f"{LONG}\nVersion 2.1\n5 EUR"}, {"text": f"{LONG}\nVersion 3, replaces version 2.1\n7 EUR"}),
        ({"text": LONG}, {"text": f"{LONG} (updated 2025-03)"}),
        ({"text": f"{LONG}. Gültig ab 1.1.2024."}, {"text": f"{LONG}. Neu ab 1. März 2025."}),
        ({"text": LONG, "label": "The fee is 5"}, {"text": LONG, "label": "The fee is 7 (valid from 2025-03-01)"}),
        ({"text": LONG, "retired_at": NEW}, {"text": LONG + "."}),
    ],
)
def test_the_version_in_force_stays(run: Run, old: dict[str, Any], new: dict[str, Any]) -> None:
    pair = [record(number=1, effective_from=OLD, **old), record(number=2, effective_from=NEW, **new)]
    run.deduplicate(pair)
    assert rules(run) == {1: ("superseded", 2)}


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ({"text": f"{LONG} (Version 9)"}, {"text": f"{LONG} (Version 10)"}),
        ({"text": f"Policy v1\n\n{LONG}, and 5 more"}, {"text": f"Policy v2\n\n{LONG}"}),
        ({"text": f"{LONG}\nupdated 2025-02"}, {"text": f"{LONG}\nupdated 2025-03"}),
        ({"text": f"{LONG} (v1)", "label": "The fee is 5"}, {"text": f"{LONG} (v2)", "label": "The fee is 7"}),
        ({"text": LONG, "label": "The fee is 5 (v1)"}, {"text": LONG, "label": "The fee is 7 (v2)"}),
        (
            {"text": f"{LONG}. Valid from March 2025.", "label": "The fee is 5"},
            {"text": f"{LONG}. Valid from April 2025.", "label": "The fee is 7"},
        ),
    ],
)
def test_without_dates_the_edition_that_the_texts_name_decides(
    run: Run, old: dict[str, Any], new: dict[str, Any]
) -> None:
    result = run.deduplicate([record(number=1, **old), record(number=2, **new), record(OTHER, number=3)])
    assert rules(run) == {1: ("superseded", 2)}
    assert "newer edition" in result.kept


def test_editions_are_of_one_text_about_one_person(run: Run) -> None:
    people = ["[name:k3v9x2ab7dqm]", "[name:aaaabbbbcccc]"]
    run.deduplicate([record(f"Contract of {who}\nv{n}\n{LONG}", number=n) for n, who in enumerate(people, start=1)])
    assert rules(run) == {}
    asked = [record(f"{LONG}, in room {n}", f"Go left (v{n})", n) for n in (1, 2)]
    run.deduplicate(asked)
    assert rules(run) == {}, "editions of two answers to two questions"


def test_dates_alone_make_editions_where_the_source_says_so(run: Run) -> None:
    pair = [record(f"{LONG} for 14 days", number=1, effective_from=OLD)]
    pair.append(record(f"{LONG} for 30 days", number=2, effective_from=NEW))
    run.deduplicate(pair)
    assert rules(run) == {}
    run.deduplicate(pair, says={"src": {"editions": "dated"}})
    assert rules(run) == {1: ("superseded", 2)}


@pytest.mark.parametrize(
    ("documents", "expected"),
    [
        (["fees", "terms"], {}),
        (["fees", "fees"], {1: ("superseded", 2)}),
        (["fees", None], {1: ("superseded", 2)}),
        ([None, None], {1: ("superseded", 2)}),
    ],
)
def test_texts_of_other_documents_are_no_editions(run: Run, documents: list[str | None], expected: Any) -> None:
    """Near-identical texts, and one that differs in its edition alone."""
    for old, new in ((f"{LONG} for 14 days", f"{LONG} for 30 days"), (f"{LONG} (v1)", f"{LONG} (v2)")):
        pair = [record(old, "yes", 1, effective_from=OLD), record(new, "no", 2, effective_from=NEW)]
        run.put("clean", pair, says={"src": {"editions": "dated"}})
        rows = run.records_of("ingest", "rows")
        run.put_rows([{**row, "document": name} for row, name in zip(rows, documents, strict=True)])
        deduplicate.run(params(near_duplicates={"jaccard": 0.8, "conflict_jaccard": None}), run.layout)
        assert rules(run) == expected, old


@pytest.mark.parametrize("courtesy", ["", "please "])
def test_a_text_is_outdated_by_its_document_though_another_has_the_newer_text_too(run: Run, courtesy: str) -> None:
    """The newer text of its document is removed, as an exact or a near-duplicate of the other one's."""
    newest, middle, oldest = (datetime.date(year, 1, 1) for year in (2025, 2024, 2020))
    three = [
        record(LONG, "thirty days", 1, effective_from=newest),
        record(courtesy + LONG, "thirty days", 2, effective_from=middle),
        record(LONG, "fourteen days", 3, effective_from=oldest),
    ]
    run.put("clean", three, says={"src": {"editions": "dated"}})
    rows = run.records_of("ingest", "rows")
    run.put_rows([{**row, "document": name} for row, name in zip(rows, ("terms", "fees", "fees"), strict=True)])
    deduplicate.run(params(near_duplicates={"conflict_jaccard": None}), run.layout)
    assert rules(run) == {2: ("near_duplicate" if courtesy else "exact_duplicate", 1), 3: ("superseded", 1)}


def test_rows_that_an_earlier_version_wrote_are_of_no_document(run: Run) -> None:
    run.put("clean", [record(f"{LONG} (v{number})", number=number) for number in (1, 2)])
    path = run.layout.artefacts("ingest") / "rows.parquet"
    write_table(read_table(path).drop_columns(["document"]), path)
    deduplicate.run(params(), run.layout)
    assert rules(run) == {1: ("superseded", 2)}


def test_a_document_is_told_by_a_keyed_digest_of_its_name_and_heading(run: Run) -> None:
    named = [("a.md", "Fees"), ("a.md", "Fees"), ("a.md", "Terms"), ("b.md", "Fees"), ("", "Fees"), ("b.md", None)]
    mapping = {"prompt": "text", "response": "label", "document": "document", "heading": "heading"}
    rows = [each | {"document": d, "heading": h} for each, (d, h) in zip(messages(6), named, strict=True)]
    run.ingest(jsonl(rows), kind="jsonl", mapping=mapping)
    digests = [row["document"] for row in run.records_of("ingest", "rows")]
    assert digests[0] == digests[1] and len(set(digests)) == 5 and digests[4] is None
    assert "a.md" not in str(digests) and all(len(each) == 32 for each in digests if each)
    run.ingest(jsonl(rows), kind="jsonl", mapping={"prompt": "text", "response": "label"})
    assert {row["document"] for row in run.records_of("ingest", "rows")} == {None}


def test_a_heading_needs_a_document_and_neither_changes_mappings_without() -> None:
    assert "document" not in ColumnMapping(text="text").model_dump(mode="json")
    with pytest.raises(ValueError, match="`heading` is of a `document`: map that too"):
        ColumnMapping(text="text", heading="heading")


def test_a_retired_record_without_a_successor_stays(run: Run) -> None:
    run.deduplicate([record(LONG, number=1, retired_at=NEW), record(OTHER, number=2)])
    assert rules(run) == {}
