"""What is done with what is found: actions, tokens, terms, and that nothing readable is left."""

import base64
import hmac
import json
import re
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tasks.core.errors import InputError
from tasks.core.files import tree_manifest
from tasks.inquiry import access_entries
from tasks.ledger.ledger import open_ledger
from tasks.sources.protection import Protection
from tasks.sources.vault import open_vault
from tasks.stages.data.ingest import ingest, source_reader
from tasks.stages.data.ingest.pool import batch_by_weight
from tasks.stages.data.protect import terms
from tasks.stages.data.protect.actions import ProtectionOutcome, generalised_placeholder, replace_spans
from tasks.stages.data.protect.detected_span import DetectedSpan, merge_spans
from tasks.stages.data.protect.placeholders import PLACEHOLDER
from tasks.stages.data.protect.tokens import (
    canonical_spelling,
    is_national_phone_number,
    make_search_tokens,
    make_token,
)
from tasks.stages.data.readers.rows import MalformedRow, Row
from tests.quickest import is_quick
from tests.stages.data.build import Run, messages, params, source, table

KEY = bytes(32)
TEXT = "Mail ada@example.org or call"
SPAN = [DetectedSpan(5, 20, "email")]
PERSONAL = [
    {"text": "Hello, my name is Ada Lovelace, mail me at ada@example.org please", "label": "a"},
    {"text": "The card of Ada Lovelace does not work, IBAN GB82 WEST 1234 5698 7654 32", "label": "b"},
    {"text": "What are your opening hours on Saturday", "label": "c"},
]


@pytest.mark.parametrize(
    ("action", "wanted"),
    [
        ("keep", TEXT),
        ("mask", "Mail [email] or call"),
        ("generalise", "Mail [email:example.org] or call"),
        ("drop", "Mail [email] or call"),
        ("stop", "Mail [email] or call"),
    ],
)
def test_each_action_does_what_it_says(action: Any, wanted: str) -> None:
    outcome = ProtectionOutcome()
    assert replace_spans(TEXT, SPAN, Protection(email=action), KEY, outcome) == wanted
    assert outcome.counts == {"email": 1} and outcome.secrets == []
    assert outcome.subject_tokens == {make_token("email", "ada@example.org", KEY)}, (
        "whatever was done, the record is about her"
    )
    told = {"drop": ("email", None), "stop": (None, "email")}
    assert (outcome.drop_category, outcome.stop_category) == told.get(action, (None, None))


def test_a_token_stands_for_its_value_and_gives_it_to_the_vault() -> None:
    outcome = ProtectionOutcome()
    made = make_token("email", "ada@example.org", KEY)
    assert replace_spans(TEXT, SPAN, Protection(), KEY, outcome) == f"Mail [{made}] or call"
    assert [(s.token, s.value) for s in outcome.secrets] == [(made, "ada@example.org")]
    assert re.fullmatch(r"email:[a-z2-7]{12}", made)


@pytest.mark.parametrize(
    ("category", "one", "other"),
    [
        ("iban", "GB82 WEST 1234 5698 7654 32", "gb82west12345698765432"),
        ("phone", "+44 20 7946 0018", "+44-20-7946-0018"),
        ("phone", "+44 20 7946 0018", "0044 20 7946 0018"),
        ("phone", "+44 20 7946 0018", "+44 (0)20 7946-0018"),
        ("phone", "+49 170 5550 123", "(0049) (0) 170 5550123"),
        ("email", "Ada@Example.org", "ada@example.org"),
        ("email", "ada@example.org", "ada%40example.org"),
        ("email", "ada@example.org", "ada [at] example [dot] org"),
        ("email", "anna@web.de", "anna ät web punkt de"),
        ("name", "Ada  Lovelace", "ADA LOVELACE"),
    ],
)
def test_the_same_value_differently_spelled_has_one_token(category: Any, one: str, other: str) -> None:
    assert make_token(category, one, KEY) == make_token(category, other, KEY)
    assert make_token(category, one, KEY) != make_token(category, one, bytes(31) + b"1"), "the key decides"


def test_a_telephone_number_is_sought_as_others_may_have_spelt_it() -> None:
    sought = make_search_tokens("phone", "+44 20 7946 0018", KEY)
    assert make_token("phone", "020 7946 0018", KEY) in sought
    assert sought[0] == make_token("phone", "+442079460018", KEY)
    for earlier in ("442079460018", "00442079460018", "4402079460018", "004402079460018"):
        digest = hmac.digest(KEY, f"phone\n{earlier}".encode(), "sha256")
        assert f"phone:{base64.b32encode(digest)[:12].decode().lower()}" in sought, "an earlier version's token"
    for code, national in (("+1", "212 555 0123"), ("+34", "612 345 678"), ("+39", "06 6988 1234")):
        assert make_token("phone", national, KEY) in make_search_tokens("phone", f"{code} {national}", KEY)
    assert len(make_search_tokens("name", "Ada Lovelace", KEY)) == 1


@pytest.mark.parametrize(
    ("value", "national"),
    [
        ("020 7946 0018", True),
        ("(212) 555-0123", True),
        ("4111 1111 1111 1111", False),
        ("+44 20 7946 0018", False),
        ("0044 20 7946 0018", False),
        ("Ada", False),
        ("0123", False),
    ],
)
def test_a_number_without_its_country_is_known_as_one(value: str, national: bool) -> None:
    assert is_national_phone_number(value) == national


def test_the_class_is_part_of_the_token() -> None:
    assert make_token("phone", "123456", KEY).split(":")[1] != make_token("card", "123456", KEY).split(":")[1]
    assert canonical_spelling("name", "Ada Lovelace") == "ada lovelace"


@pytest.mark.parametrize(
    ("category", "value", "wanted"),
    [
        ("birth_date", "born on 10 December 1985", "[birth_date:1985]"),
        ("birth_date", "tenth of May", "[birth_date]"),
        ("network", "192.0.2.77", "[network:192.0.2.0/24]"),
        ("network", "2001:db8::1", "[network]"),
        ("phone", "+44 20 7946 0018", "[phone]"),
        ("email", "ada@\nexample.org", "[email:example.org]"),
        ("email", "ada @ example.org", "[email:example.org]"),
        ("email", "ada [@] example [.] org", "[email]"),
    ],
)
def test_what_is_coarse_of_a_value_is_kept(category: Any, value: str, wanted: str) -> None:
    assert generalised_placeholder(category, value) == wanted
    assert PLACEHOLDER.fullmatch(wanted)


def test_terms_are_found_as_whole_words_however_spaced_and_cased() -> None:
    pattern = terms.compile_terms({"trade_secret": ["Project Halcyon", "HX-*"], "internal_only": ["blue list"]})
    text = "project  halcyon needs HX-4711 but not Halcyon; the Blue List, not blue lists"
    found = [(text[f.start : f.end], f.category) for f in terms.find_terms(text, pattern)]
    assert found == [("project  halcyon", "trade_secret"), ("HX-4711", "trade_secret"), ("Blue List", "internal_only")]


def test_terms_cannot_be_patterns_that_take_for_ever() -> None:
    for term in ("(a+)+$", "a*" * 5, "a*" * 9 + "b", "*a" * 9 + "*b", "a** a* a*b", "*-a*-a*b", "****b"):
        pattern = terms.compile_terms({"trade_secret": [term]})
        for text in ("a" * 200_000 + "!", "a " * 100_000, "a\n " * 70_000 + "a", "-a" * 100_000):
            assert is_quick(partial(terms.find_terms, text, pattern), 2), "a polynomial pattern takes hours"


@pytest.mark.parametrize(
    ("term", "found"),
    [
        ("hx-*", ["HX-4711", "HX-"]),
        ("*corn", ["Popcorn", "corn"]),
        ("*o*c*n", ["Popcorn"]),
        ("p*p*", ["Popcorn", "pp"]),
        ("p*p", ["pp"]),
        ("po*rn of*", ["Popcorn\noffer"]),
        ("**o**", ["Popcorn", "offer", "corn"]),
    ],
)
def test_a_star_stands_for_any_part_of_a_word(term: str, found: list[str]) -> None:
    text = "HX-4711 (HX-) Popcorn\noffer corn, pp"
    pattern = terms.compile_terms({"trade_secret": [term]})
    assert [text[f.start : f.end] for f in terms.find_terms(text, pattern)] == found


def test_what_overlaps_is_covered_once() -> None:
    first, second = [DetectedSpan(5, 10, "trade_secret")], [DetectedSpan(0, 7, "name"), DetectedSpan(8, 15, "email")]
    assert merge_spans(first, second) == [
        DetectedSpan(0, 5, "name"),
        DetectedSpan(5, 10, "trade_secret"),
        DetectedSpan(10, 15, "email"),
    ]


def everything_written(folder: Path) -> bytes:
    return b"".join((folder / name).read_bytes() for name in tree_manifest(folder))


def test_ingest_leaves_nothing_readable_and_the_vault_knows_every_token(run: Run) -> None:
    result = run.ingest(table(PERSONAL))
    texts = json.dumps([record["messages"] for record in run.records_of("ingest")])
    for value in ("Lovelace", "ada@example.org", "7654"):
        assert value not in texts and value.encode() not in everything_written(run.layout.artefacts("ingest"))
    tokens = {row["token"] for row in run.records_of("ingest", "tokens")}
    assert tokens == set(re.findall(r"\[((?:name|email|iban):\w+)\]", texts)) and len(tokens) == 3
    vault = open_vault(run.layout.state)
    assert vault.find_missing_tokens(tokens) == []
    look = access_entries.token_recorder(open_ledger(run.layout.state), "all", "data-owner", "a test")
    values = vault.reveal(tokens, look).values()
    assert sorted(values) == ["Ada Lovelace", "GB82 WEST 1234 5698 7654 32", "ada@example.org"]
    assert result.sources[0].protected == {"email": 1, "iban": 1, "name": 2}
    name = make_token("name", "Ada Lovelace", vault.keys.tokens)
    assert [name in record["subjects"] for record in run.records_of("ingest")] == [True, True, False]


LABELLED = {"text": "text", "label": "label", "dep": "cards", "lang": "en", "tags": "vip", "by": "desk 1"}
LABELS = {
    "prompt": "text", "response": "label", "department": "dep", "language": "lang", "policy_tags": "tags",
    "labelled_by": "by",
}  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "name", "wanted"),
    [
        ({"by": "ada.l"}, "labelled_by", r"\[name:\w{12}\]"),
        ({"by": "desk 1"}, "labelled_by", "desk 1"),
        ({"dep": "483920175"}, "department", r"\[account:\w{12}\]"),
        ({"dep": "Ada Lovelace"}, "department", r"\[name:\w{12}\]"),
        ({"dep": "lovelace, ada"}, "department", r"\[name:\w{12}\]"),
        ({"dep": "ISO 27001"}, "department", "ISO 27001"),
        ({"dep": "customer care"}, "department", "customer care"),
        ({"tags": "ada.lovelace"}, "policy_tags", r"\['\[name:\w{12}\]'\]"),
        ({"lang": "P1234567"}, "language", r"\[account:\w{12}\]"),
        ({"tags": "vip;4111 1111 1111 1111"}, "policy_tags", r"\['\[card:\w{12}\]', 'vip'\]"),
    ],
)
def test_who_and_what_stands_in_a_label_is_replaced(run: Run, changes: Any, name: str, wanted: str) -> None:
    """A label has no words around it by which a name or a number could be told."""
    data = table([LABELLED | changes], list(LABELLED))
    run.ingest(data, mapping=LABELS, constants={"task": "triage"}, labels={"labelled_by": ["desk 1"]})
    (record,) = run.records_of("ingest")
    assert re.fullmatch(wanted, str(record[name]))


def test_a_record_is_neither_about_who_labelled_it_nor_put_aside_for_them(run: Run) -> None:
    data = table([LABELLED | {"by": "Ada Lovelace"}], list(LABELLED))
    result = run.ingest(data, mapping=LABELS, constants={"task": "triage"}, protect={"name": "drop"})
    (record,) = run.records_of("ingest")
    assert (record["labelled_by"], record["subjects"]) == ("[name]", [])
    assert result.sources[0].protected == {"name": 1}, "but it is told"


def test_a_label_that_sources_yaml_names_stays(run: Run) -> None:
    data = table([LABELLED | {"dep": "austin branch"}], list(LABELLED))
    mapping = {name: column for name, column in LABELS.items() if name != "policy_tags"}
    constants = {"task": "triage", "policy_tags": ["2024-03-31"]}
    run.ingest(data, mapping=mapping, constants=constants)
    assert run.records_of("ingest")[0]["department"].startswith("[name:")
    run.ingest(data, mapping=mapping, constants=constants, labels={"department": ["austin branch"]})
    (record,) = run.records_of("ingest")
    assert (record["department"], record["policy_tags"]) == ("austin branch", ["2024-03-31"])


@pytest.mark.parametrize("changes", [{"dep": "ada l"}, {"lang": "ada"}, {"tags": "vip;ada"}])
def test_a_label_that_is_not_listed_puts_its_row_aside(run: Run, changes: dict[str, str]) -> None:
    data = table([LABELLED, LABELLED | changes], list(LABELLED))
    listed = {"department": ["cards"], "language": ["en"], "policy_tags": ["vip"]}
    run.ingest(data, mapping=LABELS, constants={"task": "triage"}, labels=listed)
    assert run.rules_of("ingest") == {2: f"unknown_{next(n for n in LABELS if LABELS[n] in changes)}"}
    (entry,) = run.records_of("ingest", "quarantine")
    assert "ada" not in entry["reason"]


def test_a_record_is_dropped_where_its_source_says_so(run: Run) -> None:
    run.ingest(table(PERSONAL), protect={"iban": "drop"})
    assert run.rules_of("ingest") == {2: "holds_iban"}


def test_a_run_stops_where_its_source_says_so_and_writes_nothing(run: Run) -> None:
    with pytest.raises(InputError, match=r"row 2 holds text of class iban, for which `protect` in sources.yaml says"):
        run.ingest(table(PERSONAL), protect={"iban": "stop"})
    assert not run.layout.artefacts("ingest").exists()


def test_terms_of_the_inventory_count_as_found(run: Run) -> None:
    (run.root / "data.csv").write_bytes(table([*messages(3), {"text": "Halcyon ships in May", "label": "x"}]))
    run.resolve(source("data.csv"), terms={"internal_only": ["Halcyon"]})
    ingest.run(params(), run.layout)
    assert run.rules_of("ingest") == {4: "holds_internal_only"}


def test_without_the_key_of_the_run_nothing_is_read_or_written(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    run.pin(table(PERSONAL))
    monkeypatch.setenv("HALLMARK_VAULT_KEY", "A" * 43 + "=")
    with pytest.raises(InputError, match="Nothing was written"):
        ingest.run(params(), run.layout)
    assert not run.layout.artefacts("ingest").exists()


def test_outputs_are_the_same_however_many_workers(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(source_reader, "BATCH_ROWS", 100)
    rows = [{"text": f"{row['text']} number {n}", "label": "x"} for n in range(200) for row in PERSONAL]
    made = []
    for workers in ("1", "2"):
        monkeypatch.setenv("HALLMARK_WORKERS", workers)
        run.ingest(table(rows))
        made.append(tree_manifest(run.layout.artefacts("ingest")))
        run.forget()
    assert made[0] == made[1]
    assert len(run.records_of("ingest")) == 600


def test_outputs_are_the_same_wherever_a_batch_ends(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HALLMARK_WORKERS", "1")
    rows = [{"text": f"{row['text']} number {n}" * (1 + n % 7), "label": "x"} for n in range(30) for row in PERSONAL]
    made = []
    for batch, characters in ((1_000, 1_000_000), (1_000, 200), (7, 1_000_000)):
        monkeypatch.setattr(source_reader, "BATCH_ROWS", batch)
        monkeypatch.setattr(source_reader, "BATCH_CHARACTERS", characters)
        run.ingest(table(rows))
        made.append(tree_manifest(run.layout.artefacts("ingest")))
        run.forget()
    assert made[0] == made[1] == made[2]


def test_a_batch_ends_early_where_its_rows_are_long() -> None:
    turns = [{"role": "user", "content": "x" * 30}]
    rows = [Row(n, {"messages": turns, "label": "y" * 20, "number": 5, "nothing": None}) for n in range(5)]
    batches = batch_by_weight(
        [*rows, MalformedRow(6, "not_json", "broken")], 1_000, source_reader._count_characters, 100
    )
    assert [len(batch) for batch in batches] == [2, 2, 2]
    assert [len(batch) for batch in batch_by_weight(rows, 2, source_reader._count_characters, 1_000)] == [2, 2, 1]


@pytest.mark.parametrize("workers", ["0", "many", "-1"])
def test_a_number_of_workers_that_is_none_is_refused(run: Run, monkeypatch: pytest.MonkeyPatch, workers: str) -> None:
    monkeypatch.setenv("HALLMARK_WORKERS", workers)
    with pytest.raises(InputError, match="HALLMARK_WORKERS: expected a whole number"):
        run.ingest(table(PERSONAL))
