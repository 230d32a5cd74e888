"""Editions of one text: the version in force stays."""

from typing import Any

import pytest

from tests.stages.data.build import Run, record
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


def test_a_retired_record_without_a_successor_stays(run: Run) -> None:
    run.deduplicate([record(LONG, number=1, retired_at=NEW), record(OTHER, number=2)])
    assert rules(run) == {}
