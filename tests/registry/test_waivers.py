"""Whoever looks at a release is told of the waivers that it stands on, wherever they look."""

import dataclasses
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from infra.cli.releases import champion, listing
from tasks.gates import cases, signed_decision
from tasks.gates.cases import GateCase
from tasks.gates.evidence import evidence_bytes
from tasks.registry.promote import releases
from tasks.registry.promote.waivers import FailedCheck
from tasks.trust import dsse
from tests.registry.conftest import changed, copied
from tests.registry.house import House

REASON = "too few rows of returns; the next extract has them"


@pytest.fixture(scope="module")
def until() -> datetime:
    return datetime.now(UTC) + timedelta(days=20)


@pytest.fixture(scope="module")
def waived_once(tmp_path_factory: pytest.TempPathFactory, founded_once: Path, until: datetime) -> Path:
    def release(house: House) -> None:
        house.release("run-0", b"first")
        house.release_waived("run-1", until, REASON)
        house.release("run-2", b"third")

    return changed(founded_once, release, tmp_path_factory.mktemp("house") / "house")


@pytest.fixture
def waived(tmp_path: Path, waived_once: Path, monkeypatch: pytest.MonkeyPatch) -> House:
    """triage-1 stands on no waiver, triage-2 on two until the moment `until`, triage-3 on none again."""
    house = copied(waived_once, tmp_path / "house")
    monkeypatch.setenv("HALLMARK_ROOT", str(house.checkout()))
    return house


def pass_by(house: House, until: datetime, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(type(house.ledger), "now", lambda _: until + timedelta(seconds=1))


def documents(capsys: pytest.CaptureFixture[str]) -> Any:
    return json.loads(capsys.readouterr().out)


def test_every_command_about_a_release_tells_its_waivers(
    waived: House, until: datetime, capsys: pytest.CaptureFixture[str]
) -> None:
    listing.show("triage-2", as_json=True)
    told = documents(capsys)["waivers"]
    assert {each["check"] for each in told} == {"good enough", "right answers"}
    for each in told:
        assert (each["gate"], each["who"], each["reason"]) == ("evaluation", "risk-officer as risk", REASON)
        assert datetime.fromisoformat(each["expires"]) == until and each["counts"] and each["entry"]
    listing.list_releases(as_json=True)
    every = {release["version"]: release["waivers"] for release in documents(capsys)}
    assert every == {1: [], 2: told, 3: []}
    champion.champion((waived.ledger.now()).isoformat(), as_json=True)
    (model,) = documents(capsys)["models"]
    assert (model["champion"]["waivers"], model["rollback"]["waivers"]) == ([], told)


def test_every_command_about_a_release_tells_its_decisions(waived: House, capsys: pytest.CaptureFixture[str]) -> None:
    """With reason, time and entry; and says one time of the promotion."""
    listing.show("triage-2", as_json=True)
    told = documents(capsys)
    entries = {entry.seq: entry for entry in waived.ledger.entries("gate.decision")}
    decided = [
        (it["gate"], it["verb"], it["person"], it["role"], it["reason"], it["counted"]) for it in told["decisions"]
    ]
    assert decided == [
        ("data", "approve", "owner", "data-owner", "seen", True),  # given at run-0, and carried over
        ("data", "approve", "owner", "data-owner", "seen", False),
        ("evaluation", "approve", "product", "product-owner", "short, and worth it", True),
        ("evaluation", "waive", "risk-officer", "risk", REASON, True),
        ("release", "approve", "risk-officer", "risk", "seen", True),
    ]
    assert [it["run"] for it in told["decisions"]] == ["run-0", *["run-1"] * 4]
    assert all(datetime.fromisoformat(it["time"]) == entries[it["entry"]].time for it in told["decisions"])
    made = waived.ledger.entries("promotion.made")
    assert datetime.fromisoformat(told["promoted_at"]) == made[1].time
    listing.show("triage-2")
    read = capsys.readouterr().out
    for each in told["decisions"]:
        aside = "" if each["counted"] else ", not among those that it was passed on"
        when = f"{each['time'][:10]} {each['time'][11:19]} UTC (ledger entry {each['entry']}{aside})"
        assert f"as {each['role']}, {when}: {each['reason']}" in read
    listing.list_releases(as_json=True)
    assert [datetime.fromisoformat(each["promoted_at"]) for each in documents(capsys)] == [it.time for it in made]
    waived.roll_back()
    listing.show("triage-1", as_json=True)
    brought = documents(capsys)
    back = waived.ledger.entries("promotion.made")[3].time
    assert [datetime.fromisoformat(brought[name]) for name in ("first_promoted_at", "promoted_at")] == [
        made[0].time,
        back,
    ]
    listing.show("triage-1")
    assert f"{made[0].time:%Y-%m-%d %H:%M:%S} UTC; brought back {back:%Y-%m-%d %H:%M:%S} UTC" in capsys.readouterr().out


def test_people_read_the_same(waived: House, until: datetime, capsys: pytest.CaptureFixture[str]) -> None:
    line = (
        f"evaluation gate, check 'good enough': waived by risk-officer as risk, counts until {until:%Y-%m-%d %H:%M} UTC"
    )
    listing.show("triage-2")
    told = capsys.readouterr().out
    assert f"{line}: {REASON}" in told and "'right answers'" in told
    listing.show("triage-3")
    assert "waivers         none" in capsys.readouterr().out
    listing.list_releases()
    rows = capsys.readouterr().out.splitlines()
    place = rows[0].index("waivers")
    assert [row[place : place + 7].strip() for row in rows[1:]] == ["", "2", ""]
    second = waived.ledger.entries("promotion.made")[1].time
    champion.champion(second.isoformat())
    assert f"{line}: {REASON}" in capsys.readouterr().out


def test_one_that_has_expired_says_so_and_counted_in_its_time(
    waived: House, until: datetime, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    second = waived.ledger.entries("promotion.made")[1].time
    pass_by(waived, until, monkeypatch)
    listing.show("triage-2")
    assert f"EXPIRED on {until:%Y-%m-%d %H:%M} UTC" in capsys.readouterr().out
    listing.list_releases()
    assert "2, 2 of them no more" in capsys.readouterr().out
    champion.champion(second.isoformat())
    assert f"counts until {until:%Y-%m-%d %H:%M} UTC" in capsys.readouterr().out


def test_one_that_cannot_be_verified_is_told_as_that(
    waived: House, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    people = waived.governance.people.model_copy(
        update={"people": [each for each in waived.governance.people.people if each.id != "risk-officer"]}
    )
    known = dataclasses.replace(waived.governance, people=people)
    monkeypatch.setattr(listing, "open_to_read", lambda: (waived.ledger, known))
    listing.show("triage-2", as_json=True)
    assert [(each["who"], each["counts"]) for each in documents(capsys)["waivers"]] == [("", False)] * 2


def test_the_documents_of_a_folder_that_is_gone_still_tell(waived: House, capsys: pytest.CaptureFixture[str]) -> None:
    """They are read from the ledger, not from the release's folder."""
    waived.bundle("triage-2").rename(Path(waived.root) / "elsewhere")
    listing.show("triage-2", as_json=True)
    assert len(documents(capsys)["waivers"]) == 2


def told(house: House) -> list[FailedCheck]:
    (release,) = [each for each in releases.list_releases(house.ledger, house.governance) if each.version == 2]
    return releases.failed_checks(release, house.ledger, house.governance)


def opened(house: House) -> GateCase:
    return cases.read_cases(house.ledger, "run-1", "evaluation")[-1]


def decide_by_hand(house: House, person: str, **said: object) -> None:
    """Append a decision that Hallmark would not have let this person sign."""
    case, by_digest = opened(house), house.ledger.entries(signed_decision.ENTRY_KIND)
    waivers = (signed_decision.read_decision(each, house.governance) for each in by_digest)
    known = next(each for each in waivers if each.decision.verb == "waive")
    changed = known.decision.model_copy(update={"person": person, "time": house.ledger.now()} | said)
    statement = signed_decision.decision_statement(changed, known.stage, known.subject_sha256, case.sha256)
    envelope = dsse.sign_statement(statement, house.key(person))
    house.ledger.append(signed_decision.ENTRY_KIND, known.subject_sha256, {"envelope": envelope})


@pytest.mark.attack(rights="database", stopped="evidence is found by the digest in the promotion statement")
def test_evidence_that_is_put_on_the_ledger_later_hides_no_failed_check(waived: House) -> None:
    before, evidence = told(waived), opened(waived).evidence
    passed = [check.model_copy(update={"verdict": "passed"}) for check in evidence.checks]
    forged = evidence.model_copy(update={"checks": passed})
    waived.ledger.append(cases.ASKED, "run-1", cases.opening_body(forged), evidence_bytes(forged))
    assert not [check for check in opened(waived).evidence.checks if check.verdict == "failed"]
    assert told(waived) == before != []


@pytest.mark.attack(rights="approver", stopped="a waiver of a release counts by the rules of its gate")
@pytest.mark.parametrize("person", ["engineer", "product", "risk-officer"])
def test_a_waiver_by_whoever_may_not_waive_or_too_late_counts_for_no_release(waived: House, person: str) -> None:
    before = told(waived)
    decide_by_hand(waived, person, expires=datetime(2099, 1, 1, tzinfo=UTC))
    assert told(waived) == before


@pytest.mark.attack(rights="approver", stopped="a person withdraws their own decisions")
def test_nobody_withdraws_the_waiver_of_another_person(waived: House) -> None:
    before = told(waived)
    digests = [dsse.envelope_digest(e.body["envelope"]) for e in waived.ledger.entries(signed_decision.ENTRY_KIND)]
    decide_by_hand(
        waived, "engineer", verb="withdraw", role="", checks=[], expires=None, reason="mine", withdraws=sorted(digests)
    )
    assert told(waived) == before


def test_a_waiver_counts_by_the_policy_under_which_it_was_given(waived: House, until: datetime) -> None:
    waived.adopt(
        lambda text: text.replace("waive: {role: risk, max_days: 30}", "waive: {role: product-owner, max_days: 1}")
    )
    assert [each.expires for each in told(waived)] == [until, until]


def test_one_that_was_withdrawn_is_none(house: House) -> None:
    """What counts is the shorter one that its author signed instead."""
    soon = house.ledger.now() + timedelta(days=5)
    release = house.release_waived("run-1", soon, withdrawn=soon + timedelta(days=20))
    relied = releases.failed_checks(release, house.ledger, house.governance)
    assert [each.expires for each in relied] == [soon, soon]
