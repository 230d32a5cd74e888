"""What holds of any records, in any order."""

import random
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import strategies as st

from tasks.core.errors import InputError
from tasks.core.files import tree_manifest
from tasks.stages.data.deduplicate import deduplicate
from tests.soaking import examples
from tests.stages.data.build import Run, params, record
from tests.stages.data.repetitions import ASIDE, LONG, NEW, OLD, OTHER, planted, rules

TOGETHER: dict[str, Any] = {"near_duplicates": {"jaccard": 0.85, "conflict_jaccard": 0.85}}
PARTS = st.lists(st.sampled_from([*LONG.split()[:4], "(v2)", "2025-03-01", "!", "please", "[name]"]), max_size=3)


@st.composite
def revisions(draw: st.DrawFn) -> list[dict[str, Any]]:
    """Records of which many are near each other, with sides, dates, targets and sources in every combination."""
    fields = st.fixed_dictionaries(
        {
            "label": st.sampled_from(["yes", "no"]),
            "split": st.sampled_from(["", "", "train", "test"]),
            "source_id": st.sampled_from(["src", "manual"]),
            "task": st.sampled_from(["triage", "triage", "other"]),
            "effective_from": st.sampled_from([None, OLD, NEW]),
            "retired_at": st.sampled_from([None, None, NEW]),
        }
    )
    base = st.sampled_from([LONG, OTHER, "", "short"])
    rows = draw(st.lists(st.tuples(base, PARTS, fields), min_size=1, max_size=14))
    return [
        record(" ".join([text, *more]), number=number, **given_fields)
        for number, (text, more, given_fields) in enumerate(rows)
    ]


def judged(folder: Path, records: list[dict[str, Any]], order: Iterable[dict[str, Any]]) -> Run:
    """The stage over records in some order; each keeps the row that it has in its source."""
    run = Run(folder)
    run.put("clean", list(order), {"manual": 1}, ASIDE)
    run.put_rows([{"record_id": r["record_id"], "source_id": "src", "row": n} for n, r in enumerate(records, start=1)])
    deduplicate.run(params(**TOGETHER), run.layout)
    return run


@examples(revisions(), st.randoms(use_true_random=False), few=40)
def test_what_always_holds(
    tmp_path_factory: pytest.TempPathFactory, records: list[dict[str, Any]], dice: random.Random
) -> None:
    try:
        run = judged(tmp_path_factory.mktemp("a"), records, records)
    except InputError as error:
        assert "is left" in str(error)
        return
    gone, kept = rules(run), {int(item["record_id"], 16) for item in run.records_of("deduplicate")}
    assert sorted([*gone, *kept]) == list(range(len(records))), "every record is kept or quarantined, once"
    assert {winner for _, winner in gone.values()} - {None} <= kept, "every winner is kept"
    assert all(winner is not None or rule == "conflict_undecided" for rule, winner in gone.values())
    assert {n for n, item in enumerate(records) if item["split"] == "test"} <= kept, "a fixed test set stays whole"
    shuffled = judged(tmp_path_factory.mktemp("b"), records, dice.sample(records, len(records)))
    for name in ("quarantine", "conflicts", "clusters"):
        first, second = (r.layout.artefacts("deduplicate") / f"{name}.parquet" for r in (run, shuffled))
        assert first.read_bytes() == second.read_bytes(), "the order of the records decides nothing"
    assert run.result("deduplicate") == shuffled.result("deduplicate")


def test_the_same_records_give_the_same_bytes(run: Run) -> None:
    records, _ = planted(seed=1, groups=100)
    run.deduplicate(records)
    first = tree_manifest(run.layout.artefacts("deduplicate"))
    run.deduplicate(records)
    assert tree_manifest(run.layout.artefacts("deduplicate")) == first
