"""Conflicts before their owners: who sees which, what decided, and hostile texts shown harmlessly."""

import io
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from rich.console import Console

from infra.cli.data.conflicts import _show
from tasks.core.errors import InputError, Refused
from tasks.core.escaping import escape_hidden
from tasks.core.files import write_json
from tasks.core.layout import EXPERIMENT_TIER
from tasks.inquiry.access import Access
from tasks.inquiry.conflicts import html_page, pairs
from tasks.inquiry.conflicts.text_diff import DiffPiece, diff_texts
from tasks.policy.people import People
from tasks.sources.resolved_sources import ResolvedSource, ResolvedSources
from tests.stages.data.build import TODAY, Run, record, source

NEAR = {"near_duplicates": {"jaccard": 0.8, "conflict_jaccard": 0.8}}
LONG = "My card was lost in town on Friday evening and I need another one as soon as that can be done"
PEOPLE = People.model_validate(
    {
        "people": [
            {"id": "ada", "name": "Ada", "roles": ["data_owner"]},
            {"id": "bob", "name": "Bob", "roles": ["data_owner"]},
            {"id": "auditor", "name": "Eve", "roles": ["risk_officer"]},
        ]
    }
)
HOSTILE = '<script>alert(1)</script> "><img src=x onerror=alert(2)> [bold]x[/bold] \x1b[31mred {{ 7*7 }} \u202egnp.exe'


def two(first: str = LONG, second: str = LONG, **fields: Any) -> list[dict[str, Any]]:
    """Records of source a and source b that contradict each other; `fields` are the second's."""
    return [
        record(first, "card_lost", 1, source_id="a", effective_from=date(2025, 1, 1)),
        record(second, "card_block", 2, source_id="b", **{"effective_from": date(2025, 1, 1)} | fields),
    ]


ASIDE = {"a": {"contradictions": "put_aside"}}


def judged(run: Run, records: list[dict[str, Any]], authority: int = 0, says: Any = ASIDE) -> None:
    """Deduplicated; a is Ada's and b Bob's, whose authority is `authority`; a risk officer may look at both. Source a
    puts contradictions aside."""
    records = [*records, record("What are your opening hours", number=99, source_id="a")]
    run.deduplicate(records, {"a": 0, "b": authority, "c": 0}, says, **NEAR)
    owners = {"a": ("ada", 0), "b": ("bob", authority), "c": ("ada", 0)}
    pinned = [
        ResolvedSource(
            source=source("x", id=name, owner=owner, steward=owner, access=["risk_officer"], authority=rank),
            sha256="0" * 64, bytes=1,
        )
        for name, (owner, rank) in owners.items()
    ]  # fmt: skip
    resolved = ResolvedSources(sources=pinned, as_of=TODAY, vault="0" * 32)
    write_json(run.layout.sources_path, resolved.model_dump(mode="json"))
    places = [{"record_id": r["record_id"], "source_id": r["source_id"], "row": n} for n, r in enumerate(records, 11)]
    run.put_rows(places)


@pytest.mark.attack(rights="stage", stopped="a text is shown as of the source that its row says")
def test_a_text_that_changes_its_source_is_shown_to_nobody(tmp_path: Path) -> None:
    """`rows.parquet` says whose it is, `clean` has the text: code of a run writes both."""
    run = Run(tmp_path)
    judged(run, [each | {"source_id": "a"} for each in two()])
    assert found(run, "ada").pairs
    path = run.layout.artefacts("clean") / "records.parquet"
    rows = [row | {"source_id": "b"} for row in pq.read_table(path).to_pylist()]
    pq.write_table(pa.Table.from_pylist(rows, schema=pq.read_schema(path)), path)
    with pytest.raises(Refused, match="disagree about the source"):
        found(run, "ada")


@pytest.mark.attack(rights="stage", stopped="records of an experiment are for who may see all its sources")
def test_an_experiment_says_of_no_record_who_may_see_it(tmp_path: Path) -> None:
    """Its own code says which source a record is of; `c` is Ada's as well, and `b` is Bob's."""
    run = Run(tmp_path / ".hallmark" / "runs" / "r1")
    judged(run, [each | {"source_id": "a"} for each in two()])
    assert found(run, "ada").pairs, "of a governed run she may see what is of her source"
    write_json(run.layout.authority_path, {"tier": EXPERIMENT_TIER})
    assert found(run, "auditor").pairs
    with pytest.raises(
        Refused, match=r"ada may see none .* those of an experiment are for who may see all .* b as well"
    ):
        found(run, "ada")


def found(run: Run, who: str = "auditor", most: int = 20, kind: pairs.Kind = "all") -> pairs.Conflicts:
    person = PEOPLE.get(who)
    assert person is not None
    return pairs.find_conflicts(run.layout, run.access(person), most, kind)


@pytest.mark.parametrize(("says", "kept"), [(ASIDE, False), ({}, True)])
def test_a_pair_that_nothing_decides_is_shown_once_with_both_records(run: Run, says: Any, kept: bool) -> None:
    judged(run, two(), says=says)
    assert found(run, kind="undecided") == found(run)
    shown = found(run)
    (pair,) = shown.pairs
    assert (shown.total, shown.withheld, pair.decided_by, pair.jaccard) == (1, 0, "", 1.0)
    sides = {side.source_id: side for side in (pair.went, pair.other)}
    assert (sides["a"].row, sides["a"].owner, sides["a"].target, sides["a"].prompt) == (11, "ada", "card_lost", LONG)
    assert (sides["b"].row, sides["b"].owner, sides["b"].effective_from) == (12, "bob", date(2025, 1, 1))
    assert sides["a"].kept == sides["b"].kept == kept
    said = ("both are kept", "both kept") if kept else ("neither is kept", "neither kept")
    assert said[0] in terminal(found(run)) and said[1] in html_page.render_conflicts_page(found(run))


def test_a_possible_contradiction_comes_last_and_is_no_undecided_one(tmp_path: Path) -> None:
    run = Run(tmp_path)
    judged(run, [*two(), record("How do I change my address?", "yes", 3, source_id="a")])
    path = run.layout.artefacts("deduplicate") / "conflicts.parquet"
    table = pq.read_table(path)
    ids = [record("", number=number)["record_id"] for number in (3, 99)]
    possible = [
        {"record_id": ids[0], "rule": "conflict_paraphrased", "other": ids[1], "jaccard": None, "likeness": 0.83}
    ]
    pq.write_table(pa.Table.from_pylist([*possible, *table.to_pylist()], schema=table.schema), path)
    assert [pair.likeness for pair in found(run).pairs] == [None, 0.83]
    assert [pair.likeness for pair in found(run, kind="undecided").pairs] == [None]
    (pair,) = found(run, kind="paraphrased").pairs
    assert pair.went.kept and pair.other.kept and pair.jaccard is None
    assert "prompts 83% alike in meaning: possible contradiction, both are kept" in terminal(found(run))
    page = html_page.render_conflicts_page(found(run))
    assert "prompts 83% alike in meaning" in page and "Undecided of those shown: 1;" in page


@pytest.mark.parametrize(
    ("fields", "authority", "why"),
    [
        ({}, 2, "higher authority, 2 over 0"),
        ({"effective_from": date(2026, 1, 1)}, 0, "newer date, 2026-01-01 over 2025-01-01"),
        ({"effective_from": date(2026, 1, 1)}, 2, "higher authority, 2 over 0"),
    ],
)
def test_what_decided_is_said(run: Run, fields: dict[str, Any], authority: int, why: str) -> None:
    judged(run, two(**fields), authority)
    (pair,) = found(run).pairs
    assert pair.other.source_id == "b" and pair.other.kept and not pair.went.kept
    assert pair.decided_by == why
    assert found(run, kind="undecided").total == 0


def test_only_who_may_see_both_sources_sees_a_pair(run: Run) -> None:
    other = "How much would a loan of ten thousand cost me over the next four years, and what if I pay it back early"
    own = [
        record(other, "one", 3, source_id="a", effective_from=date(2025, 1, 1)),
        record(other, "two", 4, source_id="c", effective_from=date(2025, 1, 1)),
    ]
    judged(run, [*two(), *own])
    assert (found(run).total, found(run).withheld) == (2, 0)
    assert (found(run, "ada").total, found(run, "ada").withheld) == (1, 1)
    assert {found(run, "ada").pairs[0].went.source_id, found(run, "ada").pairs[0].other.source_id} == {"a", "c"}
    with pytest.raises(Refused, match=r"bob may see none of the 2 conflicts .* of a, c$"):
        found(run, "bob")


def test_more_than_asked_for_are_counted(run: Run) -> None:
    asked = ["Where is the bill of last month", "Why was I charged twice for it", "Who can raise the limit of mine"]
    judged(run, [
        record(text, label, 2 * number + which, source_id="a")
        for number, text in enumerate(asked) for which, label in enumerate(("x", "y"))
    ])  # fmt: skip
    shown = found(run, "ada", most=2)
    assert (len(shown.pairs), shown.total) == (2, 3)
    assert "2 of 3 pairs" in html_page.render_conflicts_page(shown)


def test_a_run_that_did_not_look_says_so(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="has no conflicts here"):
        pairs.find_conflicts(Run(tmp_path).layout, Access(PEOPLE.people[0], frozenset(), {}), 20)


def test_hostile_texts_are_shown_and_do_nothing(run: Run) -> None:
    judged(run, two(f"{LONG} {HOSTILE}", f"{LONG} {HOSTILE}"))
    html = html_page.render_conflicts_page(found(run))
    assert "<script" not in html and "<img" not in html and "default-src 'none'" in html
    assert "&lt;script&gt;alert(1)" in html and "{{ 7*7 }}" in html and "&lt;U+202E&gt;gnp.exe" in html
    told = terminal(found(run))
    assert "[bold]x[/bold]" in told and "<U+001B>[31mred" in told
    for character in "\x1b\u202e":
        assert character not in html and character not in told


def terminal(shown: pairs.Conflicts) -> str:
    """What a person sees in a terminal without colours."""
    screen = Console(file=io.StringIO(), width=400, markup=False, highlight=False, emoji=False)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("infra.cli.data.conflicts.console", screen)
        _show(shown)
    told: str = screen.file.getvalue()  # type: ignore[attr-defined]
    return told


def test_the_terminal_shows_both_and_what_to_do(run: Run) -> None:
    judged(run, two(second=LONG.replace("evening", "evenign")))
    told = terminal(found(run))
    assert "⟦evening⟧" in told and "⟦evenign⟧" in told and "a, row 11" in told and "b, row 12" in told
    assert "undecided, neither is kept" in told and "the higher `authority` in sources.yaml" in told


@pytest.mark.parametrize(
    ("one", "other", "wanted"),
    [
        ("a b c", "a x c", [("a ", False), ("b", True), (" c", False)]),
        ("a b c d", "a x y d", [("a ", False), ("b c", True), (" d", False)]),
        ("same", "same", [("same", False)]),
        ("", "new", []),
        ("gone", "", [("gone", True)]),
    ],
)
def test_words_that_differ_are_marked(one: str, other: str, wanted: list[tuple[str, bool]]) -> None:
    ours, theirs = diff_texts(one, other)
    assert ours == [DiffPiece(*piece) for piece in wanted]
    assert "".join(piece.text for piece in theirs) == other


@pytest.mark.timeout(20)
def test_long_texts_are_compared_in_time() -> None:
    one = " ".join(f"w{n * 7 % 1009}" for n in range(60_000))
    other = " ".join(f"w{n * 11 % 997}" for n in range(60_000))
    ours, _ = diff_texts(f"begin {one} end", f"begin {other} end")
    assert [piece.differs for piece in ours] == [False, True, False]


def test_unseen_characters_are_spelled_out_and_others_left() -> None:
    assert escape_hidden("a\u200bb\x9b\u2066c") == "a<U+200B>b<U+009B><U+2066>c"
    assert escape_hidden("Grüße, שלום, 你好 👍\n\tx") == "Grüße, שלום, 你好 👍\n\tx"
