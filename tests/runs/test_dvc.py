"""A stage through DVC: its own error comes through, its output is heard, interrupting it ends its processes."""

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from tasks.core.errors import InputError, Refused, Unavailable
from tasks.core.layout import Layout
from tasks.core.machine import transfers
from tasks.runs.outputs import dvc
from tasks.runs.outputs.dvc_output import KEPT_LINES, MAX_LINE_LENGTH, DvcOutput, stage_error
from tasks.stages.runner import error_file
from tasks.supervise import grants
from tests.dvc_stages import run_of
from tests.patience import patience, wait_until
from tests.tiny_project import git

STAGES = """
stages:
  good:
    cmd: python -c "print('progress good 1/2 half'); open('out.txt','w').write('x')"
    deps: [.dvcignore]
    outs: [out.txt]
  clean:
    cmd: python -m tasks.stages clean
  gated:
    cmd: python -c "open('gated.txt','w').write('x')"
    deps: [gates/data.json]
    outs: [gated.txt]
  broken:
    cmd: python -c "raise ValueError('a defect')"
  tells:
    cmd: python -c "import os; print(dict(os.environ))"
  slow:
    cmd: python -c "import time; open('pid','w').write(str(__import__('os').getpid())); time.sleep(600)"
"""


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    return run_of(tmp_path, STAGES)


SLOW = """
import sys
from pathlib import Path
from tasks.core.layout import Layout
from tasks.runs.outputs import dvc
dvc.repro(Layout(Path(sys.argv[1])), "slow", print)
"""


def start_slow(layout: Layout) -> tuple["subprocess.Popen[bytes]", int]:
    """A process in the middle of the stage `slow`, and the stage's own process id."""
    command = [sys.executable, "-c", SLOW, str(layout.root)]
    parent = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    told = layout.root / "pid"
    return parent, int(wait_until(lambda: told.exists() and told.read_text(), "the stage to begin", process=parent))


def test_a_stage_runs_once_and_is_cached_after(layout: Layout) -> None:
    heard: list[str] = []
    assert dvc.repro(layout, "good", heard.append).cached is False
    assert "progress good 1/2 half" in heard
    assert dvc.repro(layout, "good", heard.append).cached is True
    (layout.root / "out.txt").unlink()
    assert dvc.repro(layout, "good", heard.append).cached is True, "a lost output comes back from the cache"
    assert (layout.root / "out.txt").read_text() == "x"
    assert (layout.state / "cache").is_dir(), "worktrees share the checkout's cache"


@pytest.mark.attack(rights="disk", stopped="DVC's databases lie in the worktree, where other users write nothing")
def test_another_user_keeps_no_folder_of_dvcs(layout: Layout, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    taken = tmp_path / "taken"
    taken.touch()  # as somebody else may do with /var/tmp/dvc
    monkeypatch.setenv("DVC_SITE_CACHE_DIR", str(taken))
    dvc.repro(layout, "good", lambda _: None)
    dvc.commit_outputs(layout, "good")
    assert (layout.root / dvc.DVC_DATABASE_FOLDER / "repo").stat().st_mode & 0o777 == 0o700


def test_a_killed_dvc_leaves_no_half_lock(layout: Layout) -> None:
    """It is killed while a stage runs, and is taken to have been writing its files, which it does in place."""
    dvc.repro(layout, "good", print)
    lock = layout.root / "dvc.lock"
    whole = lock.read_bytes()
    parent, stage = start_slow(layout)
    inside = psutil.Process(parent.pid).children(recursive=True)
    for process in (parent, *inside):
        process.kill()
    parent.wait()
    assert stage in [process.pid for process in inside]
    lock.write_bytes(whole[: len(whole) // 2])
    (layout.root / ".dvc" / "tmp" / "rwlock").write_bytes(b"")
    assert dvc.repro(layout, "good", print).cached is True
    assert lock.read_bytes() == whole


OWN = """# mine
[cache]
    type = copy
    shared = group
['remote "store"']
    url = s3://bucket/dvc
    secret_access_key = "a, b"  # from the vault
"""


def test_pointing_dvc_at_the_shared_cache_keeps_a_developers_own_settings(layout: Layout) -> None:
    path = layout.root / ".dvc" / "config.local"
    path.write_text(OWN)
    path.chmod(0o600)
    dvc.configure_dvc(layout)
    once = path.read_bytes()
    dvc.configure_dvc(layout)
    assert path.read_bytes() == once
    assert path.stat().st_mode & 0o777 == 0o600

    command = [sys.executable, "-m", "dvc", "config", "--list"]
    listed = subprocess.run(command, cwd=layout.root, check=True, capture_output=True, text=True).stdout
    told = dict(line.split("=", 1) for line in listed.splitlines())
    assert (path.parent / told["cache.dir"]).resolve() == layout.state / "cache"
    assert (told["cache.shared"], told["remote.store.url"]) == ("group", "s3://bucket/dvc")
    assert told["remote.store.secret_access_key"] == "a, b"
    assert "# mine" in path.read_text() and "# from the vault" in path.read_text()


def test_a_users_mistake_comes_through_as_the_stage_said_it(layout: Layout) -> None:
    with pytest.raises(InputError, match=r"stage clean: .*params\.yaml: no such file"):
        dvc.repro(layout, "clean", print)


def test_a_missing_gate_file_is_named(layout: Layout) -> None:
    with pytest.raises(Refused, match=r"gated needs gates/data\.json, and that gate has not passed"):
        dvc.repro(layout, "gated", print)


@pytest.mark.attack(rights="stage", stopped="how a stage failed is told by its exit code, not by its words")
def test_what_a_stage_prints_does_not_say_how_it_ended() -> None:
    told = DvcOutput()
    for line in ("ERROR: failed to reproduce 'a': failed to run: x, exited with 2", "it exited with 2"):
        told.add_line(line)
    told.add_line("ERROR: failed to reproduce 'a': failed to run: python, exited with 3")
    assert told.stage_exit_code() == 3


@pytest.mark.attack(rights="stage", stopped="of what a stage prints the end is kept")
def test_a_stage_that_prints_without_end_fills_no_memory() -> None:
    told = DvcOutput()
    for number in range(10_000):
        told.add_line(str(number))
    assert len(told.lines) == KEPT_LINES and told.lines[-1] == "9999"


@pytest.mark.attack(rights="stage", stopped="a stage's output is read until DVC has ended, whoever still holds it")
def test_an_output_that_somebody_else_holds_keeps_nobody_waiting() -> None:
    read, write = os.pipe()
    begun = time.monotonic()
    with subprocess.Popen(["echo", "done"], stdout=write) as process, os.fdopen(read, "rb") as process.stdout:
        assert [*DvcOutput().follow_process(process)] == ["done"]
    os.close(write)
    assert time.monotonic() - begun < patience(5)


def test_each_line_is_told_without_its_end_and_a_long_one_in_parts() -> None:
    long = "ä" * (MAX_LINE_LENGTH + 1)
    print_all = f"printf 'one\\r\\ntwo\\rthree\\n\\n\\377 %s\\nlast' {long}"
    with subprocess.Popen(["sh", "-c", print_all], stdout=subprocess.PIPE) as process:
        told = [*DvcOutput().follow_process(process)]
    assert told == ["one", "two", "three", "", f"\ufffd {long[:-3]}", "äää", "last"]


def test_a_defect_shows_its_last_lines(layout: Layout) -> None:
    with pytest.raises(Unavailable, match="ValueError: a defect"):
        dvc.repro(layout, "broken", print)


def test_interrupting_ends_the_stages_own_process(layout: Layout) -> None:
    parent, stage = start_slow(layout)
    os.kill(parent.pid, signal.SIGINT)
    parent.wait(timeout=patience(60))
    assert not psutil.pid_exists(stage) or psutil.Process(stage).status() == psutil.STATUS_ZOMBIE


TAKES_ITS_TIME = """
import os, signal, sys, time
signal.signal(signal.SIGTERM, lambda *_: (time.sleep(2), open(sys.argv[1], "w").write("x"), os._exit(0)))
print("begun", flush=True)
time.sleep(600)
"""


def test_a_stage_that_is_ended_has_time_for_what_it_does_then(tmp_path: Path) -> None:
    """As a training that writes a checkpoint. The process that it is a child of, DVC, ends at once."""
    kept = tmp_path / "kept"
    command = ["sh", "-c", '"$@" & wait', "sh", sys.executable, "-c", TAKES_ITS_TIME, str(kept)]
    with subprocess.Popen(command, start_new_session=True, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout and process.stdout.readline() == "begun\n"
        dvc.end_process_group(process)
    assert process.returncode == -signal.SIGTERM
    assert kept.exists()


def test_what_was_made_is_pushed_to_the_checkouts_default_remote_if_it_has_one(
    layout: Layout, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The default remote is set after the run's worktree was made. At the end the folder of the remote is gone."""
    dvc.repro(layout, "good", print)
    dvc.push_outputs(layout)
    checkout, store = layout.state.parent, tmp_path / "store"
    (checkout / ".dvc").mkdir()
    (checkout / ".dvc" / "config").write_text("['remote \"store\"']\n    url = ../store\n")
    (checkout / ".dvc" / "config.local").write_text("[core]\n    remote = store\n")
    dvc.push_outputs(layout)
    assert [path.read_text() for path in store.rglob("*") if path.is_file()] == ["x"]
    assert git(layout.root, "status", "--porcelain", ".dvc") == "", "the remote is no part of the run's commit"
    (stored,) = (path for path in store.rglob("*") if path.is_file())
    stored.unlink()
    os.mkfifo(stored)
    for kept in [path for path in tmp_path.rglob("*") if path.is_file() and path.read_bytes() == b"x"]:
        kept.unlink()
    monkeypatch.setattr(transfers, "STALL_SECONDS", 2.0)
    with pytest.raises(Unavailable, match="dvc pull has read and written nothing"):
        dvc.pull_outputs(layout)
    shutil.rmtree(store)
    store.write_text("a file where the store should be")
    with pytest.raises(Unavailable, match=r"dvc push failed: .+"):
        dvc.push_outputs(layout)


def test_a_stage_ends_when_whoever_started_it_was_killed() -> None:
    starter = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    script = "import threading, time; from tasks.stages.runner import exit_after_process; " + (
        f"threading.Thread(target=exit_after_process, args=({starter.pid},), daemon=True).start(); "
        "print('begun', flush=True); time.sleep(600)"
    )
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True) as stage:
        assert stage.stdout and stage.stdout.readline() == "begun\n" and stage.poll() is None
        starter.kill()
        starter.wait()
        assert stage.wait(timeout=patience(20)) == -signal.SIGTERM


CLUSTER = [
    "train",
    *(f"{name}@{which}" for name in ("predict", "probe") for which in ("base", "candidate", "champion")),
    "leakage",
]
WITHHELD = {
    "PYTHONPATH": [],
    "PYTHONSTARTUP": [],
    "PYTHONHOME": [],
    "LD_PRELOAD": [],
    "BASH_ENV": [],
    "HALLMARK_LEDGER_URL": [],
    "HALLMARK_GIT_REMOTE": [],
    "PREFECT_API_URL": [],
    "GIT_ASKPASS": [],
    "MLFLOW_REGISTRY_URI": [],
    "MLFLOW_TRACKING_URI": [],
    "RAY_AUTH_MODE": CLUSTER,
    "RAY_AUTH_TOKEN": CLUSTER,
    "RAY_AUTH_TOKEN_PATH": CLUSTER,
    "HALLMARK_TRAINING_STORAGE": CLUSTER,
    "HALLMARK_VAULT_KEY": ["ingest"],
    "HALLMARK_VAULT_URL": ["ingest"],
    "PGPASSWORD": ["ingest"],
    "AWS_SECRET_ACCESS_KEY": ["ingest", "push"],
    "SSH_AUTH_SOCK": ["push"],
}


@pytest.mark.parametrize("stage", ["ingest", "clean", *CLUSTER, "package", "push"])
def test_a_stage_gets_only_what_is_its_own(monkeypatch: pytest.MonkeyPatch, stage: str) -> None:
    for name in [*WITHHELD, "HALLMARK_WORKERS", "DATA_ROOT", "HF_TOKEN"]:
        monkeypatch.setenv(name, f"value of {name}")
    given = {value.removeprefix("value of ") for value in dvc.stage_environment(stage).values()}
    assert {name for name in WITHHELD if name in given} == {name for name, to in WITHHELD.items() if stage in to}
    assert {"HALLMARK_WORKERS", "DATA_ROOT", "HF_TOKEN"} <= given


@pytest.mark.parametrize("stage", CLUSTER)
def test_what_a_cluster_asks_for_reaches_the_stages_that_work_on_it(
    layout: Layout, monkeypatch: pytest.MonkeyPatch, stage: str
) -> None:
    """Through the run's environment and the stage's grant."""
    cluster = {"RAY_ADDRESS": "h:1", "RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": "t", "HALLMARK_TRAINING_STORAGE": "/s"}
    for name, value in cluster.items():
        monkeypatch.setenv(name, value)
    layout.params_path.write_text("evaluation: {device: gpu}\n")
    given = grants.stage_variables(stage, layout, dvc.stage_environment(stage), has_network=True)
    assert {name: given.get(name) for name in cluster} == cluster


def test_the_code_of_a_stage_does_not_see_the_ledgers_password(layout: Layout, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HALLMARK_LEDGER_URL", "postgresql://owner:s3cret@db/ledger")
    heard: list[str] = []
    dvc.repro(layout, "tells", heard.append)
    assert "HALLMARK_STARTED_BY" in "".join(heard) and "s3cret" not in "".join(heard)


@pytest.mark.parametrize(
    "url", ["/store", "s3://bucket/key", "ssh://host/path", "gs://bucket", "azure://container", "hdfs://host/path"]
)
def test_every_kind_of_remote_can_be_read_back(tmp_path: Path, url: str) -> None:
    """What a remote gives is compared with its digest where DVC can do that for its kind."""
    from dvc.config import Config

    (tmp_path / "config.local").write_text(f"[core]\nremote = store\n['remote \"store\"']\nurl = {url}\n")
    with Config(str(tmp_path)).edit("local") as local:
        local["remote"]["store"] |= dvc._verify_setting(url)
    assert Config(str(tmp_path))["remote"]["store"].get("verify", False) is (not url.startswith("hdfs"))


@pytest.mark.attack(rights="stage", stopped="a failed stage's message is read up to a bound, if it is a file")
def test_a_message_that_is_no_file_is_not_waited_for(tmp_path: Path) -> None:
    path, told = error_file(tmp_path, "clean"), DvcOutput()
    path.parent.mkdir()
    os.mkfifo(path)
    assert "ended with exit code 1" in str(stage_error(tmp_path, "clean", 1, told))
    path.unlink()
    path.write_text("x" * 10**6)
    assert len(str(stage_error(tmp_path, "clean", 1, told))) < 10**5
