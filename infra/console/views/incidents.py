"""List of incidents, and one incident with the form that closes it."""

from infra.console.site import RequestState
from infra.console.views.signing_form import SigningForm, key_fingerprints, optional_fields
from tasks.core.documents.config import FrozenModel
from tasks.incidents import incidents as record
from tasks.incidents import signed_incident
from tasks.incidents.incidents import IncidentSummary
from tasks.incidents.signed_incident import Opening, closing_obstacle
from tasks.policy.people import Person


class Incidents(FrozenModel):
    rows: list[IncidentSummary]
    """Open incidents before closed ones, each sorted from newest to oldest."""


def incidents(here: RequestState, person: Person) -> Incidents:
    known = [each.summary for each in record.read_all(here.ledger, here.governance)]
    newest = sorted(known, key=lambda each: each.opened, reverse=True)
    return Incidents(rows=sorted(newest, key=lambda each: each.state == "closed"))


class IncidentPage(FrozenModel):
    incident: IncidentSummary
    may_not: str
    """Reason why this person may not close the incident, in words; empty if they may."""
    asked_of: SigningForm | None
    """Form for closing the incident, to be signed in the browser; null if this person may not close it."""


def incident(here: RequestState, person: Person, incident: str) -> IncidentPage:
    found = record.get_incident(here.ledger, here.governance, incident)
    may_not = "it is closed" if found.closing else closing_obstacle(found.opening, person, here.ledger_time)
    asked = None if may_not else _signing_form(here, found.opening, person)
    return IncidentPage(incident=found.summary, may_not=may_not or "", asked_of=asked)


def _signing_form(here: RequestState, opened: Opening, person: Person) -> SigningForm:
    return SigningForm(
        path=f"/incidents/{opened.id}",
        type=signed_incident.CLOSING_KIND.uri,
        person=person.id,
        keys=key_fingerprints(here, person),
        about={
            "deed": "close", "id": opened.id, "cause": opened.cause, "role": opened.role,
            "environment": opened.environment,
        },
        defaults=optional_fields(signed_incident.CLOSING_KIND),
        digests=[opened.cause],
    )  # fmt: skip
