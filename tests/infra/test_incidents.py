"""`hallmark incidents`: what is open, what happened, and who closed it."""

from pathlib import Path

from tasks.incidents import incidents
from tasks.ledger.ledger import open_ledger
from tasks.policy import in_force
from tests.in_process import hallmark, hallmark_json


def test_an_incident_is_listed_shown_and_closed_by_whose_it_is(project: Path) -> None:
    assert "no incident is open" in hallmark(project, "incidents", "list")
    ledger = open_ledger(project / ".hallmark")
    governed = in_force.load_in_force(project / "infra" / "governance", project / ".hallmark", ledger)
    told = "the alias was moved to version 1"
    incidents.open_incident_if_new(ledger, governed, "alias-moved", "tiny", {}, "major", "risk_officer", told)
    (listed,) = hallmark_json(project, "incidents", "list")
    assert (listed["what"], listed["about"], listed["role"], listed["state"]) == (
        "alias-moved", "tiny", "risk_officer", "open"
    )  # fmt: skip
    shown = hallmark(project, "incidents", "show", listed["id"])
    assert told in shown and "risk_officer" in shown
    close = ("incidents", "close", listed["id"], "--reason", "set back", "--as")
    assert "risk_officer" in hallmark(project, *close, "ml-engineer", code=1)
    assert "is closed: entry" in hallmark(project, *close, "risk-officer")
    assert hallmark_json(project, "incidents", "list") == []
    (closed,) = hallmark_json(project, "incidents", "list", "--all")
    assert (closed["closed"]["person"], closed["closed"]["reason"]) == ("risk-officer", "set back")
    assert "closed" in hallmark(project, *close, "risk-officer", code=1)
    assert "there is no incident 'nosuch'" in hallmark(project, "incidents", "show", "nosuch", code=2)
