"""A run opens no gate on a ledger that somebody changed while the run went on."""

from pathlib import Path

import pytest

from flows.gates import pass_gate
from flows.partial_work import PartialFailure
from flows.watch import local_periodic_work
from tasks.core.errors import Refused
from tasks.registry.admit import admission, outbox
from tests.checkouts import Checkouts
from tests.in_process import hallmark
from tests.ledger_tampering import change_entry
from tests.tiny_project import create


@pytest.mark.attack(rights="database", stopped="a run looks at the ledger before every gate, under the signed head")
def test_no_gate_opens(tmp_path: Path, checkouts: Checkouts) -> None:
    project = checkouts.ready(tmp_path / "project")
    run = create(project, "20260101-000000-abcd")
    hallmark(project, "ledger", "publish")
    change_entry(project / ".hallmark" / "ledger.db", 2)
    with pytest.raises(Refused, match="So nothing is done on it"):
        pass_gate(run, "data")
    assert not run.layout.evidence_path("data").exists()


@pytest.mark.attack(rights="database", stopped="nothing is delivered to a ledger that was changed")
def test_the_watch_keeps_its_records_from_such_a_ledger(tmp_path: Path, checkouts: Checkouts) -> None:
    project = checkouts.ready(tmp_path / "project")
    hallmark(project, "ledger", "publish")
    change_entry(project / ".hallmark" / "ledger.db", 2)
    outbox.store_record(project / ".hallmark", "1-kept", admission.ADMITTED, "triage", {"server": "one"})
    with pytest.raises(PartialFailure, match="records kept of admissions: the ledger was changed by hand"):
        local_periodic_work(project)
    assert outbox.has_records(project / ".hallmark")
