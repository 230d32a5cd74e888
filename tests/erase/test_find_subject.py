"""The records of one person are found by an address or by a name that is theirs alone, and no one else's."""

import shutil

import pytest

from tasks.core.errors import InputError, Refused
from tasks.core.files import read_json
from tasks.erase import affected_runs, find_subject
from tasks.erase.find_subject import FoundSubject
from tasks.erase.subject import Subject
from tasks.inquiry.lineage import indexing
from tests.stages.data.build import Run, params, several, stages, worded

JOHN = "John Smith"
MAIL, OTHER_MAIL = "john.smith@example.org", "jsmith@example.com"


def made(run: Run, texts: list[str], indexed: bool = True) -> Run:
    rows = [*worded("tickets", 12), *({"text": text, "label": "label0"} for text in texts)]
    run.resolve(*several(run.root, {"tickets": rows}))
    for stage in stages().values():
        stage.run(params(test_share=0.3), run.layout)
    if indexed:
        indexing.add_dataset(run.layout, "tests")
    return run


def found(run: Run, *values: str, records: tuple[str, ...] = ()) -> FoundSubject:
    return find_subject.find_subject(run.layout.state, values, records)


def rows(subject: Subject) -> list[int]:
    return sorted(each.row for each in subject.records)


TWO = [
    f"My name is {JOHN}, write to {MAIL}",
    f"My name is {JOHN}, write to {OTHER_MAIL}",
    f"My name is {JOHN} and my card is lost",
]


def test_two_people_of_the_same_name_are_told_apart(run: Run) -> None:
    made(run, TWO)
    with pytest.raises(Refused, match="3 records name somebody of this name, and they may be several people") as told:
        found(run, JOHN)
    assert MAIL not in str(told.value) and "[email:" in str(told.value)
    one = found(run, JOHN, MAIL)
    assert rows(one.subject) == [13] and one.unattributed == 2
    assert not any(token.startswith("name:") for token in one.subject.tokens), "the name is another's too"
    assert one.subject.values == [MAIL]


def test_a_record_is_named_by_its_id(run: Run) -> None:
    made(run, TWO)
    ids = {row["row"]: row["record_id"] for row in run.records_of("ingest", "rows")}
    one = found(run, MAIL, records=(ids[15],))
    assert rows(one.subject) == [13, 15] and len(one.subject.rows) == 1
    with pytest.raises(InputError, match="no dataset and no run here has record 0000"):
        found(run, records=("0" * 32,))


def test_a_name_with_one_address_is_one_person(run: Run) -> None:
    made(run, [TWO[0], TWO[2]])
    one = found(run, JOHN)
    assert rows(one.subject) == [13, 14] and one.unattributed == 0 and one.subject.values == [JOHN]


def test_a_name_is_found_in_another_order(run: Run) -> None:
    made(run, ["My name is Ada Lovelace and my card is lost", "Name: Lovelace, Ada", "My name is Ada Byron"])
    for asked in ("Ada Lovelace", "Lovelace, Ada", "Lovelace Ada"):
        one = found(run, asked)
        assert rows(one.subject) == [13, 14] and one.subject.values == [asked]


def test_other_values_in_the_records_are_counted(run: Run) -> None:
    made(run, TWO)
    one = found(run, MAIL)
    (name,) = one.companions
    assert name.startswith("name:") and one.companions[name] == 1 and one.subject.companions == 1
    named = found(run, records=(ids_of(run)[13],))
    assert {token.partition(":")[0] for token in named.companions} == {"name", "email"}


def test_a_name_is_not_suppressed_if_an_address_is_known(run: Run) -> None:
    """Others of this name come later. The row that only has the name is recognised by its text."""
    made(run, [TWO[0], TWO[2]])
    one = found(run, JOHN, MAIL)
    assert rows(one.subject) == [13, 14] and one.unattributed == 0 and one.subject.values == [JOHN, MAIL]
    assert any(token.startswith("name:") for token in one.subject.tokens), "it is removed from vault and index"
    refreshed = [*worded("tickets", 12), *({"text": text, "label": "label0"} for text in [*TWO, f"I am {JOHN} too"])]
    run.resolve(*several(run.root, {"tickets": refreshed}), suppressed=one.subject.digests)
    stages()["ingest"].run(params(), run.layout)
    assert run.rules_of("ingest") == {13: "erased", 15: "erased"}


def test_a_record_that_new_runs_could_not_leave_out_is_refused(run: Run) -> None:
    made(run, TWO)
    ids = ids_of(run)
    shutil.rmtree(run.root / "artefacts")
    with pytest.raises(Refused, match=f"record {ids[3][:16]}: the files of its run are gone"):
        found(run, records=(ids[3],))
    assert rows(found(run, MAIL, records=(ids[13],)).subject) == [13], "its address recognises it"


def ids_of(run: Run) -> dict[int, str]:
    return {row["row"]: row["record_id"] for row in run.records_of("ingest", "rows")}


def test_nobody_is_found(run: Run) -> None:
    made(run, TWO)
    with pytest.raises(Refused, match="nothing here is about this person"):
        found(run, "grace@example.org")


@pytest.mark.parametrize("value", [MAIL, MAIL.upper()])
def test_their_rows_do_not_come_back_with_a_refreshed_source(run: Run, value: str) -> None:
    made(run, TWO)
    digests = found(run, value).subject.digests
    refreshed = [*worded("tickets", 12), {"text": "new first row", "label": "label0"}]
    refreshed += [{"text": text, "label": "label0"} for text in TWO]
    sources = several(run.root, {"tickets": refreshed})
    run.resolve(*sources, suppressed=digests)
    result = stages()["ingest"].run(params(), run.layout)
    assert run.rules_of("ingest") == {14: "erased"}
    assert result.counts.quarantined == {"erased": 1} and result.counts.rows == result.counts.records + 1
    assert run.result("ingest")["sources"][0]["protected"].get("email") == 1, "values of the row are not counted"


def test_a_row_that_was_named_by_its_id_does_not_come_back(run: Run) -> None:
    made(run, TWO)
    ids = {row["row"]: row["record_id"] for row in run.records_of("ingest", "rows")}
    digests = found(run, records=(ids[3],)).subject.digests
    refreshed = [{"text": "new first row", "label": "label0"}, *worded("tickets", 12)]
    run.resolve(*several(run.root, {"tickets": refreshed}), suppressed=digests)
    stages()["ingest"].run(params(), run.layout)
    assert run.rules_of("ingest") == {4: "erased"}


def test_a_run_that_is_in_no_index_is_read(run: Run) -> None:
    """Such a run failed before its data gate, or waits there."""
    made(run, TWO, indexed=False)
    one = found(run, MAIL)
    assert rows(one.subject) == [13] and affected_runs.find_affected(run.layout.state, one.subject.tokens).runs == [
        run.root.name
    ]


def test_people_are_told_apart_when_the_files_of_the_run_are_gone(run: Run) -> None:
    made(run, TWO)
    shutil.rmtree(run.root / "artefacts")
    with pytest.raises(Refused, match="3 records name somebody of this name, and they may be several people"):
        found(run, JOHN)
    assert rows(found(run, JOHN, MAIL).subject) == [13]


def test_code_of_an_earlier_version_reads_the_sources_while_nobody_is_erased(run: Run) -> None:
    made(run, TWO)
    assert "suppressed" not in read_json(run.layout.sources_path)
    digests = found(run, MAIL).subject.digests
    run.resolve(*several(run.root, {"tickets": worded("tickets", 12)}), suppressed=digests)
    assert read_json(run.layout.sources_path)["suppressed"] == digests
