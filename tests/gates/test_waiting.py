"""Many gates waiting at once: what each takes, and that looking at all of them reads no more than that."""

import json
import random
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from sqlalchemy import event

from tasks.core.errors import HallmarkError
from tasks.core.graph import DATA_STAGE_NAMES
from tasks.gates import cases, gates
from tasks.gates.evidence import Evidence, evidence_bytes
from tasks.gates.overview import OpenGate, open_gates
from tasks.ledger import attachments
from tasks.ledger.ledger import open_ledger
from tasks.trust import dsse
from tests.governed.datasets import dataset, origin
from tests.governed.house import House, put_result, raw

GATES = 50
LEDGER_BYTES = 5 * 1024
"""Of each: the goal of a thousand waiting at once."""
STATEMENTS = 8
"""Of one look at all of them, however many there are."""


def as_long_as_real(evidence: Evidence, seed: int) -> Evidence:
    """With as many files, figures and sources as the sample use case has, none like another run's."""
    choose = random.Random(seed)
    names = [f"artefacts/{stage}/{name}" for stage in DATA_STAGE_NAMES
             for name in ("result.json", "records.parquet", "quarantine.parquet", "page.html", "x.json")]  # fmt: skip
    artefacts = {name: f"{choose.getrandbits(256):064x}" for name in [*names, *map(str, range(8))]}
    fact = next(iter(evidence.facts.values()))
    facts = {f"validate.figure_{n}": fact.model_copy(update={"value": choose.random()}) for n in range(26)}
    sources = dataset({f"source-{n}": origin(choose.randrange(2000)) for n in range(3)})
    more = {"artefacts": artefacts, "facts": evidence.facts | facts, "dataset": sources}
    return evidence.model_copy(update=more)


@pytest.fixture
def waiting(house: House) -> House:
    """Gates of as many runs, and entries about other things."""
    with house.ledger.transaction():
        for number in range(GATES):
            house.ledger.append("a.b", f"subject {number}", {"n": number})
            cases.open_gate(house.ledger, as_long_as_real(house.collect(run=f"run-{number}"), number))
    return house


@contextmanager
def statements(house: House) -> Iterator[list[str]]:
    """What the ledger's database is asked."""
    found: list[str] = []

    def note(_connection, _cursor, statement, *_) -> None:  # type: ignore[no-untyped-def]
        found.append(statement)

    event.listen(house.ledger._tables._engine, "before_cursor_execute", note)
    try:
        yield found
    finally:
        event.remove(house.ledger._tables._engine, "before_cursor_execute", note)


def look(house: House) -> list[OpenGate]:
    return list(open_gates(house.ledger, lambda _: house.governance))


def test_each_takes_less_than_five_kilobytes_of_the_ledger(waiting: House) -> None:
    asked = waiting.ledger.open_questions()
    documents = waiting.ledger.documents(asked)
    assert len(asked) == GATES and min(map(len, documents)) > 9000
    taken = [
        len(json.dumps(e.body)) + len(attachments.compress_document(d)) for e, d in zip(asked, documents, strict=True)
    ]
    assert max(taken) + 600 < LEDGER_BYTES, "which leaves room for the row's other columns and the indexes"


def test_one_look_asks_the_database_as_little_for_many_as_for_few(waiting: House) -> None:
    with statements(waiting) as many:
        assert {glance.status.state for glance in look(waiting)} == {"waiting"}  # type: ignore[union-attr]
    for case in cases.open_cases(waiting.ledger)[2:]:
        cases.record_closing(waiting.ledger, case, "expired")
    with statements(waiting) as few:
        assert len(look(waiting)) == 2
    assert len(few) == len(many) <= STATEMENTS


def test_no_look_reads_the_whole_ledger(waiting: House) -> None:
    with statements(waiting) as asked:
        look(waiting)
        cases.open_evidence(waiting.ledger)
    with waiting.ledger._tables._engine.connect() as connection:
        for statement in set(asked):
            plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", (1,) * statement.count("?")).fetchall()
            assert not [step for *_, step in plan if step.startswith("SCAN hallmark_ledger") and "_open" not in step]


def test_at_a_glance_a_gate_stands_where_it_is_judged_to_stand(house: House) -> None:
    """Waiting, decided in part or in full, failed with and without a waiver to be had, under another policy."""
    house.ask(run="waits")
    decided = house.ask(run="decided")
    house.decide(decided, "owner")
    put_result(house.layout.artefacts("split"), train_rows=5)
    house.ask(run="failing")
    put_result(house.layout.artefacts("evaluate"), exact_match={"value": 0.1, "low": 0.05, "high": 0.2})
    house.ask("evaluation", run="hopeless")
    other = house.collect(run="other").model_copy(update={"policy_sha256": "0" * 64})
    house.ask_again(other)
    glances = look(house)
    assert [glance.entry.subject for glance in glances] == ["waits", "decided", "failing", "hopeless", "other"]
    states = []
    for glance, evidence in zip(glances, cases.open_evidence(house.ledger), strict=True):
        try:
            judged: object = house.judge(evidence)
        except HallmarkError as error:
            judged = str(error)
        assert judged == (str(glance.status) if isinstance(glance.status, HallmarkError) else glance.status)
        states.append(getattr(judged, "state", judged))
    # The same output: who approved it in one run has in the other, under the same policy.
    assert states[:4] == ["passed", "passed", "waiting", "failed"] and "another policy" in states[4]


def test_a_gate_whose_evidence_was_changed_hides_no_other(house: House) -> None:
    house.ask(run="run-1")
    later = house.ask(run="run-2")
    raw(house, "DELETE FROM hallmark_ledger_attached WHERE seq = 2")
    first, second = look(house)
    assert first.summary is None and "what is attached to entry 2 of the ledger is missing" in str(first.status)
    assert second.status == house.judge(later)


def test_a_decision_in_somebody_elses_name_is_judged_at_a_glance_too(house: House, asked: Evidence) -> None:
    house.decide(asked, "owner")
    (entry,) = house.ledger.entries("gate.decision")
    envelope = entry.body["envelope"]
    forged = dsse.sign_statement(dsse.unverified_statement(envelope), house.key("both"))
    raw(house, f"DELETE FROM hallmark_ledger WHERE seq = {entry.seq}")
    house.ledger.append(entry.kind, entry.subject, {"envelope": forged})
    (glance,) = look(house)
    assert isinstance(glance.status, gates.GateStatus) and glance.status.state == "waiting"


def test_the_newest_entries_of_a_kind_come_first_over_pages(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tasks.ledger.ledger.PAGE_ROWS", 3)
    for number in range(8):
        house.ledger.append("a" if number % 2 else "b", "x", {"n": number})
    assert [entry.body["n"] for entry in house.ledger.newest_first("b")] == [6, 4, 2, 0]
    assert house.ledger.changed_subjects_after(6) == {("b", "x"), ("a", "x")}


def test_many_subjects_are_read_ahead_in_parts_and_in_order(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tasks.ledger.tables.ROWS_PER_QUERY", 2)
    for number in range(8):
        house.ledger.append("a", f"x{number % 5}", {"n": number})
    with house.ledger.reading():
        house.ledger.preload({"a": {f"x{number}" for number in range(5)}})
        found = {f"x{number}": house.ledger.entries("a", f"x{number}") for number in range(5)}
    assert [entry.body["n"] for entry in found["x2"]] == [2, 7]
    assert sorted(entry.body["n"] for some in found.values() for entry in some) == list(range(8))


def test_within_one_reading_nothing_is_written_and_nothing_new_is_seen(house: House) -> None:
    house.ask()
    other = open_ledger(house.state)
    with house.ledger.reading():
        before = house.ledger.entries()
        house.ledger.preload({"a": {"x", "y"}})
        other.append("a", "x", {})
        assert house.ledger.entries() == before and house.ledger.entries("a", "x") == []
        with pytest.raises(AssertionError, match="only reads"):
            house.ledger.append("a", "x", {})
    assert len(house.ledger.entries("a", "x")) == 1
    assert (
        evidence_bytes(cases.open_evidence(house.ledger)[0]) == house.ledger.documents(house.ledger.open_questions())[0]
    )
