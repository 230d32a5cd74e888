"""A person is erased from everything that a release was made of, and does not come back."""

import json
from pathlib import Path
from typing import Any

import pytest

from tasks.cleanup import run_files
from tasks.core.errors import Refused
from tasks.core.layout import Layout
from tasks.core.records.record import read_table
from tasks.erase import execution, file_contents, find_subject, steps, subject
from tasks.erase.plan import ErasurePlan
from tasks.erase.search_terms import SearchTerms
from tasks.erase.subject import Subject
from tasks.registry.promote import last_conditions
from tasks.registry.release import promotions
from tasks.runs.checkout import Checkout
from tasks.runs.outputs import dvc
from tasks.runs.run_lock import hold_run_lock
from tasks.suppression import cases, in_force
from tests import whole_run
from tests.byte_search import Findings, Planted, search_folder
from tests.checkouts import Checkouts
from tests.in_process import hallmark, hallmark_json
from tests.tiny_project import commit, create, dvc_remote

ADA = "Ada Lovelace"
REQUEST = ("--identity", "passport at the counter", "--basis", "GDPR Art. 17 (1) b", "--deadline", "2090-01-31")
HANDLER, DECIDER = ("--as", "data-owner"), ("--as", "risk-officer")
UNTIL = "2089-12-31"


@pytest.fixture
def project(checkouts: Checkouts, tmp_path: Path) -> Path:
    """Release tiny-1, which was trained on 20 records of Ada Lovelace."""
    return checkouts.released(tmp_path / "project")


def request(project: Path, *subjects: str, code: int = 0) -> Any:
    given = [word for each in subjects or (ADA,) for word in ("--subject", each)]
    return hallmark_json(project, "erase", "request", *given, *REQUEST, *HANDLER, code=code)


def decide(project: Path, erasure: str, *kinds: str, how: tuple[str, ...] = ("--delete",)) -> None:
    hallmark(project, "erase", "decide", erasure, *kinds, *how, "--reason", "Art. 17", *DECIDER)


def decide_all(project: Path, erasure: str) -> None:
    planned = hallmark_json(project, "erase", "plan", erasure)
    kept = {"releases": ("--retrain-by", UNTIL), "ledger": ("--keep",), "backups": ("--keep", "--until", UNTIL)}
    decide(project, erasure, *(kind for kind in planned["undecided"] if kind not in kept))
    for kind in set(planned["undecided"]) & kept.keys():
        decide(project, erasure, kind, how=kept[kind])


def take_out_of_source(project: Path) -> None:
    path = project / "examples" / "messages.csv"
    path.write_text("".join(line for line in path.read_text().splitlines(True) if ADA not in line))
    truth = project / "examples" / "truth.csv"
    truth.write_text(truth.read_text().splitlines(True)[0])
    commit(project, "The owner takes rows out")


def planted_in(project: Path) -> Planted:
    """Return the person's name, token and record ids, as the run has them."""
    table = read_table(project / ".hallmark" / "runs" / whole_run.RUN / "artefacts" / "ingest" / "records.parquet")
    records = [row for row in table.to_pylist() if row["subjects"]]
    assert len(records) == 20
    return Planted({ADA, *(token for row in records for token in row["subjects"]), *(r["record_id"] for r in records)})


def places_of(project: Path, planted: Planted) -> set[str]:
    """Search all of the state with the search of the tests, which shares no code with that of the verification."""
    findings = Findings()
    search_folder(project / ".hallmark", planted, findings)
    return set().union(*findings.places.values())


def test_a_person_is_erased_from_request_to_certificate(project: Path, tmp_path: Path) -> None:
    planted = planted_in(project)
    assert {place.split("/")[0] for place in places_of(project, planted)} >= {"runs", "cache", "vault", "ingested"}
    asked = request(project)
    erasure = asked["erasure"]
    assert asked["records"] == 20 and asked["is_new"]
    assert f"next: hallmark erase decide {erasure} source vault" in hallmark(project, "erase", "plan", erasure)
    planned = hallmark_json(project, "erase", "plan", erasure)
    assert planned["places"]["source"]["count"] == 20 and planned["releases"] == ["tiny-1"]
    assert planned["runs"] == [whole_run.RUN]
    assert "nobody has decided yet about source, vault" in hallmark(project, "erase", "execute", erasure, code=2)
    decide_all(project, erasure)
    first = hallmark_json(project, "erase", "execute", erasure, code=1)
    assert {place["kind"] for place in first["remaining"]} == {"source"}, first["remaining"]
    certify = ("erase", "certify", erasure, "--to", str(tmp_path / "c.json"), *DECIDER)
    assert "1 places still have something of the person" in hallmark(project, *certify, code=1)
    take_out_of_source(project)
    assert hallmark_json(project, "erase", "execute", erasure)["remaining"] == []
    found = hallmark_json(project, "erase", "verify", erasure)
    assert {place["kind"] for place in found["places"]} <= {"releases", "ledger"} and found["files"] > 100
    hallmark(project, *certify)
    left = {place for place in places_of(project, planted) if not place.startswith("releases/")}
    assert left == set(), "bytes of the person outside of what was decided to be kept"
    said = hallmark_json(project, "erase", "check", str(tmp_path / "c.json"))
    outcomes = {each["kind"]: (each["verb"], each["removed"]) for each in said["outcomes"]}
    assert outcomes["runs"] == ("delete", 1) and outcomes["source"] == ("delete", 20)
    assert outcomes["vault"] == ("delete", planned["places"]["vault"]["count"]) and outcomes["ledger"] == ("keep", 0)
    assert said["requested_by"] == "data-owner" and said["companions"] == 0
    assert [(each["release"], each["verb"], each["until"]) for each in said["releases"]] == [
        ("tiny-1", "retrain", UNTIL)
    ]
    assert subject.find_sealed(project / ".hallmark", erasure) is None, "the vault forgot whom it was about"
    assert "trained on a record that was erased" in hallmark(project, "releases", "show", "tiny-1")
    assert "cannot be reproduced" in hallmark(project, "reproduce", "tiny-1", code=1)
    hallmark(project, "releases", "verify", str(project / ".hallmark" / "releases" / "tiny-1"))
    hallmark(project, "ledger", "verify")


def test_a_run_after_it_leaves_the_person_out(project: Path) -> None:
    erasure = request(project)["erasure"]
    decide_all(project, erasure)
    hallmark(project, "erase", "execute", erasure, code=1)
    run = create(project, "after")
    whole_run.bring(run, "ingest")
    counts = json.loads((run.layout.artefacts("ingest") / "result.json").read_text())["counts"]
    assert counts["quarantined"] == {"erased": 20} and counts["rows"] == counts["records"] + 20
    assert hallmark_json(project, "erase", "plan", erasure)["runs"] == [whole_run.RUN]
    assert Layout(run.layout.root).sources_path.read_text().count("suppressed") == 1
    places = [place["path"] for place in verify(project, erasure)["places"] if place["kind"] == "runs"]
    own = ["runs/after/examples/messages.csv", "runs/after/examples/truth.csv"]
    assert places == own, "the source itself, which is committed in this project"


def verify(project: Path, erasure: str, code: int = 1) -> Any:
    return hallmark_json(project, "erase", "verify", erasure, code=code)


def test_nobody_and_bad_input(project: Path) -> None:
    told = hallmark(project, "erase", "request", "--subject", "Nobody Atall", *REQUEST, *HANDLER, code=1)
    assert "nothing here is about this person" in told
    entries = Checkout(project).ledger
    assert entries.entries("erasure.requested") == [] and len(entries.entries("person.sought")) == 1


def test_an_erasure_asked_twice_is_one(project: Path) -> None:
    first = request(project)
    again = request(project)
    assert again["erasure"] == first["erasure"] and not again["is_new"]
    assert [each["is_back"] for each in hallmark_json(project, "erase", "list")] == [False], "it was not certified yet"
    ledger = Checkout(project).ledger
    assert len(ledger.entries("erasure.requested")) == 1 and len(ledger.entries("person.sought")) == 2


def test_a_request_that_lost_its_document_gets_it_back(project: Path) -> None:
    """The command was killed between the signature and the vault."""
    erasure = request(project)["erasure"]
    subject.forget(project / ".hallmark", erasure)
    assert "ask for it again with the same value" in hallmark(project, "erase", "plan", erasure, code=2)
    assert request(project)["erasure"] == erasure
    assert hallmark_json(project, "erase", "plan", erasure)["runs"] == [whole_run.RUN]


def test_nothing_that_is_kept_in_the_open_names_the_person(project: Path) -> None:
    tokens = find_subject.search_tokens(project / ".hallmark", ADA)
    before = SearchTerms(Subject(values=[ADA], tokens=tokens, records=[]))
    erasure = request(project)["erasure"]
    decide_all(project, erasure)
    for block in file_contents.read_contents(project / ".hallmark" / "ledger.db", lambda _: None):
        assert not before.find(block)
    for path in ("vault/vault.db", "vault/vault.db-wal"):
        if (file := project / ".hallmark" / path).exists():
            assert before.find(file.read_bytes()) <= {"token"}


def test_an_execution_killed_at_every_step_goes_on(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    erasure = request(project)["erasure"]
    decide_all(project, erasure)
    here = Checkout(project)
    for kind in steps.STEPS:
        for moment in ("before", "after"):
            with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
                patched.setattr(steps, "STEPS", dict(steps.STEPS) | {kind: _killed(steps.STEPS[kind], moment)})
                if kind not in cases_of(here, erasure):
                    raise KeyboardInterrupt  # nothing of this kind, or it is kept
                execution.execute(here, erasure, lambda _: None)
    remaining = execution.execute(here, erasure, lambda _: None).remaining
    assert {place.kind for place in remaining} == {"source"}
    body = cases.get_case(here.ledger, here.governance, erasure).steps["runs"].body
    assert body == {"step": "runs", "verb": "delete", "count": 1}, "what was planned first is counted"
    recorded = [entry.body["step"] for entry in here.ledger.entries("erasure.step")]
    assert len(recorded) == len(set(recorded)), "each step is on the ledger once"


def _killed(step: steps.Step, moment: str) -> steps.Step:
    def killed(here: Checkout, plan: ErasurePlan) -> None:
        if moment == "after":
            step(here, plan)
        raise KeyboardInterrupt

    return killed


def cases_of(here: Checkout, erasure: str) -> list[str]:
    decided = cases.get_case(here.ledger, here.governance, erasure).decisions
    return [kind for kind, each in decided.items() if each.verb == "delete"]


def test_removed_files_that_are_gone_in_part_are_removed(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A kill in the middle of a step, between two files."""
    erasure = request(project)["erasure"]
    decide_all(project, erasure)
    here, remove = Checkout(project), run_files.remove
    for number in (0, 1, 5):
        left = [None] * number

        def interrupted(path: Path, left: list[None] = left) -> None:
            if not left:
                raise KeyboardInterrupt
            left.pop()
            remove(path)

        with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
            patched.setattr(run_files, "remove", interrupted)
            execution.execute(here, erasure, lambda _: None)
    assert {place.kind for place in execution.execute(here, erasure, lambda _: None).remaining} == {"source"}


def test_a_run_that_executes_stops_it_before_anything_is_removed(project: Path) -> None:
    erasure = request(project)["erasure"]
    decide_all(project, erasure)
    with hold_run_lock(project / ".hallmark", whole_run.RUN):
        told = hallmark(project, "erase", "execute", erasure, code=1)
    assert f"run {whole_run.RUN} is executing and reads a source of the person" in told
    assert Checkout(project).ledger.entries("erasure.step") == []
    assert (project / ".hallmark" / "runs" / whole_run.RUN / "artefacts" / "split" / "train.parquet").exists()


def test_a_backup_restored_after_it_brings_nobody_back(project: Path, tmp_path: Path) -> None:
    kept, state = tmp_path / "backup", project / ".hallmark"
    hallmark(project, "backup", str(kept), "--with-keys")
    erasure = request(project)["erasure"]
    take_out_of_source(project)
    decide_all(project, erasure)
    hallmark(project, "erase", "execute", erasure)
    hallmark(project, "erase", "certify", erasure, "--to", str(tmp_path / "c.json"), *DECIDER)
    assert [each["is_back"] for each in hallmark_json(project, "erase", "list")] == [False]
    state.rename(tmp_path / "lost")
    assert "hallmark erase recall CERTIFICATE" in hallmark(project, "restore", str(kept))
    assert hallmark_json(project, "erase", "list") == []
    recalled = hallmark_json(project, "erase", "recall", str(tmp_path / "c.json"))
    assert recalled["erasure"] == erasure and recalled["tokens"] >= 1
    assert in_force.suppressed_digests(Checkout(project).ledger), "new runs leave the person out at once"
    assert "next:" not in hallmark(project, "erase", "plan", erasure), "the certificate has the decisions"
    again = ("erase", "decide", erasure, "vault", "--delete", "--reason", "Art. 17", *DECIDER)
    assert "was certified with vault" in hallmark(project, *again, code=1)
    decide(project, erasure, "other")  # the certificate has no outcome for it
    show = hallmark_json(project, "erase", "show", erasure)
    assert [each["kind"] for each in show["decisions"]] == ["other"]
    assert [each["is_back"] for each in hallmark_json(project, "erase", "list")] == [True]
    certify = ("erase", "certify", erasure, "--to", str(tmp_path / "again.json"), *DECIDER)
    assert "the vault has the person again" in hallmark(project, *certify, code=1), "it would be forgotten who it is"
    assert hallmark_json(project, "erase", "execute", erasure)["remaining"] == []
    assert [each["is_back"] for each in hallmark_json(project, "erase", "list")] == [False]
    hallmark(project, *certify)


def test_who_may_request_and_decide(project: Path) -> None:
    told = hallmark(project, "erase", "request", "--subject", ADA, *REQUEST, "--as", "ml-engineer", code=1)
    assert "ml-engineer may not look at all of them" in told
    erasure = request(project)["erasure"]
    vault = ("erase", "decide", erasure, "vault", "--delete", "--reason", "Art. 17")
    assert "nobody decides on what they asked for" in hallmark(project, *vault, *HANDLER, code=1)
    assert "product-owner may not decide" in hallmark(project, *vault, "--as", "product-owner", code=1)
    hallmark(project, *vault, *DECIDER)


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("vault", "--keep"), "say until which day"),
        (("vault", "--keep", "--until", "2020-01-01"), "has passed"),
        (("vault", "--delete", "--until", UNTIL), "belongs to what is kept"),
        (("vault", "--delete", "--keep"), "say one of --delete, --keep"),
        (("vault", "--retrain-by", UNTIL), "expected delete or keep"),
        (("ledger", "--delete"), "expected keep"),
        (("nowhere", "--delete"), "there is no kind of places 'nowhere'"),
        (("vault", "--keep", "--until", "soon"), "expected a day such as"),
    ],
)
def test_a_decision_that_makes_no_sense_is_refused(
    asked: tuple[Path, str], words: tuple[str, ...], expected: str
) -> None:
    project, erasure = asked
    assert expected in hallmark(project, "erase", "decide", erasure, *words, "--reason", "why", *DECIDER, code=2)
    assert Checkout(project).ledger.entries("erasure.decided") == []


@pytest.fixture(scope="module")
def asked(checkouts: Checkouts, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    project = checkouts.released(tmp_path_factory.mktemp("asked") / "project")
    return project, request(project)["erasure"]


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"--identity": "passport of ada lovelace"}, "it names the person"),
        ({"--deadline": "2020-01-01"}, "this day has passed"),
        ({"--deadline": "soon"}, "expected a day such as"),
        ({"--subject": "Al"}, "at least 4 letters or digits"),
        ({"--record": "xyz"}, "expected a record's id"),
        ({"--basis": " "}, "say in words the legal basis"),
    ],
)
def test_a_request_that_makes_no_sense_is_refused(
    asked: tuple[Path, str], changes: dict[str, str], expected: str
) -> None:
    given = dict(zip(REQUEST[::2], REQUEST[1::2], strict=True)) | {"--subject": ADA} | changes
    words = [word for pair in given.items() for word in pair]
    assert expected in hallmark(asked[0], "erase", "request", *words, *HANDLER, code=2)


def test_a_certificate_that_was_changed_is_refused(project: Path, tmp_path: Path) -> None:
    path = tmp_path / "c.json"
    path.write_text("{}")
    hallmark(project, "erase", "check", str(path), code=1)
    hallmark(project, "erase", "recall", str(path), code=1)
    assert "there is no erasure 'er-x'" in hallmark(project, "erase", "show", "er-x", code=2)


def test_a_release_is_retired(project: Path) -> None:
    erasure = request(project)["erasure"]
    decide_all(project, erasure)
    decide(project, erasure, "releases")
    told = hallmark(project, "erase", "execute", erasure, code=1)
    assert "release tiny-1 is in production; promote another one before it is retired" in told


def test_a_retired_release_is_never_promoted_again(project: Path) -> None:
    here = Checkout(project)
    (signed,) = promotions.read_promotions(here.ledger, here.governance, "tiny").valid_statements
    last_conditions.require_conditions(signed, here.ledger, here.governance)
    mark = {"release": "tiny-1", "dataset": "0" * 64, "verb": "retrain", "until": UNTIL}
    here.ledger.append("erasure.step", "er-1", {"step": "release-marks", "releases": [mark]})
    last_conditions.require_conditions(signed, here.ledger, here.governance)
    retired = [mark | {"verb": "delete", "until": None}]
    here.ledger.append("erasure.step", "er-2", {"step": "release-marks", "releases": retired})
    with pytest.raises(Refused, match=r"release tiny-1 may not be used any more: .*er-2.*: it is retired"):
        last_conditions.require_conditions(signed, here.ledger, here.governance)


def test_outputs_in_a_remote_folder_are_removed(project: Path, tmp_path: Path) -> None:
    dvc_remote(project, tmp_path / "store")
    layout = Layout(project / ".hallmark" / "runs" / whole_run.RUN)
    dvc.push_outputs(layout)
    planted, findings = planted_in(project), Findings()
    search_folder(tmp_path / "store", planted, findings)
    assert findings.places
    erasure = request(project)["erasure"]
    assert hallmark_json(project, "erase", "plan", erasure)["places"]["remote"]["count"] > 5
    decide_all(project, erasure)
    assert {place["kind"] for place in hallmark_json(project, "erase", "execute", erasure, code=1)["remaining"]} == {
        "source"
    }
    after = Findings()
    search_folder(tmp_path / "store", planted, after)
    assert not after.places


def test_a_remote_elsewhere_is_left_to_its_own_tools(project: Path) -> None:
    dvc_remote(project, "s3://bucket/store")
    erasure = request(project)["erasure"]
    decide_all(project, erasure)
    told = hallmark(project, "erase", "execute", erasure, code=1)
    assert "DVC's remote is at s3://bucket/store, where Hallmark removes nothing" in told
