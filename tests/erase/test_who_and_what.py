"""An erasure is certified as it was decided last, by somebody who may, with numbers of what is really gone."""

import sqlite3
import threading
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tasks.core.errors import HallmarkError, Refused
from tasks.erase import certificates, conditions, decisions, execution, release_marks, requests, steps, subject
from tasks.erase.certificate_content import open_ends
from tasks.erase.erasure_lock import hold_lock
from tasks.erase.execution import Ruling
from tasks.erase.plan import ErasurePlan
from tasks.erase.present_places import PLACES
from tasks.erase.subject import Subject, SubjectRecord
from tasks.erase.verification import SearchResult
from tasks.policy.signed_document import SignedDocument
from tasks.runs.checkout import Checkout
from tasks.suppression import cases, in_force
from tasks.suppression.place_kinds import DELETE, KEEP, Kind
from tasks.suppression.signed_documents import (
    CERTIFICATE_KIND,
    CERTIFIED,
    DECIDED,
    DECISION_KIND,
    ErasureCertificate,
    ErasureDecision,
    KindOutcome,
)
from tasks.trust import dsse
from tests import whole_run
from tests.checkouts import Checkouts
from tests.erase.test_erasure import (
    ADA,
    DECIDER,
    HANDLER,
    REQUEST,
    UNTIL,
    decide,
    decide_all,
    request,
    take_out_of_source,
)
from tests.in_process import hallmark, hallmark_json, run_command

KEPT = ("--keep", "--until", UNTIL)


@pytest.fixture
def project(checkouts: Checkouts, tmp_path: Path) -> Path:
    return checkouts.released(tmp_path / "project")


@pytest.fixture(scope="module")
def asked(checkouts: Checkouts, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    project = checkouts.released(tmp_path_factory.mktemp("asked") / "project")
    return project, request(project)["erasure"]


def certify(project: Path, erasure: str, code: int = 0, who: tuple[str, ...] = DECIDER) -> str:
    return hallmark(project, "erase", "certify", erasure, "--to", str(project.parent / "c.json"), *who, code=code)


def outcomes(project: Path) -> dict[str, Any]:
    said = hallmark_json(project, "erase", "check", str(project.parent / "c.json"))
    return {each["kind"]: each for each in said["outcomes"]}


def test_it_is_certified_as_it_was_decided_last(project: Path) -> None:
    take_out_of_source(project)
    erasure = request(project)["erasure"]
    decide_all(project, erasure)
    decide(project, erasure, "source-cache", how=KEPT)
    hallmark(project, "erase", "execute", erasure)
    decide(project, erasure, "source-cache")
    assert "was not carried out to its end (source-cache)" in certify(project, erasure, 1)
    note = project / ".hallmark" / "runs" / whole_run.RUN / "inputs" / "note.txt"
    note.write_text(f"ask {ADA}")
    hallmark(project, "erase", "execute", erasure, code=1)
    assert "have it decided that what is left is kept" in certify(project, erasure, 1)
    assert "deleted already" in hallmark(
        project, "erase", "decide", erasure, "runs", "--delete", "--reason", "Art. 17", *DECIDER, code=1
    )
    decide(project, erasure, "runs", how=KEPT)
    assert "was not carried out to its end (runs)" in certify(project, erasure, 1)
    hallmark(project, "erase", "execute", erasure)
    assert "nobody decides on what they asked for" in certify(project, erasure, 1, HANDLER)
    assert "product-owner may not decide" in certify(project, erasure, 1, ("--as", "product-owner"))
    certify(project, erasure)
    found = outcomes(project)
    assert (found["runs"]["verb"], found["runs"]["removed"], found["runs"]["remaining"]) == ("keep", 1, 1)
    assert (found["source-cache"]["verb"], found["source-cache"]["removed"]) == ("delete", 1)


def test_a_search_follows_the_last_decision(project: Path) -> None:
    """Also if the decision is the same again."""
    take_out_of_source(project)
    erasure = request(project)["erasure"]
    decide_all(project, erasure)
    hallmark(project, "erase", "execute", erasure)
    decide(project, erasure, "backups", how=KEPT)
    assert "as it was decided last" in certify(project, erasure, 1)
    hallmark(project, "erase", "execute", erasure)
    certify(project, erasure)


def test_a_retired_release_is_marked_before_its_payload_is_gone(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another release was promoted, and the execution was killed between the removal and the step's entry."""
    take_out_of_source(project)
    erasure = request(project)["erasure"]
    decide_all(project, erasure)
    decide(project, erasure, "releases")
    here, payload = Checkout(project), project / ".hallmark" / "releases" / "tiny-1" / "payload"
    with monkeypatch.context() as patched, pytest.raises(Refused, match="release tiny-1 is in production"):
        patched.setattr(steps, "STEPS", dict(steps.STEPS) | {"source-cache": lambda *_: None})
        execution.execute(here, erasure, lambda _: None)
    assert payload.exists() and in_force.release_marks(here.ledger) == {}
    body = cases.get_case(here.ledger, here.governance, erasure).steps["source-cache"].body
    assert body["count"] == 0, "nothing is counted that is still there"
    monkeypatch.setattr(release_marks, "_require_not_in_production", lambda *_: None)

    def killed(here: Checkout, plan: ErasurePlan) -> None:
        steps.retire_releases(here, plan)
        raise KeyboardInterrupt

    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(steps, "STEPS", dict(steps.STEPS) | {"releases": killed})
        execution.execute(here, erasure, lambda _: None)
    assert not payload.exists()
    assert [mark.verb for mark in in_force.release_marks(here.ledger)["tiny-1"]] == ["delete"]
    assert hallmark_json(project, "erase", "plan", erasure)["releases"] == ["tiny-1"]
    assert execution.execute(here, erasure, lambda _: None).remaining == []
    certify(project, erasure)
    said = hallmark_json(project, "erase", "check", str(project.parent / "c.json"))
    assert [(each["release"], each["verb"]) for each in said["releases"]] == [("tiny-1", "delete")]
    assert outcomes(project)["releases"]["removed"] == 1 and outcomes(project)["source-cache"]["removed"] == 1


def test_another_request_is_another_erasure(project: Path) -> None:
    first = request(project, ADA, "ada@example.org")["erasure"]
    narrower = request(project)
    assert narrower["is_new"] and narrower["erasure"] != first


def test_what_is_not_removed_is_stated(asked: tuple[Path, str], monkeypatch: pytest.MonkeyPatch) -> None:
    here, runs = Checkout(asked[0]), [f"run-{number}" for number in range(700)]
    known = Subject(values=[], tokens=[], records=[], runs=runs)
    database = here.state / "mlflow" / "mlflow.db"
    database.parent.mkdir(exist_ok=True)
    with closing(sqlite3.connect(database)) as connection, connection:
        connection.execute("create table if not exists tags (key text, value text, run_uuid text)")
        rows = [("hallmark.run", runs[0], "u1"), ("hallmark.run", runs[699], "u2"), ("hallmark.run", "other", "u3")]
        connection.executemany("insert into tags (key, value, run_uuid) values (?, ?, ?)", rows)
    assert PLACES["tracking"](here, known).number == 2
    rulings: dict[Kind, Ruling] = {"tracking": Ruling(DELETE, "why", None, "risk-officer")}
    assert open_ends(here, ErasurePlan(known, {}, []), rulings) == []
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://mlflow.example.org")
    assert PLACES["tracking"](here, known).number == 700, "a server keeps what it marks as deleted"
    texts = open_ends(here, ErasurePlan(known, {}, ["tiny-3"]), rulings)
    assert len(texts) == 2 and "only marks them as deleted" in texts[0] and "release tiny-3" in texts[1]


def test_a_repeated_request_adds_what_it_found(project: Path) -> None:
    erasure, state = request(project)["erasure"], project / ".hallmark"
    known = subject.unseal(state, erasure)
    subject.seal(state, erasure, known.model_copy(update={"records": known.records[:1], "runs": ["run"]}))
    assert request(project)["erasure"] == erasure
    merged = subject.unseal(state, erasure)
    assert len(merged.records) == 20 and merged.runs == ["run"]


def test_a_reason_that_names_the_person_is_refused(asked: tuple[Path, str]) -> None:
    project, erasure = asked
    words = ("erase", "decide", erasure, "vault", "--delete", "--reason", "ADA  Lovelace asks", *DECIDER)
    assert "it names the person" in hallmark(project, *words, code=2)
    told = hallmark(
        project, "erase", "request", "--subject", ADA, *REQUEST[:3], "ada-lovelace", *REQUEST[4:], *HANDLER, code=2
    )
    assert "it names the person" in told
    assert Checkout(project).ledger.entries("erasure.decided") == []


def test_values_are_read_from_standard_input(asked: tuple[Path, str]) -> None:
    project, erasure = asked
    done = run_command(project, ("erase", "request", "--subject", "-", *REQUEST, *HANDLER), typed=f"{ADA}\n\n")
    assert done.returncode == 0 and f"erasure {erasure}: was requested before" in done.stdout


def record(project: Path, kind: str, statement: dict[str, Any], erasure: str, person: str) -> None:
    """Append what a person signed with no command of Hallmark."""
    here = Checkout(project)
    signer = here.governance.find_signer(here.governance.require_actor(person))
    here.ledger.append(kind, erasure, {"envelope": dsse.sign_statement(statement, signer)})


@pytest.mark.parametrize(
    ("person", "kind", "verb", "counts"),
    [
        ("data-owner", "vault", DELETE, False),
        ("ml-engineer", "vault", DELETE, False),
        ("risk-officer", "ledger", DELETE, False),
        ("risk-officer", "vault", KEEP, False),
        ("risk-officer", "index", DELETE, True),
    ],
)
def test_a_decision_counts_if_the_person_may_and_the_kind_allows_it(
    asked: tuple[Path, str], person: str, kind: Kind, verb: Any, counts: bool
) -> None:
    project, erasure = asked
    here = Checkout(project)
    case = cases.get_case(here.ledger, here.governance, erasure)
    said = ErasureDecision(
        erasure=erasure, request=case.request_sha256, environment="local", person=person, kind=kind, verb=verb,
        reason="because", time=here.ledger.now(),
    )  # fmt: skip
    record(project, DECIDED, DECISION_KIND.statement(said), erasure, person)
    assert (kind in cases.get_case(here.ledger, here.governance, erasure).decisions) is counts


@pytest.mark.parametrize(("person", "requester"), [("data-owner", "data-owner"), ("ml-engineer", "data-owner")])
def test_a_certificate_of_somebody_who_may_not_certify_is_none(
    asked: tuple[Path, str], tmp_path: Path, person: str, requester: str
) -> None:
    project, erasure = asked
    here = Checkout(project)
    now = here.ledger.now()
    said = ErasureCertificate(
        erasure=erasure, request=cases.get_case(here.ledger, here.governance, erasure).request_sha256,
        environment="local", person=person, basis="Art. 17", requested_by=requester, requested_at=now,
        deadline=now.date(), sources=["messages"], outcomes=[], releases=[], datasets=[], suppressed=[], companions=0,
        searched_files=0, searched_bytes=0, not_searched=[], time=now,
    )  # fmt: skip
    statement = CERTIFICATE_KIND.statement(said)
    record(project, CERTIFIED, statement, erasure, person)
    assert cases.get_case(here.ledger, here.governance, erasure).certificate is None
    path = tmp_path / "c.json"
    dsse.write_envelope(path, here.ledger.entries(CERTIFIED, erasure)[-1].body["envelope"])
    told = hallmark(project, "erase", "recall", str(path), code=1)
    assert "may not decide" in told or "nobody decides on what they asked for" in told


@pytest.mark.parametrize(("verb", "is_back"), [(DELETE, True), (KEEP, False)])
def test_a_vault_that_was_kept_is_no_restored_one(asked: tuple[Path, str], verb: Any, is_back: bool) -> None:
    here = Checkout(asked[0])
    case = cases.get_case(here.ledger, here.governance, asked[1])
    outcome = KindOutcome.model_construct(kind="vault", verb=verb)
    said = ErasureCertificate.model_construct(outcomes=[outcome])
    signed = SignedDocument(said, None, here.ledger.now(), {}, {})
    assert certificates.is_back(here, replace(case, certificate=signed)) is is_back


CALLS: dict[str, Callable[[Checkout], object]] = {
    "request": lambda here: requests.request_erasure(
        here, [], [], "data-owner", "passport", "law", (datetime.now(UTC) + timedelta(days=9)).date()
    ),
    "decide": lambda here: decisions.decide(here, "er-x", ["vault"], DELETE, "why", None, "risk-officer"),
    "execute": lambda here: execution.execute(here, "er-x", lambda _: None),
    "certify": lambda here: certificates.certify(here, "er-x", "risk-officer"),
    "recall": lambda here: certificates.recall(here, here.root / "no-file"),
}


@pytest.mark.parametrize("name", CALLS)
def test_one_command_at_a_time(asked: tuple[Path, str], name: str) -> None:
    ended = threading.Event()

    def call() -> None:
        try:
            CALLS[name](Checkout(asked[0]))
        except HallmarkError:
            ended.set()

    thread = threading.Thread(target=call)
    with hold_lock(asked[0] / ".hallmark"):
        thread.start()
        assert not ended.wait(0.5)
    assert ended.wait(30)
    thread.join()


ROW = SubjectRecord(record="0123456789abcdef", source_id="tickets", row=1)


@pytest.mark.parametrize(
    ("verb", "values", "not_searched", "expected"),
    [
        (DELETE, [], [], "cannot be searched, since no value"),
        (DELETE, [ADA], ["source tickets, which cannot be opened"], "source tickets could not be searched"),
        (
            DELETE,
            [ADA],
            ["source tickets: what it packs could not be unpacked"],
            "source tickets could not be searched",
        ),
        (DELETE, [ADA], ["source others, which cannot be opened"], None),
        (KEEP, [], [], None),
    ],
)
def test_rows_of_a_source_are_gone_only_if_it_was_searched(
    verb: Any, values: list[str], not_searched: list[str], expected: str | None
) -> None:
    rulings: dict[Kind, Ruling] = {"source": Ruling(verb, "why", None, "risk-officer")}
    known, found = Subject(values=values, tokens=[], records=[ROW]), SearchResult([], 1, 1, not_searched)
    if expected is None:
        conditions.require_sources_searched(rulings, known, found)
        return
    with pytest.raises(Refused, match=expected):
        conditions.require_sources_searched(rulings, known, found)
