"""The command line as a person meets it: bad input gets a clear error and exit code 2, and nothing is left behind."""

import errno
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import psutil
import pytest

import infra.cli
from infra.cli import follow, lazy, shared
from infra.prefect import access, client, ports, server
from infra.prefect.server import Process, Up
from infra.prefect.settings import Settings
from tasks.core.errors import HallmarkError, InputError, Refused, Unavailable
from tasks.core.files import write_json
from tasks.gates import signed_request
from tasks.ledger.ledger import open_ledger
from tasks.runs import journal
from tasks.runs.hold import only_one
from tasks.runs.journal import Journal
from tasks.runs.request import RunRequest
from tasks.runs.run import installed_governance
from tasks.stages.data.clean import clean
from tasks.stages.data.deduplicate import deduplicate
from tasks.trust import dsse
from tests import tiny_project
from tests.checkouts import Checkouts
from tests.governed.house import keyed
from tests.in_process import hallmark, hallmark_json
from tests.stages.data.build import Run, messages, params, record, source, table
from tests.tiny_project import commit, git, signed


class Healthy(BaseHTTPRequestHandler):
    """Answers as a Prefect server in good health does."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_: object) -> None: ...


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory, checkouts: Checkouts) -> Path:
    return checkouts.ready(tmp_path_factory.mktemp("project"))


def test_a_path_that_is_not_theirs_is_told_in_words_and_a_defect_is_not() -> None:
    def verb(error: OSError) -> None:
        raise error

    with pytest.raises(InputError, match=r"/x: this path cannot be used \(Permission denied\)"):
        lazy._reached(verb)(error=PermissionError(errno.EACCES, "Permission denied", "/x"))
    for error in (OSError(errno.EIO, "Input/output error", "/x"), PermissionError(errno.EACCES, "Permission denied")):
        with pytest.raises(OSError, match=r"error|denied"):
            lazy._reached(verb)(error=error)


def test_params_are_checked_with_file_and_line(project: Path) -> None:
    assert "valid, use case tiny" in hallmark(project, "params", "--check", "params.yaml")
    bad = project / ".hallmark" / "bad.yaml"
    bad.write_text((project / "params.yaml").read_text().replace("lora_rank: 4", "lora_rank: many"))
    told = hallmark(project, "params", "--check", str(bad), code=2)
    assert "bad.yaml:" in told and "lora_rank" in told and "'many'" in told and "Traceback" not in told


def test_the_schema_is_json_with_a_description_of_every_key(project: Path) -> None:
    schema = json.loads(hallmark(project, "params", "--schema"))
    assert "description" in schema["$defs"]["Training"]["properties"]["zero_stage"]


AS_PROCESSES = (["nosuch"], ["run", "--as", "risk-officer"])
"""One that Typer refuses, and one that Hallmark does; the other mistakes are made in this process."""


@pytest.mark.parametrize(
    ("args", "code", "wanted"),
    [
        (["run"], 2, "who are you? Say --as ID"),
        (["run", "--as", "stranger"], 2, "'stranger' is nobody in people.yaml"),
        (["run", "--as", "data-owner"], 2, "owns messages and would have to approve that at the data gate"),
        (
            ["run", "--as", "risk-officer"],
            1,
            "gate release wants 1 with role risk_officer, and 0 could decide; let somebody else ask for the run",
        ),
        (["run", "--as", "ml-engineer", "--set", "training.lora_rank"], 2, "expected KEY=VALUE"),
        (["run", "--as", "ml-engineer", "--set", "nosuch.key=1"], 2, "there is no section 'nosuch'"),
        (["run", "--as", "ml-engineer", "--set", "training.nosuch=1"], 2, "unknown key"),
        (["run", "--as", "ml-engineer", "--set", "training.epochs=-1"], 2, "greater than 0"),
        (["run", "--as", "ml-engineer", "--params", "none.yaml"], 2, "none.yaml: no such file"),
        (["run", "--as", "ml-engineer", "--governance", "nowhere"], 2, "no such file"),
        (["run", "--resume", "20260101-000000-0000"], 2, "there is no run"),
        (
            ["run", "--resume", "r1", "--set", "data.seed=2", "--set", "data.seed=3"],
            2,
            "--set: run r1 goes on as it was",
        ),
        (["run", "--resume", "r1", "--params", "params.yaml"], 2, "--params: run r1 goes on as it was asked for"),
        (["run", "--resume", "r1", "--as", "ml-engineer", "--demo-approvals"], 2, "--as, --demo-approvals: run r1"),
        (["run", "--resume", "r1", "--governance", "mine"], 2, "--governance: run r1 goes on as it was asked for"),
        (["status", "20260101-000000-0000"], 2, "there is no run"),
        (["gates", "show", "20260101-000000-0000", "data"], 2, "has asked nothing"),
        (["releases", "show", "tiny-9"], 2, "tiny-9"),
        (["releases", "verify", "nowhere"], 2, "does not exist"),
        (["data", "conflicts", "--as", "data-owner"], 2, "no run here has been through `deduplicate`"),
        (["data", "conflicts", "nosuch", "--as", "data-owner"], 2, "run nosuch has no conflicts here"),
        (["data", "conflicts", "../..", "--as", "data-owner"], 2, "there is no run '../..' here"),
        (
            ["data", "show", "0", "--run", "/tmp", "--reason", "r", "--as", "data-owner"],
            2,
            "there is no run '/tmp' here",
        ),
        (["data", "quarantine"], 2, "no run here has been through `ingest`"),
        (["data", "quarantine", "nosuch"], 2, "run nosuch has put nothing aside here"),
        (["data", "quarantine", "../.."], 2, "there is no run '../..' here"),
        (["data", "show", "src:1", "--run", "nosuch", "--reason", "r", "--as", "data-owner"], 2, "has no records here"),
        (["data", "manifest", "../one"], 2, "there is no run '../one' here"),
        (["data", "where", "--subject", " ", "--as", "data-owner", "--reason", "r"], 2, "--subject is empty"),
        (["nosuch"], 2, "No such command"),
    ],
)
def test_a_mistake_is_told_without_traceback(project: Path, args: list[str], code: int, wanted: str) -> None:
    run = tiny_project.hallmark if args in AS_PROCESSES else hallmark
    told = run(project, *args, code=code)
    assert wanted in told and "Traceback" not in told


@pytest.mark.parametrize("given", ["../prefect/other", "a" * 300])
@pytest.mark.parametrize("verb", [["status"], ["run", "--resume"]])
def test_what_is_no_runs_id_is_told_whatever_lies_there(project: Path, verb: list[str], given: str) -> None:
    (project / ".hallmark" / "runs").mkdir(exist_ok=True)
    other = project / ".hallmark" / "prefect" / "other.json"
    write_json(other, {"api": "http://127.0.0.1:4200/api"})
    told = hallmark(project, *verb, given, code=2)
    assert f"there is no run '{given}' here" in told and "Traceback" not in told


def test_sources_that_are_away_are_told_before_anything_is_started(project: Path) -> None:
    """All at once, and with them what else cannot be opened."""
    other = project / ".hallmark" / "elsewhere"
    shutil.copytree(project / "infra" / "governance", other)
    text = (other / "sources.yaml").read_text()
    (entry,) = re.findall(r"^  - id: messages\n(?:    .*\n|      .*\n)+", text, re.M)
    more = entry.replace("id: messages", "id: folder")
    text = re.sub("location: .*", "location: gone.csv", text) + re.sub("location: .*", "location: tasks", more)
    (other / "sources.yaml").write_text(text)
    told = hallmark(project, "run", "--as", "ml-engineer", "--governance", str(other), code=2)
    assert "source messages: there is no gone.csv; correct its location in sources.yaml" in told
    assert "source folder: tasks is a folder" in told and "Traceback" not in told


def test_nothing_was_started_or_left_by_the_mistakes(project: Path) -> None:
    assert not open_ledger(project / ".hallmark").entries("run.requested")
    assert not (project / ".hallmark" / "prefect" / "up.json").exists()
    assert git(project, "for-each-ref", "refs/hallmark") == ""
    assert git(project, "worktree", "list").count("\n") == 0


@pytest.mark.parametrize("ours", [True, False], ids=["of this checkout", "of somebody else"])
def test_a_run_says_where_the_secret_lies_that_prefects_pages_ask_for(
    project: Path, ours: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    process = Process(pid=1, started=0)
    up = Up(api="http://127.0.0.1:1/api", server=process if ours else None, runner=process)
    monkeypatch.setattr(server, "start", lambda *_, **__: up)
    monkeypatch.setattr(client, "trigger", lambda *_: "flow-run")
    monkeypatch.chdir(project)
    monkeypatch.setattr(sys, "argv", ["hallmark", "run", "--as", "ml-engineer", "--detach"])
    with pytest.raises(SystemExit) as ended:
        infra.cli.main()
    told = capsys.readouterr()
    assert ended.value.code == 0, told.err
    assert "in Prefect: http://127.0.0.1:1/runs/flow-run/flow-run" in told.out
    assert (str(access.secret_file(project)) in told.out) == ours


def test_other_governance_files_count_in_environment_local_only(project: Path) -> None:
    other = project / ".hallmark" / "other"
    shutil.copytree(project / "infra" / "governance", other)
    people, policy = other / "people.yaml", other / "policy.yaml"
    text = people.read_text().replace("demo: true", "demo: false")
    people.write_text(keyed(text, project / ".hallmark"))
    policy.write_text(policy.read_text().replace("environment: local", "environment: prod"))
    told = hallmark(project, "run", "--as", "ml-engineer", "--governance", str(other), code=1)
    assert "count in environment local only" in told


def test_a_wrong_key_in_an_expectation_is_told_before_anything_starts(project: Path) -> None:
    other = project / ".hallmark" / "wrong-suite"
    shutil.copytree(project / "infra" / "governance", other)
    suite = other / "expectations" / "messages.yaml"
    suite.write_text(suite.read_text().replace("why: fewer", "because: fewer"))
    told = hallmark(project, "run", "--as", "ml-engineer", "--governance", str(other), code=2)
    assert "messages.yaml:8: expectations.1.because: unknown key" in told
    assert not (project / ".hallmark" / "prefect" / "up.json").exists()


def test_init_makes_keys_for_the_people_of_other_governance_files(project: Path) -> None:
    other = project / ".hallmark" / "with-new-people"
    shutil.copytree(project / "infra" / "governance", other)
    people = other / "people.yaml"
    people.write_text(people.read_text().replace("id: risk-officer", "id: risk-two"))
    before = sorted(path.name for path in (project / ".hallmark" / "keys").iterdir())
    hallmark(project, "init", "--governance", str(other))
    after = sorted(path.name for path in (project / ".hallmark" / "keys").iterdir())
    assert after == sorted([*before, "risk-two", "risk-two.pub"])
    policy = other / "policy.yaml"
    policy.write_text(policy.read_text().replace("environment: local", "environment: prod"))
    assert "needs a key" in hallmark(project, "init", "--governance", str(other), code=2)


def test_a_folder_that_is_no_project_is_told(tmp_path: Path) -> None:
    assert "not inside a Hallmark project" in hallmark(tmp_path, "status", code=2)


def test_a_project_that_is_no_git_clone_is_told(project: Path, tmp_path: Path) -> None:
    for name in ("dvc.yaml", "params.yaml"):
        (tmp_path / name).write_text((project / name).read_text())
    assert "git init" in hallmark(tmp_path, "init", code=2)


def test_work_by_hand_gets_inputs_and_experiment_gates(project: Path) -> None:
    hallmark(project, "resolve")
    assert json.loads((project / "inputs" / "authority.json").read_text())["tier"] == "experiment"
    assert (project / "gates" / "data.json").exists()
    assert git(project, "status", "--porcelain") == ""


@pytest.mark.parametrize(
    ("state", "message", "error", "wanted"),
    [
        ("FAILED", "Flow run encountered an exception: Refused: run r1 is being executed", Refused, "^run r1 is being"),
        ("FAILED", "Flow run encountered an exception: InputError: no such file", InputError, "^no such file"),
        (
            "FAILED",
            "Flow run encountered an exception: OSError: [Errno 28] No space left",
            Unavailable,
            "No space left",
        ),
        ("CRASHED", "Process exited with status code: -9", Unavailable, "hallmark run --resume r1"),
        ("CANCELLED", "", Unavailable, "was interrupted"),
    ],
)
def test_a_flow_run_that_ends_without_an_account_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, state: str, message: str, error: type[HallmarkError], wanted: str
) -> None:
    """The journal says running for ever: another process holds the run, the disk is full, the process was killed."""
    monkeypatch.setattr(follow, "PREFECT_SECONDS", 0.1)
    monkeypatch.setattr(client, "state_of", lambda *_: (state, message))
    journal.write(tmp_path / ".hallmark", Journal(run="r1", requested_by="ml-engineer", flow_run="f1"))
    up = Up(api="http://127.0.0.1:1/api", server=None, runner=Process(pid=1, started=0))
    with pytest.raises(error, match=wanted):
        follow.until_it_rests(tmp_path, up, "r1", "f1", quiet=True)


def test_a_run_in_progress_is_not_resumed_and_nothing_is_started(project: Path) -> None:
    state = project / ".hallmark"
    journal.write(state, Journal(run="r1", requested_by="ml-engineer"))
    with only_one(state, "r1"):
        told = tiny_project.hallmark(project, "run", "--resume", "r1", code=1)
    assert "r1 is being executed by another process" in told
    assert "interrupted" in hallmark(project, "status", "r1")
    journal.path(state, "r1").unlink()
    assert not (state / "prefect" / "up.json").exists()


def test_who_the_environment_names_may_let_a_run_go_on(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HALLMARK_IDENTITY", "ml-engineer")
    assert "there is no run 'r1' here" in hallmark(project, "run", "--resume", "r1", "--json", "--detach", code=2)


def test_settings_are_compared_and_not_kept() -> None:
    environment = {"DATA_ROOT": "/data", "AWS_SECRET_ACCESS_KEY": "secret", "PATH": "/bin", "ODD": "\udcff"}
    kept = Settings.of(environment)
    assert kept.differ(environment | {"PATH": "/usr/bin"}) == []
    assert kept.differ({"DATA_ROOT": "/other", "RAY_ADDRESS": "auto"}) == ["AWS_SECRET_ACCESS_KEY", "RAY_ADDRESS"]
    assert kept.differ(environment | {"DATA_ROOT": "/other", "PATH": ""}, {"DATA_ROOT"}) == ["DATA_ROOT"]
    assert kept.differ(environment | {"MORE": "1"}, {"DATA_ROOT", "MORE"}) == ["MORE"]
    assert kept.differ(environment, {"DATA_ROOT", "NONE"}) == []
    assert "secret" not in kept.model_dump_json()


@pytest.fixture
def with_runner(project: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The project with a process that does nothing in the place of its runner, started with DATA_ROOT=/data."""
    monkeypatch.setenv("DATA_ROOT", "/data")
    access.folder(project).mkdir(exist_ok=True)
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], cwd=access.folder(project)) as idle:
        runner = Process(pid=idle.pid, started=psutil.Process(idle.pid).create_time())
        up = Up(api="http://127.0.0.1:1/api", server=None, runner=runner, settings=Settings.of(os.environ))
        file = project / ".hallmark" / "prefect" / "up.json"
        write_json(file, up.model_dump(mode="json"))
        yield project
        file.unlink()
        idle.kill()


def test_a_location_that_lies_elsewhere_now_is_told_and_the_runner_asked_to_start_anew(
    with_runner: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = with_runner / "examples" / "elsewhere"
    shutil.copytree(with_runner / "infra" / "governance", other)
    named = other / "sources.yaml"
    named.write_text(named.read_text().replace("location: examples", "location: ${DATA_ROOT:-examples}"))
    commit(with_runner, "Sources elsewhere")
    monkeypatch.setenv("DATA_ROOT", str(with_runner / "examples"))
    asked = ("run", "--as", "ml-engineer", "--governance", "examples/elsewhere")
    told = hallmark(with_runner, *asked, code=2)
    assert "the runner was started with other settings: DATA_ROOT" in told and "hallmark down" in told
    assert "up: http://127.0.0.1:1" in hallmark(with_runner, "up"), "whose sources do not name it"
    monkeypatch.delenv("DATA_ROOT")
    assert "other settings: DATA_ROOT" in hallmark(with_runner, *asked, code=2)


def test_a_run_that_goes_on_reads_from_where_its_own_sources_say(
    with_runner: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = Run(with_runner / ".hallmark" / "runs" / "moved")
    run.root.mkdir(parents=True)
    (run.root / "data.csv").write_bytes(table(messages(2)))
    run.resolve(source("${DATA_NAME:-data}.csv"))
    journal.write(with_runner / ".hallmark", Journal(run="moved", requested_by="ml-engineer"))
    monkeypatch.setenv("DATA_NAME", "other")
    assert "other settings: DATA_NAME." in hallmark(with_runner, "run", "--resume", "moved", code=2)
    journal.path(with_runner / ".hallmark", "moved").unlink()


def test_work_by_hand_takes_other_parameters(project: Path) -> None:
    own, other = project / "params.yaml", project / "examples" / "other.yaml"
    before = own.read_text()
    other.write_text(before.replace("name: tiny", "name: other"))
    try:
        hallmark(project, "resolve", "--set", "training.epochs=2")
        assert "epochs: 2" in own.read_text() and "name: tiny" in own.read_text()
        told = hallmark(project, "resolve", "--params", "examples/other.yaml", code=2)
        assert "params.yaml has changes that are not committed" in told
        assert "name: tiny" in own.read_text()
        git(project, "checkout", "params.yaml")
        for _ in range(2):
            hallmark(project, "resolve", "--params", "examples/other.yaml", "--set", "training.epochs=3")
        assert "epochs: 3" in own.read_text() and "name: other" in own.read_text()
        assert "expected KEY=VALUE" in hallmark(project, "resolve", "--set", "training", code=2)
        assert "greater than 0" in hallmark(project, "resolve", "--set", "training.epochs=-1", code=2)
    finally:
        own.write_text(before)
        other.unlink()


@pytest.mark.parametrize("port", ["abc", "99999", "-1", "4200.0", "9" * 5000, "٤٢"])
def test_a_port_that_is_none_is_told_and_nothing_is_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, port: str
) -> None:
    monkeypatch.setenv("HALLMARK_PREFECT_PORT", port)
    monkeypatch.delenv("PREFECT_API_URL", raising=False)
    monkeypatch.setattr(ports, "free", lambda _: pytest.fail("it was taken for a port"))
    with pytest.raises(InputError, match="HALLMARK_PREFECT_PORT: expected a port from 1 to 65535"):
        server.start(tmp_path, print)
    assert server.find(tmp_path) is None


@pytest.mark.parametrize("place", ["loop/file.csv", "loop", "a" * 300, "file/below", "none/file.csv"])
def test_a_place_that_cannot_be_written_is_told(tmp_path: Path, place: str) -> None:
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "file").write_text("")
    with (
        pytest.raises(InputError, match=r"cannot be written \(\w"),
        shared.writable(tmp_path / place) as path,
    ):
        path.write_text("")


def test_a_folder_that_may_not_be_searched_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def forbidden(path: Path) -> bool:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))

    monkeypatch.setattr(Path, "exists", forbidden)  # root may search any folder
    with pytest.raises(InputError, match=r"file\.csv: cannot be written \(Permission denied\)"):
        shared.writable(tmp_path / "file.csv").__enter__()


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # `start` leaves processes running
def test_a_server_of_another_checkout_is_not_taken_for_ones_own(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two checkouts look for a port at the same time: the other one gets it, and answers."""
    told: list[str] = []
    with HTTPServer(("127.0.0.1", 0), Healthy) as other:
        threading.Thread(target=other.serve_forever, daemon=True).start()
        free, port = ports.free, other.server_port
        monkeypatch.setenv("HALLMARK_PREFECT_PORT", str(port))
        answers = iter([port])
        monkeypatch.setattr(ports, "free", lambda wanted: next(answers, None) or free(wanted))
        process, api = server._serve(project, told.append)
        server._end(process)
        other.shutdown()
    assert f":{port}/" not in api
    assert told == [f"port {port} is in use; taking a free one"]


@pytest.mark.slow
def test_a_port_in_use_is_told_and_a_free_one_taken(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        monkeypatch.setenv("HALLMARK_PREFECT_PORT", str(port))
        told = tiny_project.hallmark(project, "up")
    try:
        assert f"port {port} is in use; taking a free one" in told
        assert "up: http://127.0.0.1:" in told and f"127.0.0.1:{port}" not in told
        assert "Prefect: http://127.0.0.1:" in tiny_project.hallmark(project, "status")
        monkeypatch.setenv("HALLMARK_LEDGER_URL", "postgresql+pg8000://user:secret@db/ledger")
        told = tiny_project.hallmark(project, "up", code=2)
        assert "other settings: HALLMARK_LEDGER_URL" in told and "hallmark down" in told and "secret" not in told
        monkeypatch.delenv("HALLMARK_LEDGER_URL")
        assert "up: http://127.0.0.1:" in tiny_project.hallmark(project, "up")
    finally:
        assert tiny_project.hallmark(project, "down") == "stopped\n"
    assert tiny_project.hallmark(project, "down") == "nothing was up\n"


@pytest.mark.parametrize("verb", [["conflicts", "one"], ["show", "0", "--run", "one", "--reason", "curious"]])
def test_who_looks_at_data_shows_their_key(project: Path, verb: list[str]) -> None:
    key = project / ".hallmark" / "keys" / "data-owner"
    aside = key.rename(key.with_name("elsewhere"))
    try:
        told = hallmark(project, "data", *verb, "--as", "data-owner", code=2)
        assert "the private key of data-owner is wanted" in told
    finally:
        aside.rename(key)


def test_conflicts_are_listed_printed_as_json_and_written_as_a_page(project: Path, tmp_path: Path) -> None:
    run = Run(project / ".hallmark" / "runs" / "one")
    told_apart = [record("Where is the bill of last month", label, n) for n, label in enumerate(("x", "y"))]
    other = record("What are your opening hours", number=2)
    run.deduplicate([*told_apart, other], near_duplicates={"conflict_jaccard": 0.9})
    asked = ("data", "conflicts", "one", "--as", "data-owner")
    told = hallmark(project, *asked)
    assert "src, row 1" in told and "⟦x⟧" in told and "1 of 1 conflicts of run one" in told
    (pair,) = hallmark_json(project, *asked)["pairs"]
    assert {pair["went"]["target"], pair["other"]["target"]} == {"x", "y"} and pair["decided_by"] == ""
    page = tmp_path / "page.html"
    told = hallmark(project, *asked, "--html", str(page))
    assert "1 of 1 conflicts" in told and "last month" not in told and "last month" in page.read_text()
    assert page.stat().st_mode & 0o777 == 0o600
    told = hallmark(project, *asked[:-1], "ml-engineer", code=1)
    assert "ml-engineer may see none of the 1 conflicts" in told and "last month" not in told


def test_a_run_under_other_governance_is_looked_at_by_its_own_people(project: Path) -> None:
    theirs = project / "theirs"
    shutil.copytree(project / "infra" / "governance", theirs)
    people = (theirs / "people.yaml").read_text()
    (theirs / "people.yaml").write_text(people + "  - {id: their-auditor, name: Auditor, roles: [auditor]}\n")
    hallmark(project, "init", "--governance", "theirs")
    run = Run(project / ".hallmark" / "runs" / "three")
    run.deduplicate([record("Where is my card")])
    asked = ("data", "conflicts", "three", "--as", "their-auditor")
    assert "'their-auditor' is nobody" in hallmark(project, *asked, code=2)
    request, ours = run.layout.request, RunRequest(run_id="three", requested_by="ml-engineer", governance="theirs")
    envelope = signed(project, ours)[1]
    dsse.write(request, envelope)
    told = hallmark(project, *asked, code=1)
    assert f"{request} is not the request that the ledger has" in told, "whoever wrote it there"
    signed_request.record(open_ledger(project / ".hallmark"), installed_governance(project, "theirs"), envelope)
    assert "0 of 0 conflicts of run three" in hallmark(project, *asked)
    request.write_text("{}")
    assert "request.json is not the request that the ledger has" in hallmark(project, *asked, code=1)


def test_the_rows_put_aside_are_counted_listed_and_written(project: Path, tmp_path: Path) -> None:
    run, file = Run(project / ".hallmark" / "runs" / "two"), tmp_path / "all.csv"
    run.root.mkdir(parents=True)
    rows = [*messages(6), {"text": "what a secret", "label": ""}, *[{"text": "told twice", "label": "x"}] * 4]
    run.ingest(table(rows))
    for stage in (clean, deduplicate):
        stage.run(params(), run.layout)
    journal.write(project / ".hallmark", Journal(run="two", requested_by="ml-engineer"))
    told = hallmark(project, "data", "quarantine")
    assert "src exact_duplicate deduplicate 3" in " ".join(told.split())
    assert "column 'label' is empty" in told and "src, row " in told and "4 of 4 rows that run two put aside" in told
    told = hallmark(project, "data", "quarantine", "two", "--limit", "1", "--source", "src")
    assert "1 of 4 rows that run two put aside, and 3 more; --csv FILE writes all" in told
    document = hallmark_json(project, "data", "quarantine", "--rule", "missing_target", "--csv", str(file))
    assert document["total"] == 1 and document["rows"][0]["row"] == 7 and file.read_text().count("\n") == 2
    told = hallmark(project, "data", "quarantine", "--csv", str(file))
    assert f"{file}: 4 rows" in told and "told twice" not in told + file.read_text()
    assert "run two put no such rows aside" in hallmark(project, "data", "quarantine", "--rule", "empty_prompt")
    assert "there is no rule 'none'" in hallmark(project, "data", "quarantine", "--rule", "none", code=2)
    told = hallmark(project, "data", "quarantine", "--csv", "/dev/null", code=2)
    assert "/dev/null is no file" in told and Path("/dev/null").is_char_device()


def test_a_row_that_became_no_record_is_shown_to_its_owner(project: Path) -> None:
    run = Run(project / ".hallmark" / "runs" / "four")
    run.root.mkdir(parents=True)
    told_in = "Ada\x1b[31m\n  put aside by nobody"
    run.ingest(table([*messages(3), {"text": told_in, "label": ""}, {"text": "", "label": "x"}]))
    asked = ("data", "show", "src:4", "--run", "four", "--reason", "a test", "--as", "data-owner")
    lines = hallmark(project, *asked).splitlines()
    assert lines[0] == "no record was made of this row: source src, row 4" and "  label: (empty)" in lines
    assert "  text: Ada<U+001B>[31m" in lines and "        put aside by nobody" in lines
    assert lines[-1].startswith("  put aside by ingest: missing_target: ")
    assert hallmark_json(project, *asked)["columns"] == {"text": told_in, "label": ""}
    told = hallmark(project, *asked[:-1], "ml-engineer", code=1)
    assert "ml-engineer may not look at records of src" in told and "Ada" not in told
    (run.root / "data.csv").write_bytes(b"text,label\n")
    told = hallmark(project, *asked, code=2)
    assert "row 4 of source src can no longer be shown" in told and "Traceback" not in told
