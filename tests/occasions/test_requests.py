"""The request of an occasion is the one that was signed for its run."""

import pytest

from tasks.core.errors import Refused
from tasks.gates import signed_request
from tasks.scheduling import requests
from tasks.scheduling.occasion_entries import OccasionRequest
from tasks.scheduling.occasion_log import TAKEN, OccasionLog
from tests.governed.house import House


def taken(house: House, run: str, envelope: object) -> OccasionRequest:
    """As somebody writes it who reaches the ledger's database."""
    body = {"name": "nightly", "reason": "r", "due": None, "run": run, "installation": "here", "envelope": envelope}
    house.ledger.append(TAKEN, f"nightly/{run}", body)
    (waiting,) = OccasionLog().update(house.ledger).pending_occasions("here")
    return requests.read_request(waiting)


def test_what_was_signed_is_asked_for(house: House) -> None:
    envelope = house.sign_request("run-1", reason="schedule nightly")
    asked = taken(house, "run-1", envelope)
    assert (asked.request.run_id, asked.request.reason, asked.envelope) == ("run-1", "schedule nightly", envelope)


@pytest.mark.attack(rights="database", stopped="an occasion makes a run by a signed request for that run alone")
@pytest.mark.parametrize("envelope", [None, {}, "text", {"payload": "e30=", "payloadType": "x", "signatures": []}])
def test_an_occasion_without_a_request_makes_no_run(house: House, envelope: object) -> None:
    with pytest.raises(Refused):
        taken(house, "run-1", envelope)


@pytest.mark.attack(rights="database", stopped="an occasion makes a run by a signed request for that run alone")
def test_the_request_of_another_run_is_asked_for_no_second_time(house: House) -> None:
    with pytest.raises(Refused, match="has the request of another run, run-1; nothing is asked for"):
        taken(house, "run-2", house.sign_request("run-1"))


def test_a_reason_is_part_of_what_is_signed_and_older_requests_have_none(house: House) -> None:
    said = signed_request.record_request(
        house.ledger, house.governance, house.sign_request("run-1", reason="why")
    ).request
    other = house.sign_request("run-1", reason="another")
    assert said.reason == "why"
    with pytest.raises(Refused, match="was asked for already"):
        signed_request.record_request(house.ledger, house.governance, other)
    older = {key: value for key, value in said.json_value.items() if key != "reason"}
    read = signed_request.SignedRunRequest.from_value(older)
    assert read.reason is None and "reason" not in read.json_value, "its digest is what it was"
