"""What the data stages write holds no planted identifier that was found, or that stands outside a text."""

import sys
from pathlib import Path

import pytest

from tasks.core.errors import InputError
from tasks.inquiry import disclosure, quarantined_rows
from tasks.ledger.ledger import open_ledger
from tasks.policy.people import Person
from tasks.sources.expectation_suites import Suites
from tasks.stages import __main__ as command
from tasks.stages import runner
from tasks.stages.data.ingest import ingest
from tests import planted_identifiers
from tests.byte_search import Findings, Planted, search, search_folder
from tests.planted_identifiers import UNLISTED
from tests.stages.data.build import Run, params, source, stages, suite

IN_SET = "expect_column_values_to_be_in_set"
LOOKED_AT = ("department", "language", "labelled_by", "policy_tags", "prompt", "target")
SUITE = suite(*((IN_SET, {"column": name, "value_set": ["none"]}) for name in LOOKED_AT))
"""Which fails for every record, so that results have much to say."""


@pytest.fixture
def sources(tmp_path_factory: pytest.TempPathFactory, run: Run) -> planted_identifiers.Sources:
    """Pinned as the sources of the run, and lying outside it."""
    made = planted_identifiers.make(each=1, seed=23)
    folder = tmp_path_factory.mktemp("sources")
    (folder / "messages.csv").write_bytes(made.messages)
    (folder / "chats.jsonl").write_bytes(made.chats)
    constants = {"task": "triage"}
    run.resolve(
        source(
            folder / "messages.csv", id="messages", retention_days=3650, mapping=planted_identifiers.CSV_MAPPING,
            labels=planted_identifiers.CSV_LABELS, constants=constants,
        ),
        source(folder / "chats.jsonl", "jsonl", id="chats", mapping=planted_identifiers.JSONL_MAPPING,
               constants=constants),
        terms=planted_identifiers.TERMS,
    )  # fmt: skip
    return made


def is_vault(path: Path) -> bool:
    return path.name.startswith("vault.db") or path.parent.name == "keys"


def look(run: Run, planted: Planted) -> Findings:
    findings = Findings()
    search_folder(run.root, planted, findings, is_vault)
    return findings


def test_no_identifier_that_was_found_or_stands_outside_a_text_is_written(
    run: Run, sources: planted_identifiers.Sources, capfd: pytest.CaptureFixture[str]
) -> None:
    how = params(max_malformed_share=0.9, test_share=0.2, near_duplicates={"jaccard": 0.9})
    run.put_suites(Suites(by_source={}, dataset=SUITE))
    for stage in stages(validate=True).values():
        stage.run(how, run.layout)
    planted = Planted(identifier.value for identifier in sources.identifiers)
    assert len(search(sources.messages + sources.chats, planted)) == len(sources.identifiers) > 250
    findings = look(run, planted)
    findings.look("output", "\n".join(capfd.readouterr()).encode(), planted)
    in_texts = [identifier for identifier in sources.identifiers if identifier.place == "text"]
    allowed = planted_identifiers.missed(in_texts)
    leaked = [
        f"{item.category} of {item.place} in {min(findings.places[item.value])}"
        for item in sources.identifiers
        if item.value in findings.places and item.value not in allowed and item.place != UNLISTED
    ]
    assert leaked == []
    assert len(allowed) <= 0.05 * len(in_texts)
    assert findings.files > 15


def test_looking_at_rows_writes_nothing_of_them(run: Run, sources: planted_identifiers.Sources) -> None:
    ingest.run(params(max_malformed_share=0.9), run.layout)
    planted = Planted(identifier.value for identifier in sources.identifiers)
    before = set(look(run, planted).places)
    owner, ledger = Person(id="data-owner", name="Owner", roles=["data_owner"]), open_ledger(run.layout.state)
    shown = Findings()
    for entry in quarantined_rows.read_quarantine(run.layout).first_rows(50):
        wanted = f"{entry.source_id}:{entry.row}"
        found = disclosure.disclose_row(run.layout, wanted, run.access(owner), "a test", ledger)
        shown.look("shown", found.model_dump_json().encode(), planted)
    assert len(shown.places) > 10 and len(ledger.entries()) > 10
    assert set(look(run, planted).places) == before


def test_what_stops_a_run_is_not_quoted(run: Run, sources: planted_identifiers.Sources) -> None:
    with pytest.raises(InputError, match="are malformed, more than") as refused:
        ingest.run(params(max_malformed_share=0.01), run.layout)
    planted = Planted(identifier.value for identifier in sources.identifiers)
    assert planted.within(str(refused.value).encode()) == set()
    assert look(run, planted).places == {}


def test_a_defect_of_ingest_quotes_no_value(
    run: Run, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    value = " ".join(["Ada", "Lovelace"])

    def fail(*_: object) -> None:
        raise ValueError(f"invalid literal: {value!r}")

    monkeypatch.setattr(runner, "run_module", fail)
    monkeypatch.setattr(sys, "argv", ["tasks", "ingest"])
    monkeypatch.chdir(run.root)
    assert command.main() == 1
    told = capfd.readouterr().err
    assert "ValueError" in told and "in fail" in told and "Lovelace" not in told
