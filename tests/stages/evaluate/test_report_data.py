"""The report's data section: rows by stage, sources, protected text, repetitions, suites, and what was planted."""

from datetime import date

import pytest

from tasks.core.files import write_json
from tasks.core.layout import Layout
from tasks.sources.resolved_sources import ResolvedSource, ResolvedSources
from tasks.stages.evaluate.report import data_section, rendering
from tasks.stages.evaluate.report.stage_results import ProtectedText, RowCounts, StageResults
from tests.stages.data.build import source
from tests.stages.evaluate import house
from tests.stages.evaluate.browser import Page, page_of


def test_the_data_section_counts_what_came_and_what_was_taken_out(answered: Layout) -> None:
    counts = {"rows": 10, "records": 7, "quarantined": {"not_json": 1, "missing_target": 2}}
    found = {"protected": {"name": 3, "birth_date": 5}, "actions": {"name": "tokenise", "birth_date": "generalise"}}
    found["detected"] = {"ner": {"name": {"found": 3, "added": 2}}}
    write_json(
        answered.artefacts("ingest") / "result.json", {"sources": [{"id": "tickets", "counts": counts, **found}]}
    )
    deduplicated = {"rows": 7, "records": 6, "quarantined": {"near_duplicate": 1}}
    write_json(answered.artefacts("deduplicate") / "result.json", {"by_source": {"tickets": deduplicated}})
    drawn = {"rows": 7, "records": 6, "quarantined": {}, "not_drawn": 1}
    split = {"counts": drawn, "train_rows": 5, "test_rows": 2}
    write_json(answered.artefacts("split") / "result.json", split)
    expectation = {
        "type": "expect_column_values_to_not_be_null",
        "column": "prompt",
        "why": "a message has words",
        "success": False,
        "unexpected_count": 4,
    }
    suite = {"suite": "tickets", "source": None, "rows": 7, "success": False, "expectations": [expectation]}
    write_json(answered.artefacts("validate") / "result.json", {"suites": [suite]})
    page = page_of(answered)
    text = page.text
    assert "ingest tickets 10 7 3 0 missing target 2, not json 1" in text
    assert "deduplicate tickets 7 6 1 0 near duplicate 1" in text
    assert "split all 7 6 0 1" in text
    assert "birth date generalise 5 5 name tokenise 3 3" in text
    assert "By it alone tickets ner name 3 2" in text
    assert ("aria-label", "ingest: 10 rows in, 7 kept, 3 quarantined") in page.attributes
    assert "5 train rows, 2 test rows." in text
    assert "✗ 1 failed tickets whole dataset, 7 rows, 0 of 1 expectations met" in text
    assert "✗ prompt column values to not be null a message has words 4" in text


def test_a_bar_is_as_long_as_the_rows_that_its_stage_got() -> None:
    flows = (
        RowCounts("ingest", "a", 60, 50, (("retired", 10),)),
        RowCounts("ingest", "b", 40, 30, (("not_json", 4), ("retired", 6))),
        RowCounts("clean", "a", 80, 80, ()),
    )
    ingest, clean = data_section.stage_bars(StageResults(flows=flows))
    assert (ingest.kept, ingest.aside, clean.kept, clean.aside) == (80.0, 20.0, 80.0, 0.0)
    assert ingest.flow.quarantined == (("retired", 16), ("not_json", 4))
    assert data_section.stage_bars(StageResults()) == ()


def test_a_class_has_a_figure_for_every_source() -> None:
    sources = [
        ProtectedText("a", (("name", "tokenise", 3),)),
        ProtectedText("b", (("name", "mask", 1), ("iban", "mask", 5))),
    ]
    iban, name = data_section.protected_classes(sources)
    assert (iban.counts, iban.actions) == ((0, 5), ("mask",))
    assert (name.counts, name.actions, name.total) == ((3, 1), ("mask", "tokenise"), 4)


@pytest.mark.parametrize(("refresh_days", "badge"), [(10, "stale"), (500, "fresh")])
def test_sources_have_an_owner_a_licence_and_an_age(answered: Layout, refresh_days: int, badge: str) -> None:
    dated = [house.row(number, effective_from=date(2025, 12, 1)) for number in range(4)]
    house.write_split(answered, dated, [house.row(9, effective_from=date(2025, 12, 24))])
    house.write_answers(answered, {"base": house.right, "candidate": house.right})
    named = {"owner": "ada", "licence": "CC0-1.0", "refresh_days": refresh_days}
    pinned = [
        ResolvedSource(source=source("f.csv", id=name, **named), sha256="0" * 64, bytes=1)
        for name in ("tickets", "chats", "letters")
    ]
    resolved = ResolvedSources(sources=pinned, as_of=date(2026, 3, 1), vault="0" * 32)
    write_json(answered.sources_path, resolved.model_dump(mode="json"))
    text = page_of(answered).text
    assert f"chats ada CC0-1.0 internal consent 3 2025-12-24 {badge}" in text
    assert f"tickets ada CC0-1.0 internal consent 2 2025-12-01 {badge}" in text
    assert "letters ada CC0-1.0 internal consent 0 no dates" in text


def test_repetitions_are_said_with_the_rule_that_decides(answered: Layout) -> None:
    counts = {"rows": 9, "records": 5, "quarantined": {"conflict": 3, "near_test": 1}}
    told = {
        "by_source": {"a": counts},
        "kept": "the newer one",
        "near_pairs": 4,
        "clusters": 2,
        "contradictions_kept": 3,
        "paraphrases": 2,
    }
    write_json(answered.artefacts("deduplicate") / "result.json", told)
    text = page_of(answered).text
    assert "Kept is the newer one." in text
    assert "conflict the same question and another target than a record of higher authority, or newer 3" in text
    assert "4 pairs of prompts were found near-identical; 2 groups" in text
    assert "3 records stay though another one that stays answers the same question otherwise" in text
    assert "2 pairs of records that stay may ask the same in other words" in text


PLANTED = {
    "kinds": [
        {"stage": "clean", "defect": "empty_prompt", "planted": 4, "found": 3, "removed": 6, "right": 3}
        | {"taken_for": {"kept": 1}}
    ],
    "classes": [
        {"category": name, "values": 2, "truth": 40, "hit": 30, "marked": 32, "right": 30, "taken_for": {"name": 4}}
        for name in ("all", "email")
    ],
}


def with_beside(layout: Layout) -> tuple[Page, Page]:
    """The digested page and the one for people, with what lies beside a run."""
    write_json(layout.measurements("planted.json"), PLANTED)
    docs = layout.artefacts("validate") / "docs" / "index.html"
    docs.parent.mkdir(parents=True)
    docs.write_text("<p>Data Docs</p>")
    suite = {"suite": "tickets", "source": None, "rows": 7, "success": True, "expectations": []}
    write_json(layout.artefacts("validate") / "result.json", {"suites": [suite]})
    digested = page_of(layout)
    return digested, Page(rendering.write_report(layout, *house.sections()).read_text())


def test_only_the_page_for_people_says_what_was_planted_and_found(answered: Layout) -> None:
    digested, page = with_beside(answered)
    assert "Planted and found" not in digested.text
    assert "clean empty prompt 4 75.0 50.0 not found 1" in page.text
    assert page.text.index("email 2 75.0 93.8 name 4") < page.text.index("all 2 75.0 93.8 name 4")
    assert page.open == []


def test_only_the_page_that_lies_beside_data_docs_links_there(answered: Layout) -> None:
    digested, page = with_beside(answered)
    links = [value for name, value in page.attributes if name == "href" and not value.startswith("#")]
    assert [(answered.root / "measured" / link).resolve().read_text() for link in links] == ["<p>Data Docs</p>"]
    assert all(value.startswith("#") for name, value in digested.attributes if name == "href")
