"""`hallmark run`, and the server and runner that it starts: whose they are and what they are given."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

import infra.cli
from infra import ports, processes
from infra.cli import run_progress
from infra.console import server as pages
from infra.prefect import access, client, server
from infra.prefect.server import RunningPrefect
from infra.prefect.settings import EnvironmentDigests
from infra.processes import Process
from tasks.core.errors import HallmarkError, InputError, Refused, Unavailable
from tasks.core.files import read_json, write_json
from tasks.policy import judge_install
from tasks.policy.judge_install import JudgeInstall
from tasks.runs import journal
from tasks.runs.journal import Journal
from tasks.runs.run_lock import hold_run_lock
from tests import tiny_project
from tests.answering import listening
from tests.editing import edit
from tests.in_process import hallmark
from tests.stages.data.build import Run, messages, source, table
from tests.tiny_project import commit


@pytest.mark.parametrize("ours", [True, False], ids=["of this checkout", "of somebody else"])
def test_a_run_says_where_the_secret_lies_that_prefects_pages_ask_for(
    project: Path, ours: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    process = Process(pid=1, started=0)
    up = RunningPrefect(api="http://127.0.0.1:1/api", server=process if ours else None, runner=process)
    monkeypatch.setattr(server, "start", lambda *_, **__: up)
    monkeypatch.setattr(client, "create_flow_run", lambda *_, **__: "flow-run")
    monkeypatch.chdir(project)
    monkeypatch.setattr(sys, "argv", ["hallmark", "run", "--as", "ml-engineer", "--detach"])
    with pytest.raises(SystemExit) as ended:
        infra.cli.main()
    told = capsys.readouterr()
    assert ended.value.code == 0, told.err
    assert "in Prefect: http://127.0.0.1:1/runs/flow-run/flow-run" in told.out
    assert (str(access.secret_file(project)) in told.out) == ours


def test_a_wrong_key_in_an_expectation_is_told_before_anything_starts(project: Path) -> None:
    other = shutil.copytree(project / "infra" / "governance", project / ".hallmark" / "wrong-suite")
    edit(other / "expectations" / "messages.yaml", "why: fewer", "because: fewer")
    told = hallmark(project, "run", "--as", "ml-engineer", "--governance", str(other), code=2)
    assert "messages.yaml:8: expectations.1.because: unknown key" in told
    assert not (project / ".hallmark" / "prefect" / "up.json").exists()


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
    monkeypatch.setattr(run_progress, "PREFECT_SECONDS", 0.1)
    monkeypatch.setattr(client, "state_of", lambda *_: (state, message))
    journal.write_journal(tmp_path / ".hallmark", Journal(run="r1", requested_by="ml-engineer", flow_run="f1"))
    up = RunningPrefect(api="http://127.0.0.1:1/api", server=None, runner=Process(pid=1, started=0))
    with pytest.raises(error, match=wanted):
        run_progress.show_until_done(tmp_path, up, "r1", "f1", quiet=True)


def test_a_run_in_progress_is_not_resumed_and_nothing_is_started(project: Path) -> None:
    state = project / ".hallmark"
    journal.write_journal(state, Journal(run="r1", requested_by="ml-engineer"))
    with hold_run_lock(state, "r1"):
        told = tiny_project.hallmark(project, "run", "--resume", "r1", code=1)
    assert "r1 is being executed by another process" in told
    assert "interrupted" in hallmark(project, "runs", "show", "r1")
    journal.journal_path(state, "r1").unlink()
    assert not (state / "prefect" / "up.json").exists()


def test_who_the_environment_names_may_let_a_run_go_on(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HALLMARK_IDENTITY", "ml-engineer")
    assert "there is no run 'r1' here" in hallmark(project, "run", "--resume", "r1", "--json", "--detach", code=2)


def test_an_empty_id_is_nobody_whoever_the_environment_names(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HALLMARK_IDENTITY", "ml-engineer")
    assert "who are you? Say --as ID" in hallmark(project, "run", "--as", "", code=2)


def test_settings_are_compared_and_not_kept() -> None:
    environment = {"DATA_ROOT": "/data", "AWS_SECRET_ACCESS_KEY": "secret", "PATH": "/bin", "ODD": "\udcff"}
    kept = EnvironmentDigests.of_environment(environment)
    assert kept.differing_names(environment | {"PATH": "/usr/bin"}) == []
    assert kept.differing_names({"DATA_ROOT": "/other", "RAY_ADDRESS": "auto"}) == [
        "AWS_SECRET_ACCESS_KEY",
        "RAY_ADDRESS",
    ]
    assert kept.differing_names(environment | {"DATA_ROOT": "/other", "PATH": ""}, {"DATA_ROOT"}) == ["DATA_ROOT"]
    assert kept.differing_names(environment | {"MORE": "1"}, {"DATA_ROOT", "MORE"}) == ["MORE"]
    assert kept.differing_names(environment, {"DATA_ROOT", "NONE"}) == []
    assert "secret" not in kept.model_dump_json()


def remote_prefect(runner: Process) -> RunningPrefect:
    """Return what `up.json` says of a runner on a server of somebody else."""
    settings = EnvironmentDigests.of_environment(os.environ)
    return RunningPrefect(api="http://127.0.0.1:1/api", server=None, runner=runner, settings=settings)


@pytest.fixture
def with_runner(project: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The project with processes that do nothing in the place of its runner, started with DATA_ROOT=/data, and of its
    console."""
    monkeypatch.setenv("DATA_ROOT", "/data")
    with idle(access.prefect_folder(project)) as runner, idle(pages.console_folder(project)) as console:
        up = remote_prefect(runner)
        shown = pages.RunningServer(origin="http://127.0.0.1:2", port=2, process=console)
        files = [access.prefect_folder(project) / "up.json", pages.console_folder(project) / "up.json"]
        for file, document in zip(files, (up, shown), strict=True):
            write_json(file, document.model_dump(mode="json"))
        yield project
        for file in files:
            file.unlink(missing_ok=True)


@contextmanager
def idle(folder: Path) -> Iterator[Process]:
    """A process that does nothing in a folder."""
    folder.mkdir(exist_ok=True)
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], cwd=folder) as started:
        yield Process(pid=started.pid, started=psutil.Process(started.pid).create_time())
        started.kill()


def test_a_runner_of_another_version_is_asked_to_start_anew(with_runner: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = with_runner / ".hallmark" / "prefect" / "up.json"
    write_json(file, read_json(file) | {"hallmark": "a" * 64})
    told = hallmark(with_runner, "run", "--as", "ml-engineer", code=2)
    assert "the runner executes another Hallmark (SHA-256 aaaaaaaaaaaa) than this command: `hallmark down`" in told
    monkeypatch.setattr(
        judge_install, "current_judge", lambda: JudgeInstall(version="1", sha256="a" * 64, editable=False)
    )
    assert "up: http://127.0.0.1:1" in hallmark(with_runner, "up")


def test_a_location_that_lies_elsewhere_now_is_told_and_the_runner_asked_to_start_anew(
    with_runner: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = shutil.copytree(with_runner / "infra" / "governance", with_runner / "examples" / "elsewhere")
    edit(other / "sources.yaml", "location: examples", "location: ${DATA_ROOT:-examples}")
    commit(with_runner, "Sources elsewhere")
    monkeypatch.setenv("DATA_ROOT", str(with_runner / "examples"))
    asked = ("run", "--as", "ml-engineer", "--governance", "examples/elsewhere")
    told = hallmark(with_runner, *asked, code=2)
    assert "the runner was started with other settings: DATA_ROOT" in told and "hallmark down" in told
    assert "up: http://127.0.0.1:1" in hallmark(with_runner, "up"), "whose sources do not name it"
    monkeypatch.delenv("DATA_ROOT")
    assert "other settings: DATA_ROOT" in hallmark(with_runner, *asked, code=2)


def test_another_ledger_is_told_without_its_password(with_runner: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "Prefect: http://127.0.0.1:1" in hallmark(with_runner, "status")
    monkeypatch.setenv("HALLMARK_LEDGER_URL", "postgresql+pg8000://user:secret@db/ledger")
    told = hallmark(with_runner, "up", code=2)
    assert "other settings: HALLMARK_LEDGER_URL" in told and "hallmark down" in told and "secret" not in told


def test_down_ends_what_is_up_and_says_so(with_runner: Path) -> None:
    assert hallmark(with_runner, "down") == "stopping …\nstopped\n"
    assert hallmark(with_runner, "down") == "nothing was up\n"


def test_a_run_that_goes_on_reads_from_where_its_own_sources_say(
    with_runner: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = Run(with_runner / ".hallmark" / "runs" / "moved")
    run.root.mkdir(parents=True)
    (run.root / "data.csv").write_bytes(table(messages(2)))
    run.resolve(source("${DATA_NAME:-data}.csv"))
    journal.write_journal(with_runner / ".hallmark", Journal(run="moved", requested_by="ml-engineer"))
    monkeypatch.setenv("DATA_NAME", "other")
    assert "other settings: DATA_NAME." in hallmark(with_runner, "run", "--resume", "moved", code=2)
    journal.journal_path(with_runner / ".hallmark", "moved").unlink()


@pytest.mark.parametrize("port", ["abc", "99999", "-1", "4200.0", "9" * 5000, "٤٢"])
def test_a_port_that_is_none_is_told_and_nothing_is_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, port: str
) -> None:
    monkeypatch.setenv("HALLMARK_PREFECT_PORT", port)
    monkeypatch.delenv("PREFECT_API_URL", raising=False)
    monkeypatch.setattr(ports, "free_port", lambda _: pytest.fail("it was taken for a port"))
    with pytest.raises(InputError, match="HALLMARK_PREFECT_PORT: expected a port from 1 to 65535"):
        server.start(tmp_path, print)
    assert server.find(tmp_path) is None


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # `start` leaves processes running
def test_a_server_of_another_checkout_is_not_taken_for_ones_own_and_a_free_port_is_taken(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two checkouts look for a port at the same time: the other one gets it, and answers."""
    told: list[str] = []
    with listening("healthy") as (port, _):
        free = ports.free_port
        monkeypatch.setenv("HALLMARK_PREFECT_PORT", str(port))
        answers = iter([port])
        monkeypatch.setattr(ports, "free_port", lambda wanted: next(answers, None) or free(wanted))
        process, api = server._start_server(project, told.append)
        processes.end_process(process)
    assert f":{port}/" not in api
    assert told == [f"port {port} is in use; taking a free one for Prefect"]
