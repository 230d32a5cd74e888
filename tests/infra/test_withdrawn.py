"""The commands tell what has a withdrawn source, also where a release or sources.yaml does not help."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tasks.core.files import write_json
from tasks.core.layout import Layout
from tasks.ledger.ledger import open_ledger
from tasks.runs import journal
from tasks.runs.journal import Journal
from tasks.runs.run import installed_governance
from tests.editing import edit
from tests.in_process import hallmark, hallmark_json
from tests.infra.promoted import promote

UNREADABLE = "what these releases were trained on cannot be read on this machine: tiny-1"


@pytest.fixture(scope="module")
def project(project: Path) -> Path:
    """A checkout whose ledger knows a release that another machine promoted."""
    promote(open_ledger(project / ".hallmark"), installed_governance(project, None))
    return project


@pytest.fixture
def owned_by(project: Path) -> Iterator[Path]:
    """sources.yaml, put back afterwards."""
    path = project / "infra" / "governance" / "sources.yaml"
    before = path.read_text()
    yield path
    path.write_text(before)


def act(project: Path, who: str, *more: str, code: int = 0) -> str:
    return hallmark(project, "data", "withdraw", "messages", "--reason", "r", "--as", who, *more, code=code)


def test_what_is_recorded_is_confirmed_though_a_release_cannot_be_read(project: Path) -> None:
    told = act(project, "data-owner")
    assert "source messages was withdrawn on 20" in told and UNREADABLE in told
    (row,) = hallmark_json(project, "data", "list")
    assert row["withdrawn"].startswith("source messages was withdrawn by data-owner") and row["releases"] == []
    assert UNREADABLE in hallmark(project, "data", "list")
    told = hallmark(project, "data", "find", "--record", "0123456789abcdef")
    assert UNREADABLE in told and "in no dataset" in told
    restored = ("data", "withdraw", "messages", "--restore", "--reason", "r", "--as", "data-owner")
    document = hallmark_json(project, *restored)
    assert (document["state"], document["releases"], document["unreadable_releases"]) == ("given", [], ["tiny-1"])


def test_a_former_owner_who_gives_it_again_is_told_that_it_stays_withdrawn(project: Path, owned_by: Path) -> None:
    act(project, "data-owner")
    edit(owned_by, "owner: data-owner", "owner: risk-officer")
    assert "source messages was withdrawn on 20" in act(project, "risk-officer")
    told = act(project, "data-owner", "--restore")
    assert "your withdrawal is taken back" in told and "was withdrawn by risk-officer" in told
    assert "is given again" in act(project, "risk-officer", "--restore")


def test_a_withdrawn_source_that_sources_yaml_names_no_longer_is_told(project: Path, owned_by: Path) -> None:
    act(project, "data-owner")
    state = project / ".hallmark"
    counts = {"rows": 3, "records": 3, "quarantined": {}}
    result = Layout(state / "runs" / "old").artefacts("ingest") / "result.json"
    write_json(result, {"sources": [{"id": "messages", "counts": counts}]})
    journal.write_journal(state, Journal(run="old", requested_by="ml-engineer", status="failed"))
    edit(owned_by, "id: messages", "id: letters")
    told = hallmark(project, "data", "list")
    assert "messages is not in sources.yaml; in runs: old; in releases: none" in told
    letters, messages = hallmark_json(project, "data", "list")
    assert (letters["source"]["id"], letters["withdrawn"]) == ("letters", None)
    assert (messages["source"], messages["runs"]) == ({"id": "messages"}, ["old"]) and messages["withdrawn"]
