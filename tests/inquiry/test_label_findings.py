"""Labels to look at: named with their rows to who may see single records of the source, and to nobody else."""

import pyarrow as pa
import pytest

from tasks.core.errors import InputError, Refused
from tasks.core.records.record import LABEL_FINDINGS_SCHEMA, read_table, write_table
from tasks.inquiry import label_findings
from tasks.inquiry.label_findings import LabelFindings
from tasks.policy.people import Person
from tasks.stages.data.split.partitions import TEST, TRAIN
from tests.stages.data.build import OWNERS, Run, record, several

ROWS = {"tickets": 30, "chats": 4, "emails": 3}


@pytest.fixture
def done(run: Run) -> Run:
    """Through `split`: chats misspell a label of tickets, and emails have one that only the test has, in two rows."""
    run.root.mkdir(parents=True, exist_ok=True)
    items = [record(f"ticket {n}", "refund", number=n, source_id="tickets", split=TRAIN) for n in range(30)]
    items += [record(f"chat {n}", "refnud", number=100 + n, source_id="chats", split=TRAIN) for n in range(2)]
    items += [record(f"mail {n}", "odd one", number=200 + n, source_id="emails", split=TEST) for n in range(2)]
    items.append(record("ticket to test", "refund", number=300, source_id="tickets", split=TEST))
    run.split(items)
    rows = read_table(run.layout.artefacts("ingest") / "rows.parquet").to_pylist()
    names = {item["record_id"]: item["source_id"] for item in items}
    run.put_rows([row | {"source_id": names[row["record_id"]]} for row in rows])
    run.resolve(
        *several(run.root, {name: [{"text": "a", "label": "b"}] * count for name, count in ROWS.items()}, steward="bob")
    )
    return run


def seen(run: Run, who: str, most: int = 5) -> LabelFindings:
    return label_findings.find_label_findings(run.layout, run.access(Person(id=who, name=who, roles=["auditor"])), most)


def test_each_owner_sees_the_labels_of_their_rows(done: Run) -> None:
    mail = seen(done, OWNERS["emails"])
    (odd,) = mail.findings
    assert (odd.finding, odd.label, odd.near, odd.total, mail.withheld) == ("not_trained", "odd one", None, 2, 2)
    assert [(row.source_id, row.row) for row in odd.rows] == [("emails", 33), ("emails", 34)]
    assert {row.partition for row in odd.rows} == {"test"}
    assert odd.rows[0].record_id == f"{200:032x}"
    (near,) = seen(done, OWNERS["chats"], 1).findings
    assert (near.finding, near.label, near.total, len(near.rows)) == ("near_equal", "refnud", 2, 1)


@pytest.mark.attack(rights="visitor", stopped="texts of records are for who may see single records of their source")
def test_the_label_that_another_one_nearly_equals_is_for_who_may_see_rows_of_it(done: Run) -> None:
    (near,) = seen(done, OWNERS["chats"]).findings
    assert near.near is None
    with pytest.raises(Refused, match=r"may see none of the 4 rows .* that takes owner, steward .* chats, emails"):
        seen(done, OWNERS["tickets"])
    with pytest.raises(Refused) as told:
        seen(done, "nobody")
    assert "odd one" not in str(told.value) and "refnud" not in str(told.value)
    none = label_findings.find_label_findings(
        done.layout, done.access(Person(id="nobody", name="n", roles=["auditor"])), 5, refuse_if_all_withheld=False
    )
    assert (none.findings, none.withheld) == ([], 4)


def test_who_may_see_all_sources_sees_both_labels(run: Run, done: Run) -> None:
    fields = {"owner": "ada"}
    run.resolve(*several(run.root, {name: [{"text": "a", "label": "b"}] for name in ROWS}, **fields))
    assert [(each.label, each.near) for each in seen(done, "ada").findings] == [("refnud", "refund"), ("odd one", None)]
    assert seen(done, "ada").withheld == 0


@pytest.mark.attack(rights="stage", stopped="files of a run that disagree about the source of a record are not shown")
def test_a_record_under_another_source_than_ingest_said_is_not_shown(done: Run) -> None:
    path = label_findings.findings_path(done.layout)
    rows = [row | {"source_id": "chats"} for row in read_table(path).to_pylist()]
    write_table(pa.Table.from_pylist(rows, schema=LABEL_FINDINGS_SCHEMA), path)
    with pytest.raises(Refused, match=r"disagree about the source of a record; nothing is shown"):
        seen(done, OWNERS["chats"])


def test_a_run_without_the_list_is_told(run: Run) -> None:
    run.root.mkdir(parents=True, exist_ok=True)
    with pytest.raises(InputError, match=r"has no list of labels here; name one that has been through `split`"):
        label_findings.find_label_findings(run.layout, None, 5)  # type: ignore[arg-type]
