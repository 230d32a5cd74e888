"""Rows as records: the mapping, what is rejected and why, and counts that add up."""

import json
import re
from collections import Counter
from datetime import date
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import event, given
from hypothesis import strategies as st

from tasks.core.errors import InputError
from tasks.core.files import tree_manifest
from tasks.core.records.record import RECORD_SCHEMA
from tasks.sources import vault_keys
from tasks.sources.resolved_sources import load_resolved
from tasks.stages.data.ingest import ingest
from tasks.stages.data.ingest.batch_processor import BatchProcessor
from tasks.stages.data.ingest.mapping import RejectedRow, map_row_to_record
from tasks.stages.data.protect.records import ProtectionContext
from tasks.stages.data.readers.rows import Row
from tests.stages.data.build import FILE_OF, Run, jsonl, messages, params, source, table

FULL = {
    "text": "Hello",
    "label": "yes",
    "kind": "Refuse",
    "lang": "de",
    "team": "cards",
    "place": "eu",
    "tags": "pii; legal;;pii",
    "from": "2024-03-31",
    "until": "2027-01-01T10:00:00",
    "by": "team 7",
    "side": "TEST",
}
EVERY_COLUMN = {
    "mapping": {
        "prompt": "text",
        "response": "label",
        "kind": "kind",
        "language": "lang",
        "department": "team",
        "geography": "place",
        "policy_tags": "tags",
        "effective_from": "from",
        "retired_at": "until",
        "labelled_by": "by",
        "split": "side",
    },
    "constants": {"task": "triage", "policy_tags": ["bank"]},
    "labels": {"labelled_by": ["team 7"]},
}


def full(run: Run, **changes: str) -> dict[str, Any]:
    """The record of one row with every column mapped."""
    run.ingest(table([FULL | changes], list(FULL)), **EVERY_COLUMN)
    return run.records_of("ingest")[0]


def test_every_column_finds_its_place(run: Run) -> None:
    record = full(run)
    record_id = record.pop("record_id")
    assert len(record_id) == 32 and int(record_id, 16) >= 0
    assert record == {
        "source_id": "src",
        "task": "triage",
        "messages": [{"role": "user", "content": "Hello"}, {"role": "assistant", "content": "yes"}],
        "kind": "refuse",
        "language": "de",
        "department": "cards",
        "geography": "eu",
        "policy_tags": ["bank", "legal", "pii"],
        "effective_from": date(2024, 3, 31),
        "retired_at": date(2027, 1, 1),
        "subjects": [],
        "origin": "source",
        "labelled_by": "team 7",
        "split": "test",
    }


@pytest.mark.parametrize(
    ("changes", "rule"),
    [
        ({"kind": "shrug"}, "unknown_kind"),
        ({"side": "validation"}, "unknown_split"),
        ({"from": "31.03.2024"}, "bad_effective_from"),
        ({"until": "soon"}, "bad_retired_at"),
        ({"label": " \u200b "}, "missing_target"),
    ],
)
def test_a_value_outside_the_allowed_is_quarantined_without_being_quoted(
    run: Run, changes: dict[str, str], rule: str
) -> None:
    run.ingest(table([FULL, FULL | changes], list(FULL)), **EVERY_COLUMN)
    (entry,) = run.records_of("ingest", "quarantine")
    assert (entry["row"], entry["rule"]) == (2, rule)
    assert not any(value.strip("\u200b ") in entry["reason"].split() for value in changes.values())
    assert run.result("ingest")["facts"]["malformed_share"]["value"] == 0


@pytest.mark.parametrize(
    "said", [{"split": "draw"}, {"constants": {"task": "triage", "split": "train"}}], ids=["source", "constants"]
)
def test_a_source_gives_all_its_records_their_side(run: Run, said: dict[str, Any]) -> None:
    run.ingest(table([FULL]), **said)
    (record,) = run.records_of("ingest")
    assert record["split"] == said.get("split", "train")


def test_a_blank_kind_date_or_side_is_none_at_all(run: Run) -> None:
    record = full(run, kind="", side="", **{"from": "", "until": ""})
    fields = ("kind", "split", "effective_from", "retired_at")
    assert [record[field] for field in fields] == ["answer", "", None, None]


def test_a_source_without_any_target_is_refused(run: Run) -> None:
    with pytest.raises(InputError, match=r"none of its 3 rows can be used: \{'missing_target': 3\}"):
        run.ingest(table([{"text": f"a{n}", "label": ""} for n in range(3)]))


def test_a_json_target_has_the_fields_in_the_order_of_the_mapping(run: Run) -> None:
    mapping = {"prompt": "text", "response": {"queue": "q", "intent": "i", "score": "s"}}
    rows = [{"text": "a", "i": "Gebühr &amp; Co", "q": "x", "s": 3}, {"text": "b", "i": "c", "q": None, "s": 1}]
    run.ingest(jsonl(rows), kind="jsonl", mapping=mapping)
    target = run.records_of("ingest")[0]["messages"][-1]["content"]
    assert target == '{"queue": "x", "intent": "Gebühr & Co", "score": 3}'
    assert run.rules_of("ingest") == {2: "missing_target"}


HALF, PAIR = r'{"intent": "x\ud83d"}', r'{"intent": "x\ud83d\ude00"}'


@pytest.mark.parametrize(
    ("target", "rule"),
    [
        (HALF, "undecodable"),
        (HALF.replace("intent", r"\uDE00"), "undecodable"),
        (PAIR, None),
        (r'{"intent": "a path, \\ud83d"}', None),
        (r"no JSON: \ud83d", None),
    ],
)
@pytest.mark.parametrize("chat", [False, True])
def test_half_a_character_in_a_json_target_is_told_of_its_row(
    run: Run, target: str, rule: str | None, chat: bool
) -> None:
    turns = [{"role": "user", "content": "a"}, {"role": "assistant", "content": target}]
    mapping = {"messages": "chat"} if chat else {"prompt": "text", "response": "label"}
    rows: list[dict[str, Any]] = [{"text": f"a{n}", "label": "b", "chat": TURNS} for n in range(30)]
    run.ingest(jsonl([*rows, {"text": "a", "label": target, "chat": turns}]), kind="jsonl", mapping=mapping)
    assert run.rules_of("ingest") == ({31: rule} if rule else {})


def nested(depth: int) -> Any:
    value: Any = "x"
    for _ in range(depth):
        value = [value]
    return value


@pytest.mark.parametrize(
    ("mapping", "column", "rules"),
    [
        ({"prompt": "text", "response": "odd"}, "odd", {31: "not_text"}),
        ({"prompt": "text", "response": {"a": "odd", "b": "label"}}, "odd", {31: "not_text"}),
        ({"prompt": "text", "response": "label", "policy_tags": "odd"}, "odd", {31: "not_text"}),
        ({"prompt": "text", "response": "label", "policy_tags": "odd"}, "tags", {}),
    ],
)
@pytest.mark.parametrize("depth", [101, 700])
def test_what_is_nested_too_deep_is_told_of_its_row_however_much_stack_is_left(
    run: Run, mapping: dict[str, Any], column: str, rules: dict[int, str], depth: int
) -> None:
    rows: list[dict[str, Any]] = [{"text": f"a{n}", "label": "b", "odd": "c"} for n in range(30)]
    odd = {"x": nested(depth)} if column == "odd" else 7
    run.ingest(jsonl([*rows, {"text": "a", "label": "b", "odd": odd}]), kind="jsonl", mapping=mapping)
    assert run.rules_of("ingest") == rules


def test_what_is_nested_less_deep_is_a_target(run: Run) -> None:
    run.ingest(jsonl([{"text": "a", "label": nested(100)}]), kind="jsonl")
    assert json.loads(run.records_of("ingest")[0]["messages"][-1]["content"]) == nested(100)


TURNS = [
    {"role": "system", "content": "Be kind."},
    {"role": "user", "content": "Hi"},
    {"role": "assistant", "content": "Hello"},
    {"role": "user", "content": "Bye"},
    {"role": "assistant", "content": "So long"},
]


@pytest.mark.parametrize("kind", FILE_OF)
def test_chats_in_every_kind(run: Run, kind: str) -> None:
    rows = [{"chat": json.dumps(TURNS) if kind == "csv" else TURNS}]
    result = run.ingest(FILE_OF[kind](rows), kind=kind, mapping={"messages": "chat"})
    assert run.records_of("ingest")[0]["messages"] == TURNS[1:]
    assert result.sources[0].dropped_system_turns == 1


@pytest.mark.parametrize(
    ("turns", "rule"),
    [
        (TURNS[:2], "missing_target"),
        (None, "missing_target"),
        ([], "missing_target"),
        ([*TURNS[:-1], {"role": "assistant", "content": ""}], "missing_target"),
        (TURNS[2:3], "bad_messages"),
        ([{"role": "bot", "content": "x"}], "bad_messages"),
        (["Hi", "Hello"], "bad_messages"),
        ("Hi", "bad_messages"),
        ("1" * 5_000, "bad_messages"),
        ([{"role": "user", "content": 5}, TURNS[-1]], "not_text"),
    ],
)
def test_what_is_not_a_chat(run: Run, turns: Any, rule: str) -> None:
    rows = [{"chat": TURNS}] * 30 + [{"chat": turns}]
    run.ingest(jsonl(rows), kind="jsonl", mapping={"messages": "chat"})
    assert run.rules_of("ingest") == {31: rule}


def test_records_retired_by_the_first_of_the_month_stay_out(run: Run) -> None:
    rows = [{"text": f"t{day}", "label": "x", "until": f"2026-03-0{day}"} for day in (1, 2, 3)]
    run.ingest(table(rows), mapping={"prompt": "text", "response": "label", "retired_at": "until"})
    assert run.rules_of("ingest") == {1: "retired"}


@pytest.mark.parametrize("today", [date(2026, 3, 1), date(2026, 3, 31)])
def test_records_past_the_retention_of_their_source_stay_out_from_the_month_in_which_it_ends(
    run: Run, today: date
) -> None:
    """Thirty days before 1 April is 2 March: what is from 1 March would be past its time on 31 March."""
    days = ["2026-03-01", "2026-03-02", ""]
    rows = [{"text": f"text {number}", "label": "x", "from": day} for number, day in enumerate(days)]
    (run.root / "a.csv").write_bytes(table(rows))
    mapping = {"prompt": "text", "response": "label", "effective_from": "from"}
    run.resolve(source("a.csv", mapping=mapping, retention_days=30), today=today)
    ingest.run(params(), run.layout)
    assert run.rules_of("ingest") == {1: "past_retention"}


def test_a_task_without_a_prompt_template_is_refused(run: Run) -> None:
    with pytest.raises(InputError, match=r"its task 'other' is not in params.yaml: prompts, which has triage"):
        run.ingest(table(messages(3)), constants={"task": "other"})


def ids_of(run: Run, data: bytes, **fields: Any) -> list[str]:
    run.ingest(data, **fields)
    return [record["record_id"] for record in run.records_of("ingest")]


def test_ids_depend_on_source_and_row(run: Run) -> None:
    data = table([*messages(2), *messages(2)])
    ids = ids_of(run, data)
    assert len(set(ids)) == 4 and all(re.fullmatch("[0-9a-f]{32}", record_id) for record_id in ids)
    assert not set(ids) & set(ids_of(run, data + table(messages(1)))), "another content"
    assert not set(ids) & set(ids_of(run, data, id="other"))
    run.forget()
    assert ids_of(run, data) == ids


def test_no_id_can_be_made_without_the_vaults_key(run: Run) -> None:
    data = table(messages(3))
    ids = ids_of(run, data)
    for path in (run.layout.state / "vault" / "vault.db", run.layout.state / vault_keys.KEY_FILE):
        path.unlink()
    assert not set(ids) & set(ids_of(run, data)), "another key"


def test_an_id_tells_nothing_of_what_was_masked(run: Run) -> None:
    """Who has the key of ids, and all that stands in the artefacts, tries a value in vain: no text is in an id."""
    run.ingest(table(messages(2)))
    (resolved,) = load_resolved(run.layout.sources_path).sources
    keys = vault_keys.load_keys(run.layout.state)
    guard = ProtectionContext(lambda texts: [[] for _ in texts], resolved.source.protect, {}, keys.tokens)
    intake = BatchProcessor(resolved, date(2026, 3, 1), guard, keys.records)
    one, other = (
        intake([Row(1, {"text": f"my birthday is {day}", "label": "x"})]).rows.to_pylist() for day in ("1 May", "2 May")
    )
    assert one == other and one[0]["record_id"] == run.records_of("ingest")[0]["record_id"]


def test_the_same_source_gives_the_same_bytes(run: Run) -> None:
    data = table(messages(500)) + b"one\n"
    run.ingest(data)
    first = tree_manifest(run.layout.artefacts("ingest"))
    run.forget()
    run.ingest(data)
    assert tree_manifest(run.layout.artefacts("ingest")) == first


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(), lambda inner: st.lists(inner, max_size=3)
)


@given(st.dictionaries(st.sampled_from(list(FULL)), JSON, min_size=1, max_size=2))
def test_any_row_is_a_record_or_rejected(changes: dict[str, Any]) -> None:
    try:
        record = map_row_to_record(FULL | changes, source("x.csv", **EVERY_COLUMN), mapping_counts=Counter())
    except RejectedRow as reject:
        event(reject.rule)
        assert reject.rule and reject.reason
    else:
        event("record")
        pa.Table.from_pylist([record], schema=RECORD_SCHEMA).validate(full=True)


def test_labels_are_compared_as_texts_are_stored(run: Run) -> None:
    spelled, stored = "Bu\u0308ro", "B\u00fcro"
    row = {"text": "Where is my card?", "label": "card", "place": spelled}
    told = {"labels": {"department": [spelled]}, "constants": {"task": "triage", "policy_tags": [spelled]}}
    mapping = {"prompt": "text", "response": "label", "department": "place"}
    assert run.ingest(jsonl([row]), kind="jsonl", mapping=mapping, **told).counts.records == 1
    (record,) = run.records_of("ingest")
    assert (record["department"], record["policy_tags"]) == (stored, [stored])


def test_fields_whose_names_are_masked_alike_are_told_of_their_row(run: Run) -> None:
    networks = json.dumps({"192.168.17.5": "up", "192.168.17.77": "down"})
    apart = json.dumps({"states": [{"192.168.17.5": "up"}, {"192.168.17.77": "down"}]})
    twice = '{"192.168.17.5": "up", "a": 1, "a": 2}'
    rows = [
        {"text": f"Which are up, {number}?", "label": label} for number, label in enumerate([networks, apart, twice])
    ]
    run.ingest(jsonl(rows), kind="jsonl")
    (entry,) = run.records_of("ingest", "quarantine")
    assert (entry["row"], entry["rule"]) == (1, "same_names")
    assert "192.168" not in entry["reason"]
    run.forget()
    assert run.ingest(jsonl(rows), kind="jsonl", protect={"network": "tokenise"}).counts.records == len(rows)
