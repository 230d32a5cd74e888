"""Every decision that a gate's page offers would be taken from who looks, and no other would."""

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from html import unescape
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from starlette.testclient import TestClient

from tasks.gates import cases, decisions
from tasks.gates.decisions import DECISION_VERBS
from tasks.ledger.ledger import open_ledger
from tasks.runs.run import installed_governance
from tasks.trust import keys
from tests.checkouts import Checkouts
from tests.console.conftest import FAILING, WAITING, copy_of_lived_in
from tests.console.visits import console_of, seated
from tests.soaking import soak

OF_EACH_KIND = ("data-owner", "ml-engineer", "risk-officer", "demo-data-owner")
"""People of each kind: one who decides at the gate, the requester of the runs, one who waives, a demo identity."""
OTHERS = ("product-owner", "colleague", "demo-risk-officer")


@pytest.fixture
def root(tmp_path: Path, checkouts: Checkouts, shared: Path) -> Path:
    """A checkout of its own, since people decide in it."""
    return copy_of_lived_in(checkouts, shared, tmp_path / "project")


@pytest.fixture
def app(root: Path) -> FastAPI:
    return console_of(root)


def offered(page: str) -> set[str]:
    return set(re.findall('name="verb" value="([a-z]+)"', page))


def commands(page: str) -> list[str]:
    return [unescape(line) for line in re.findall("hallmark gates [a-z]+ [^<]*", page)]


def wanted(root: Path, person: str, page: str, verb: str) -> dict[str, Any]:
    """What the page's form sends for a verb, with everything ticked that it offers to tick."""
    asked = json.loads(unescape(re.findall('data-asked="([^"]+)"', page)[0])) if "data-asked" in page else None
    evidence = asked["wish"]["evidence"] if asked else re.findall("Evidence SHA-256 <code>([0-9a-f]{64})", page)[0]
    checks = [unescape(name) for name in re.findall('name="checks" value="([^"]+)"', page)]
    waives = verb == "waive"
    return {
        "verb": verb, "reason": "as the page offers it", "evidence": evidence,
        "public_key": (root / ".hallmark" / "keys" / f"{person}.pub").read_text().strip(),
        "checks": (checks or ["enough rows"]) if waives else [],
        "expires": f"{datetime.now(UTC) + timedelta(days=2):%Y-%m-%d}" if waives else "",
    }  # fmt: skip


def require_true(app: FastAPI, root: Path, where: str, people: tuple[str, ...]) -> None:
    """At every gate, for everybody: what is offered would be drawn up, anew; what is not would be refused, be what they
    have said already, or waive once more what is waived."""
    for person in people:
        client = seated(app, root, person)
        inbox = client.get("/").text
        for run in (WAITING, FAILING):
            page = client.get(f"/gates/{run}/data").text
            taken = {verb for verb in DECISION_VERBS if is_taken(client, run, wanted(root, person, page, verb))}
            if "waive" not in offered(page) and "said waive" in where:
                taken.discard("waive")
            assert offered(page) == taken, f"{where}: {person} at the gate of {run}"
            assert {line.split()[2] for line in commands(page)} == taken
            theirs = inbox.partition("Waiting for others")[0]
            assert (run in theirs) == bool(taken & {"approve", "waive"}), f"{where}: the inbox of {person}"


def is_taken(client: TestClient, run: str, wish: dict[str, Any]) -> bool:
    answer = client.post(f"/gates/{run}/data/draw", json=wish)
    assert answer.status_code in (200, 409, 422), answer.text
    return answer.status_code == 200 and answer.json()["entry"] is None


def steps(root: Path) -> Iterator[str]:
    """People decide one after the other, and take it back."""
    yield "nobody has decided"
    for person, run, verb in (
        ("data-owner", WAITING, "reject"),
        ("data-owner", WAITING, "withdraw"),
        ("data-owner", FAILING, "approve"),
        ("data-owner", FAILING, "withdraw"),
        ("risk-officer", FAILING, "waive"),
    ):
        ledger, governed = open_ledger(root / ".hallmark"), installed_governance(root, None)
        case = cases.read_cases(ledger, run)[-1]
        waiver: dict[str, Any] = {}
        if verb == "waive":
            failed = tuple(check.name for check in case.evidence.checks if check.verdict == "failed")
            waiver = {"checks": failed, "expires": ledger.now() + timedelta(days=2)}
        decisions.decide(ledger, governed, case.evidence, person, verb, "as it goes", **waiver)
        yield f"{person} has said {verb} at {run}"


@pytest.mark.parametrize("people", [OF_EACH_KIND, *soak([(OTHERS,)])], ids=["one of each kind", "others"])
def test_what_a_gate_offers_is_what_would_be_taken_and_nothing_else(
    root: Path, app: FastAPI, people: tuple[str, ...]
) -> None:
    assert keys.fingerprint((root / ".hallmark" / "keys" / "data-owner.pub").read_text())
    for where in steps(root):
        require_true(app, root, where, people)
