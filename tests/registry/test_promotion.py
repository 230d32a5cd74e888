"""A run becomes a release; a release goes back to an earlier one."""

import socket
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Event

import pytest

from tasks.core.errors import InputError, Refused, Unavailable
from tasks.core.files import read_json, sha256_file, tree_digest, write_json
from tasks.core.graph import GATES
from tasks.core.machine import locks
from tasks.gates import gates, statement
from tasks.incidents import incidents
from tasks.registry.promote import (
    assembly,
    champion,
    intents,
    mlflow_mirror,
    mlflow_turn,
    promotion,
    recovery,
    releases,
)
from tasks.registry.release import promotions
from tasks.trust import dsse
from tests.answering import Quiet, serving
from tests.patience import wait_until
from tests.registry.conftest import copied
from tests.registry.house import COMMIT, NAME, House


def aliases(house: House) -> dict[str, list[str]]:
    return {str(release.label): release.aliases for release in releases.list_releases(house.ledger, house.governance)}


def mlflow_aliases(house: House) -> dict[str, str]:
    """Release by alias, as MLflow's own client tells."""
    with mlflow_mirror.RegistryClient(house.state) as client:
        found = client.get_registered_model(NAME).aliases
        return {
            alias: client.get_model_version(NAME, version).tags["hallmark.release"] for alias, version in found.items()
        }


def test_a_run_behind_its_gates_becomes_the_champion(ready: House) -> None:
    layout = ready.run("run-1")
    release = ready.promote(layout)

    assert (release.label, release.aliases, release.demo, release.tier) == ("triage-1", ["champion"], False, "low")
    assert (release.run, release.commit, release.requested_by) == ("run-1", COMMIT, "engineer")
    assert release.approved_by == {
        **{gate: ["product as product-owner"] for gate in GATES},
        "data": ["owner as data-owner"],
        "release": ["risk-officer as risk"],
    }
    reigning = champion.current_champion(ready.ledger, ready.governance, NAME)
    assert reigning is not None
    assert tree_digest(ready.state / reigning.payload) == reigning.sha256 == release.payload_sha256
    assert tree_digest(ready.state / reigning.payload) == tree_digest(layout.artefacts("package") / "payload")
    assert ready.served() == b"adapter"
    checked = releases.verify_release(Path(release.bundle), ready.governance)
    assert checked.ok, checked.against
    assert (checked.release, checked.sha256) == ("triage-1", release.sha256)
    assert releases.promotion_problems(ready.ledger, ready.governance) == []


def test_the_next_run_is_compared_with_it_and_takes_its_place(released: House) -> None:
    (first,) = releases.list_releases(released.ledger, released.governance)
    layout = released.begin("run-2", b"better")
    assert champion.compared_champion_sha256(layout) == first.payload_sha256
    second = released.release("run-3", b"better")
    assert aliases(released) == {"triage-1": ["rollback"], "triage-2": ["champion"]}
    assert (first.sequence, second.sequence) == (1, 2)
    line = promotions.read_promotions(released.ledger, released.governance, NAME)
    assert [signed.promotion.previous for signed in line.valid_statements] == [None, line.valid_statements[0].sha256]
    assert released.served() == b"better"


def test_mlflow_mirrors_it_with_tags_that_lead_back(succeeded: House) -> None:
    layout = succeeded.run("run-2")
    release = releases.get_release(succeeded.ledger, succeeded.governance, "triage-2")
    assert mlflow_aliases(succeeded) == {"champion": "triage-2", "rollback": "triage-1"}
    with mlflow_mirror.RegistryClient(succeeded.state) as client:
        tags = client.get_model_version_by_alias(NAME, "champion").tags
    assert tags["hallmark.sha256"] == release.sha256
    assert tags["hallmark.commit"] == COMMIT
    assert tags["hallmark.run"] == "run-2"
    assert tags["hallmark.dataset_sha256"] == tree_digest(layout.artefacts("split"))
    assert tags["hallmark.gate.data"] == sha256_file(Path(release.bundle) / "attestations" / "evidence" / "data.json")
    assert set(tags) >= {"hallmark.params_sha256", "hallmark.gate.evaluation", "hallmark.gate.release"}


def test_mlflow_is_where_the_checkout_is_whatever_its_name(tmp_path: Path, challenged_once: Path) -> None:
    house = copied(challenged_once, tmp_path / "we?ird per%41cent #1" / "house")
    assert house.promote(house.run("run-2")).label == "triage-2"
    assert mlflow_aliases(house) == {"champion": "triage-2", "rollback": "triage-1"}
    assert promotion.unmirrored_champions(house.ledger, house.governance) == []
    assert [path.name for path in tmp_path.iterdir()] == ["we?ird per%41cent #1"]


def test_asked_twice_a_run_makes_one_release(released: House) -> None:
    layout = released.run("run-1")
    (first,) = releases.list_releases(released.ledger, released.governance)
    assert released.promote(layout) == first
    assert len(released.ledger.entries(promotions.PROMOTION_KIND)) == 1


def test_a_run_compared_with_yesterdays_champion_is_told_who_took_its_place(challenged: House) -> None:
    late = challenged.run("run-2")
    challenged.release("run-3", b"faster")
    with pytest.raises(Refused, match=r"since run run-2 was compared .*, triage-2 took its place .* of run run-3"):
        challenged.promote(late)
    assert challenged.served() == b"faster"
    assert aliases(challenged) == {"triage-1": ["rollback"], "triage-2": ["champion"]}


def test_of_two_promotions_at_once_one_wins_and_the_other_is_told_why(ready: House) -> None:
    runs = {"run-1": ready.run("run-1"), "run-2": ready.ready("run-2", b"second")}
    with ThreadPoolExecutor(2) as pool:
        promoting = {run: pool.submit(ready.promote, layout) for run, layout in runs.items()}
    (won,) = [run for run, ended in promoting.items() if not ended.exception()]
    (lost,) = [error for ended in promoting.values() if (error := ended.exception())]
    assert isinstance(lost, Refused) and "triage-1 took its place" in str(lost)
    assert ready.served() == {"run-1": b"adapter", "run-2": b"second"}[won]
    assert aliases(ready) == {"triage-1": ["champion"]}


def test_between_machines_the_ledger_lets_one_win(ready: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another machine promotes after this one has looked: its lock is not ours."""
    ours, theirs = ready.run("run-1"), ready.ready("run-2", b"theirs")
    record = recovery.record_promotion

    def meanwhile(*args: object) -> None:
        monkeypatch.setattr(recovery, "record_promotion", record)
        monkeypatch.setattr(promotion.intents, "LOCK_FILE", "lock-of-another-machine")
        monkeypatch.setattr(promotion.recovery, "settle_pending_intents", lambda *_: [])
        ready.promote(theirs)
        record(*args)  # type: ignore[arg-type]

    monkeypatch.setattr(recovery, "record_promotion", meanwhile)
    with pytest.raises(Refused, match="promoted in the meantime"):
        ready.promote(ours)
    assert ready.served() == b"theirs"
    assert mlflow_aliases(ready) == {"champion": "triage-2"}
    assert not (ready.state / "releases" / "triage-1").exists()


@pytest.mark.attack(rights="worker", stopped="promotion verifies every gate again")
@pytest.mark.parametrize("gate", GATES)
def test_without_one_of_its_gates_nothing_is_promoted(ready: House, gate: str) -> None:
    layout = ready.run("run-1")
    layout.gate_statement_path(gate).unlink()
    with pytest.raises(Refused, match=f"gate {gate} is not passed"):
        ready.promote(layout)
    assert champion.current_champion(ready.ledger, ready.governance, NAME) is None


@pytest.mark.attack(rights="gate key", stopped="promotion judges the gate again from people's signatures")
def test_a_gate_statement_without_decisions_behind_it_counts_nothing(house: House) -> None:
    """Somebody with the run's worktree and another run's gate file, or the gate key itself, still lacks the people."""
    layout = house.ready("run-1", skip=["release"])
    asked = house.ask(layout, "release")
    passed = gates.judge_gate(asked, house.ledger, house.governance, house.ledger.now()).model_copy(
        update={"state": "passed"}
    )
    statement.write_gate_statement(layout, asked, passed, house.governance)
    with pytest.raises(Refused, match="gate release of run run-1 is waiting: 1 approval in role risk"):
        house.promote(layout)


@pytest.mark.attack(rights="worker", stopped="promotion verifies every gate again, for this run")
def test_a_gate_that_was_never_asked_counts_nothing(ready: House) -> None:
    layout = ready.run("run-1")
    with pytest.raises(Refused, match="run run-2 has not asked gate data"):
        promotion.promote(layout, "run-2", COMMIT, ready.ledger, ready.governance)


@pytest.mark.attack(rights="approver", stopped="waivers are judged as of the promotion")
def test_an_expired_waiver_blocks_promotion(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    until = house.ledger.now() + timedelta(days=1)
    layout = house.ready_waived("run-1", until)
    monkeypatch.setattr(type(house.ledger), "now", lambda _: until + timedelta(seconds=1))
    with pytest.raises(Refused, match="gate evaluation of run run-1 is failed"):
        house.promote(layout)
    monkeypatch.undo()
    release = house.promote(layout)
    assert releases.verify_release(Path(release.bundle), house.governance).ok


@pytest.mark.attack(rights="worker", stopped="owners are worked out again from the run's sources")
def test_a_data_gate_that_asked_another_than_the_owner_promotes_nothing(house: House) -> None:
    """The source had another owner while the data gate asked, who owns none of what the run is packaged with."""
    layout = house.begin("run-1")
    house.open(layout, "data")
    pinned = read_json(layout.sources_path)
    pinned["sources"][0]["source"]["owner"] = "product"
    write_json(layout.sources_path, pinned)
    house.open(layout, "evaluation")
    house.package(layout)
    with pytest.raises(Refused, match="asked other owners than those of the run's sources"):
        house.promote(layout)


@pytest.mark.attack(rights="worker", stopped="an experiment's statement is none for promotion")
def test_an_experiment_is_never_promoted(ready: House) -> None:
    layout = ready.run("run-1")
    statement.write_experiment_statement(layout, "data", ready.governance)
    with pytest.raises(Refused, match="opened for an experiment"):
        ready.promote(layout)


@pytest.mark.attack(rights="worker", stopped="the package names its inputs by digest")
@pytest.mark.parametrize(
    "path", ["params.yaml", "tasks/stages/train/train.py", "constraints.txt", "inputs/suites.json"]
)
def test_what_changed_after_the_package_stops_promotion(ready: House, path: str) -> None:
    file = ready.run("run-1").root / path
    file.write_text(file.read_text() + ("MORE = 1\n" if file.suffix == ".py" else "\n"))
    with pytest.raises(Refused, match="changed after the package was made"):
        ready.promote(ready.run("run-1"))


@pytest.mark.attack(rights="worker", stopped="the evidence digests every file looked at")
def test_a_champion_exchanged_after_the_evaluation_stops_promotion(released: House) -> None:
    """The package is made with the false one, so it agrees with itself; the evidence does not."""
    layout = released.begin("run-2", b"compared with something weaker")
    honest = layout.champion_path.read_bytes()
    write_json(layout.champion_path, {"release": "weak-1", "version": 1, "sha256": "0" * 64, "payload": "x"})
    released.open(layout, "data")
    released.open(layout, "evaluation")
    layout.champion_path.write_bytes(honest)
    released.package(layout)
    with pytest.raises(Refused, match=r"inputs/champion\.json changed after the data gate looked at it"):
        released.promote(layout)
    assert released.served() == b"adapter"


@contextmanager
def trickling() -> Iterator[str]:
    """An MLflow server that answers a byte a second, until it is ended."""
    ended = Event()

    class Answer(Quiet, BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Length", "1000000")
            self.end_headers()
            while not ended.wait(1):
                self.wfile.write(b" ")

        do_POST = do_GET  # noqa: N815

    with serving(ThreadingHTTPServer(("127.0.0.1", 0), Answer)) as server:
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            ended.set()


def answering(content: bytes) -> Callable[[], AbstractContextManager[str]]:
    """An MLflow server that answers everything with the same."""

    class Answer(Quiet, BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            self.send_response(200)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_POST = do_PATCH = do_DELETE = do_GET  # noqa: N815

    @contextmanager
    def server() -> Iterator[str]:
        with serving(ThreadingHTTPServer(("127.0.0.1", 0), Answer)) as made:
            yield f"http://127.0.0.1:{made.server_port}"

    return server


@contextmanager
def broken() -> Iterator[str]:
    yield "sqlite:////"  # a folder is no database


@contextmanager
def refusing() -> Iterator[str]:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # and does not listen there
        yield f"http://127.0.0.1:{taken.getsockname()[1]}"


@pytest.mark.attack(rights="registry", stopped="promotions and rollbacks ask MLflow last, without a lock, for a minute")
@pytest.mark.parametrize(
    "mlflow",
    [broken, refusing, trickling, answering(b""), answering(b"{}"), answering(b'{"registered_model": 7}')],
    ids=["broken", "refusing", "trickling", "empty", "nothing", "wrong"],
)
def test_without_mlflow_releases_are_promoted_and_rolled_back(
    challenged: House, monkeypatch: pytest.MonkeyPatch, mlflow: Callable[[], AbstractContextManager[str]]
) -> None:
    monkeypatch.setattr(mlflow_turn, "LOCK_WAIT_SECONDS", 0.1)
    monkeypatch.setattr(mlflow_turn, "TIME_LIMIT_SECONDS", 2.0)
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    with monkeypatch.context() as away, mlflow() as uri:
        away.setenv("MLFLOW_REGISTRY_URI", uri)
        assert challenged.promote(challenged.run("run-2")).label == "triage-2"
        assert challenged.served() == b"second" and not intents.is_lock_held(challenged.state)
        assert challenged.roll_back().label == "triage-1"
        (told,) = promotion.recover(challenged.ledger, challenged.governance)
        assert "MLflow" in told, "whoever lists releases is told, and gets the list"
        assert promotion.unmirrored_champions(challenged.ledger, challenged.governance) == ["triage-1"]
    wait_until(lambda: not locks.is_held(challenged.state / mlflow_turn.LOCK_FILE), "MLflow is let go")
    monkeypatch.undo()
    assert promotion.recover(challenged.ledger, challenged.governance) == ["triage-1: MLflow's aliases are set"]
    assert mlflow_aliases(challenged) == {"champion": "triage-1"}
    assert promotion.unmirrored_champions(challenged.ledger, challenged.governance) == []


def test_an_answer_of_mlflow_that_comes_after_a_rollback_moves_no_alias(
    challenged: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mlflow import MlflowClient

    answer, goes_on = MlflowClient.get_registered_model, Event()

    def slow(client: MlflowClient, name: str) -> object:
        goes_on.wait(60)
        return answer(client, name)

    before = mlflow_aliases(challenged)
    with monkeypatch.context() as slowly:
        slowly.setattr(MlflowClient, "get_registered_model", slow)
        slowly.setattr(mlflow_turn, "LOCK_WAIT_SECONDS", 0.1)
        slowly.setattr(mlflow_turn, "TIME_LIMIT_SECONDS", 1.0)
        challenged.promote(challenged.run("run-2"))
        challenged.roll_back()
        goes_on.set()
        wait_until(lambda: not locks.is_held(challenged.state / mlflow_turn.LOCK_FILE), "MLflow is let go")
    assert mlflow_aliases(challenged) == before == {"champion": "triage-1"}
    assert promotion.unmirrored_champions(challenged.ledger, challenged.governance) == ["triage-1"]


def test_another_machine_leaves_the_aliases_to_the_one_that_promoted(
    challenged: House, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as away, refusing() as uri:
        away.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
        away.setenv("MLFLOW_REGISTRY_URI", uri)
        challenged.promote(challenged.run("run-2"))
    before, here = mlflow_aliases(challenged), challenged.bundle("triage-2")
    here.rename(tmp_path / "elsewhere")  # another machine has no folder of the release
    (told,) = promotion.restore_aliases(challenged.ledger, challenged.governance)
    assert "triage-2 is not in MLflow yet; the machine that promoted it registers it" in told
    assert mlflow_aliases(challenged) == before
    (tmp_path / "elsewhere").rename(here)
    promotion.recover(challenged.ledger, challenged.governance)
    assert mlflow_aliases(challenged) == {"champion": "triage-2", "rollback": "triage-1"}
    assert incidents.read_all(challenged.ledger, challenged.governance) == []


def test_a_full_disk_leaves_the_old_champion(challenged: House, monkeypatch: pytest.MonkeyPatch) -> None:
    layout = challenged.run("run-2")

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(assembly.shutil, "copyfile", full)
    with pytest.raises(Unavailable, match="No space left"):
        challenged.promote(layout)
    monkeypatch.undo()
    assert challenged.served() == b"adapter"
    assert sorted(path.name for path in (challenged.state / "releases").iterdir()) == ["triage-1"]
    assert challenged.promote(layout).label == "triage-2", "a number that came to nothing is given again"


def test_a_folder_that_the_ledger_knows_nothing_of_is_not_overwritten(ready: House) -> None:
    stray = ready.state / "releases" / "triage-1"
    stray.mkdir(parents=True)
    (stray / "kept.txt").write_text("from a ledger that was lost")
    with pytest.raises(Refused, match="move it away"):
        ready.promote(ready.run("run-1"))
    assert (stray / "kept.txt").exists()


def test_a_rollback_is_a_new_statement_signed_by_key_and_person(succeeded: House) -> None:
    release = succeeded.roll_back(" wrong queue ")
    assert (release.label, release.sequence, release.reason, release.requested_by) == (
        "triage-1", 3, "wrong queue", "engineer"
    )  # fmt: skip
    assert succeeded.served() == b"adapter"
    assert aliases(succeeded) == {"triage-1": ["champion"], "triage-2": []}
    assert mlflow_aliases(succeeded) == {"champion": "triage-1"}
    newest = promotions.read_promotions(succeeded.ledger, succeeded.governance, NAME).newest_statement
    assert newest is not None and newest.entry is not None
    promoted = newest.promotion
    assert (promoted.action, promoted.requested_by) == ("rollback", "risk-officer")
    order = newest.entry.body["order"]
    risk_officer = succeeded.governance.people.get("risk-officer")
    assert risk_officer is not None
    assert (
        succeeded.governance.verify_signature(order, risk_officer, succeeded.ledger.now())["predicate"]["reason"]
        == "wrong queue"
    )
    assert dsse.envelope_digest(order) == promoted.order_sha256

    assert succeeded.release("run-3", b"mended").sequence == 4
    assert aliases(succeeded) == {"triage-1": ["rollback"], "triage-2": [], "triage-3": ["champion"]}


@pytest.mark.parametrize(
    ("label", "person", "reason", "error", "match"),
    [
        ("triage-9", "risk-officer", "r", InputError, "there is no release"),
        ("triage-2", "risk-officer", "r", Refused, "champion already"),
        pytest.param(
            "triage-1", "owner", "r", Refused, "may not order a rollback", id="by another role",
            marks=pytest.mark.attack(rights="approver", stopped="a rollback takes who decides at the release gate"),
        ),
        ("triage-1", "nobody", "r", InputError, "'nobody' is nobody in people.yaml"),
        ("triage-1", "risk-officer", "\u2800", InputError, "say in words why"),
    ],
)  # fmt: skip
def test_a_rollback_is_refused(
    succeeded: House, label: str, person: str, reason: str, error: type[Exception], match: str
) -> None:
    with pytest.raises(error, match=match):
        promotion.rollback(succeeded.ledger, succeeded.governance, label, person, reason)
    assert succeeded.served() == b"second"
    assert len(succeeded.ledger.entries(promotions.PROMOTION_KIND)) == 2


@pytest.mark.attack(rights="approver", stopped="the person's signature")
def test_a_rollback_with_another_key_is_refused(succeeded: House) -> None:
    keys = succeeded.state / "keys"
    (keys / "risk-officer").write_bytes((keys / "owner").read_bytes())
    with pytest.raises(Refused, match="not one that risk-officer can sign with"):
        succeeded.roll_back("r")


def test_the_list_is_what_the_command_line_prints(released: House) -> None:
    (release,) = releases.list_releases(released.ledger, released.governance)
    told = release.model_dump(mode="json")
    assert {"name", "version", "aliases", "bundle", "label", "sha256", "demo"} <= set(told)
    assert Path(told["bundle"]).is_dir()
    assert releases.get_release(released.ledger, released.governance, "triage-1") == release
    _, line = releases.get_release_with_promotions(released.ledger, released.governance, "triage-1")
    read = release.describe(releases.release_decision_summaries(line, release, released.ledger, released.governance))
    assert "release gate    approved by risk-officer as risk, " in read
    assert "triage-1" in read and release.sha256 in read
    with pytest.raises(InputError, match="known: triage-1"):
        releases.get_release(released.ledger, released.governance, "triage-2")
