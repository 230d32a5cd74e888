"""`hallmark data`: who may look at which rows, and what they are shown."""

import shutil
from pathlib import Path

import pytest

from tasks.core.files import write_json
from tasks.core.steps.data import LAST_FILTER_STAGE
from tasks.gates import signed_request
from tasks.ledger.ledger import open_ledger
from tasks.runs import journal
from tasks.runs.journal import Journal
from tasks.runs.request import RunRequest
from tasks.runs.run import installed_governance
from tasks.sources.expectation_suites import Suites
from tasks.stages.data.clean import clean
from tasks.stages.data.deduplicate import deduplicate
from tasks.stages.data.validate import validate
from tasks.trust import dsse
from tests.editing import moved
from tests.in_process import hallmark, hallmark_json
from tests.stages.data.build import Run, messages, params, record, suite, table
from tests.tiny_project import signed


@pytest.mark.parametrize("verb", [["conflicts", "one"], ["show", "0", "--run", "one", "--reason", "curious"]])
def test_who_looks_at_data_shows_their_key(project: Path, verb: list[str]) -> None:
    key = project / ".hallmark" / "keys" / "data-owner"
    with moved(key, key.with_name("elsewhere")):
        told = hallmark(project, "data", *verb, "--as", "data-owner", code=2)
    assert "the private key of data-owner is wanted" in told


def test_conflicts_are_listed_printed_as_json_and_written_as_a_page(project: Path, tmp_path: Path) -> None:
    run = Run(project / ".hallmark" / "runs" / "one")
    told_apart = [record("Where is the bill of last month", label, n) for n, label in enumerate(("x", "y"))]
    other = record("What are your opening hours", number=2)
    run.deduplicate([*told_apart, other], near_duplicates={"conflict_jaccard": 0.9})
    asked = ("data", "conflicts", "one", "--as", "data-owner")
    told = hallmark(project, *asked)
    assert "src, row 1" in told and "⟦x⟧" in told and "1 of 1 conflicts of run one" in told
    (pair,) = hallmark_json(project, *asked)["pairs"]
    assert {pair["went"]["target"], pair["other"]["target"]} == {"x", "y"} and pair["decided_by"] == ""
    assert "0 of 0 conflicts" in hallmark(project, *asked, "--paraphrased")
    told = hallmark(project, *asked, "--paraphrased", "--undecided", code=2)
    assert "--undecided and --paraphrased are two lists; give one of them" in told
    page = tmp_path / "page.html"
    told = hallmark(project, *asked, "--html", str(page))
    assert "1 of 1 conflicts" in told and "last month" not in told and "last month" in page.read_text()
    assert page.stat().st_mode & 0o777 == 0o600
    told = hallmark(project, *asked[:-1], "ml-engineer", code=1)
    assert "ml-engineer may see none of the 1 conflicts" in told and "last month" not in told


def test_a_run_under_other_governance_is_looked_at_by_its_own_people(project: Path) -> None:
    theirs = shutil.copytree(project / "infra" / "governance", project / "theirs")
    people = (theirs / "people.yaml").read_text()
    (theirs / "people.yaml").write_text(people + "  - {id: their-auditor, name: Auditor, roles: [auditor]}\n")
    hallmark(project, "init", "--governance", "theirs")
    run = Run(project / ".hallmark" / "runs" / "three")
    run.deduplicate([record("Where is my card")])
    asked = ("data", "conflicts", "three", "--as", "their-auditor")
    assert "'their-auditor' is nobody" in hallmark(project, *asked, code=2)
    request, ours = run.layout.request_path, RunRequest(run_id="three", requested_by="ml-engineer", governance="theirs")
    envelope = signed(project, ours)[1]
    dsse.write_envelope(request, envelope)
    told = hallmark(project, *asked, code=1)
    assert f"{request} is not the request that the ledger has" in told, "whoever wrote it there"
    signed_request.record_request(open_ledger(project / ".hallmark"), installed_governance(project, "theirs"), envelope)
    assert "0 of 0 conflicts of run three" in hallmark(project, *asked)
    request.write_text("{}")
    assert "request.json is not the request that the ledger has" in hallmark(project, *asked, code=1)


def test_the_rows_put_aside_are_counted_listed_and_written(project: Path, tmp_path: Path) -> None:
    run, file = Run(project / ".hallmark" / "runs" / "two"), tmp_path / "all.csv"
    run.root.mkdir(parents=True)
    rows = [*messages(6), {"text": "what a secret", "label": ""}, *[{"text": "told twice", "label": "x"}] * 4]
    run.ingest(table(rows))
    for stage in (clean, deduplicate):
        stage.run(params(), run.layout)
    journal.write_journal(project / ".hallmark", Journal(run="two", requested_by="ml-engineer"))
    told = hallmark(project, "data", "quarantine")
    assert "src exact_duplicate deduplicate 3" in " ".join(told.split())
    assert "column 'label' is empty" in told and "src, row " in told and "4 of 4 rows that run two quarantined" in told
    told = hallmark(project, "data", "quarantine", "two", "--limit", "1", "--source", "src")
    assert "1 of 4 rows that run two quarantined, and 3 more; --csv FILE writes all" in told
    document = hallmark_json(project, "data", "quarantine", "--rule", "missing_target", "--csv", str(file))
    assert document["total"] == 1 and document["rows"][0]["row"] == 7 and file.read_text().count("\n") == 2
    told = hallmark(project, "data", "quarantine", "--csv", str(file))
    assert f"{file}: 4 rows" in told and "told twice" not in told + file.read_text()
    assert "run two quarantined no such rows" in hallmark(project, "data", "quarantine", "--rule", "empty_prompt")
    assert hallmark_json(project, "data", "quarantine", "--stage", "deduplicate")["total"] == 3
    told = hallmark(project, "data", "quarantine", "--stage", "train", code=2)
    assert "stage 'train' quarantines no rows; these do: ingest, clean, deduplicate, split" in told
    assert "there is no rule 'none'" in hallmark(project, "data", "quarantine", "--rule", "none", code=2)
    told = hallmark(project, "data", "quarantine", "--csv", "/dev/null", code=2)
    assert "/dev/null is no file" in told and Path("/dev/null").is_char_device()


def test_a_row_that_became_no_record_is_shown_to_its_owner(project: Path) -> None:
    run = Run(project / ".hallmark" / "runs" / "four")
    run.root.mkdir(parents=True)
    told_in = "Ada\x1b[31m\n  put aside by nobody"
    run.ingest(table([*messages(3), {"text": told_in, "label": ""}, {"text": "", "label": "x"}]))
    asked = ("data", "show", "src:4", "--run", "four", "--reason", "a test", "--as", "data-owner")
    lines = hallmark(project, *asked).splitlines()
    assert lines[0] == "no record was made of this row: source src, row 4" and "  label: (empty)" in lines
    assert "  text: Ada<U+001B>[31m" in lines and "        put aside by nobody" in lines
    assert lines[-1].startswith("  quarantined by ingest: missing_target: ")
    assert hallmark_json(project, *asked)["columns"] == {"text": told_in, "label": ""}
    told = hallmark(project, *asked[:-1], "ml-engineer", code=1)
    assert "ml-engineer may not look at records of src" in told and "Ada" not in told
    (run.root / "data.csv").write_bytes(b"text,label\n")
    told = hallmark(project, *asked, code=2)
    assert "row 4 of source src can no longer be shown" in told and "Traceback" not in told


def test_labels_to_look_at_are_named_with_their_rows_and_what_to_do(project: Path) -> None:
    run = Run(project / ".hallmark" / "runs" / "five")
    kept = [record(f"text {number}", "refund", number, split="train") for number in range(20)]
    odd = [record(f"odd {number}", "Refund ", 40 + number, split="test") for number in range(3)]
    run.split([*kept, *odd, record("mine", "refund", 50, split="test")], {"target": "json", "label_field": "intent"})
    assert "0 labels of run five to look at" in hallmark(project, "data", "labels", "five", "--as", "data-owner")
    run.split([*kept, record("odd", "re\x1b[31mfnud", 40, split="test"), *odd[1:]])
    asked = ("data", "labels", "five", "--limit", "1", "--as", "data-owner")
    told = " ".join(hallmark(project, *asked).split())
    assert "'re<U+001B>[31mfnud' no training record has it 1 src:21 (test)" in told
    assert "'Refund' nearly equals 'refund' 2 src:22 (test) and 1 more" in told and "correct the rows" in told
    assert "data.untrained_labels: quarantine" in told and "2 labels of run five to look at" in told
    (near, *untrained) = hallmark_json(project, *asked)["findings"]
    assert (near["near"], near["total"], len(near["rows"])) == ("refund", 2, 1) and len(untrained) == 2
    told = hallmark(project, *asked[:-1], "ml-engineer", code=1)
    assert "ml-engineer may see none of the 5 rows of run five" in told and "efund" not in told


def test_rows_and_values_against_an_expectation_are_named(project: Path) -> None:
    run, how = Run(project / ".hallmark" / "runs" / "six"), params()
    items = [record(f"text {number}", "re\x1b[31mfund" if number == 4 else "bill", number) for number in range(9)]
    run.put(LAST_FILTER_STAGE, items)
    labels = ("expect_column_values_to_be_in_set", {"column": "target", "value_set": ["bill"]})
    rows = ("expect_table_row_count_to_be_between", {"min_value": 50})
    outcome = ("expect_column_values_to_be_in_set", {"column": "outcome", "value_set": ["conflict"]})
    run.put_suites(Suites(by_source={"src": suite(labels, rows, outcome)}, dataset=None))
    validate.run(how, run.layout)
    write_json(run.layout.params_path, how.model_dump(mode="json"))
    asked = ("data", "expectations", "six", "--as", "data-owner")
    told = " ".join(hallmark(project, *asked).split())
    assert "checks (source src): expect_column_values_to_be_in_set of target: because 0" in told
    assert "src:5 're<U+001B>[31mfund'" in told and "no single row is against it; observed: 9" in told
    assert "hallmark data quarantine six --source src" in told and "3 expectations of run six failed" in told
    first, *others = hallmark_json(project, *asked)["failed"]
    assert [row["row"] for row in first["rows"]] == [5] and [each["rows"] for each in others] == [[], []]
    told = hallmark(project, *asked[:-1], "ml-engineer")
    assert "1 row of sources that you may not look at" in told and "fund" not in told
