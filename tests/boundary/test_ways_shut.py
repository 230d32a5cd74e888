"""Ways past the boundary that an earlier version left open, tried by people who had not written it: each is shut."""

import contextlib
import os
import sqlite3
import stat
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from uuid import uuid4

import pytest

from flows import lifecycle
from flows.suspended_runs import _has_valid_run_id
from infra import checkout_folder
from infra.prefect import access, server
from infra.prefect.server import RunningPrefect
from infra.processes import Process
from tasks.core.databases import sqlite_journals
from tasks.core.errors import InputError, Refused
from tasks.core.layout import Layout
from tasks.core.machine import locks
from tasks.core.params.base_model import BaseModelParams
from tasks.gates import evidence
from tasks.runs import run_lock
from tasks.runs.request import derived_run_id
from tasks.runs.requests import source_resolution
from tasks.stages.train.base import base_model, origins
from tasks.stages.train.base.base_model import Params
from tasks.supervise import limits, output_check, record_store, source_grants
from tasks.supervise.limits import Limits
from tests.sandbox import inside, make, needs_sandbox
from tests.stages.data.build import messages, source, table

OPENS = """
import os
found = []
for folder, _, names in os.walk("/proc/sys"):
    for name in names:
        try:
            os.close(os.open(os.path.join(folder, name), os.O_WRONLY))
            found.append(name)
        except OSError:
            pass
"""


@needs_sandbox
@pytest.mark.attack(rights="stage", stopped="the kernel's settings are mounted to be read, whoever the runner is")
def test_no_setting_of_the_kernel_is_written(tmp_path: Path) -> None:
    """Of a runner that is root: a program named in core_pattern runs outside at the next crash."""
    assert inside(make(tmp_path), OPENS) == []


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    """The worktree of a run in a checkout with a key."""
    made = Layout(tmp_path / "checkout" / ".hallmark" / "runs" / "r1")
    made.root.mkdir(parents=True)
    for name in ("keys/gate", "ledger.db", "prefect/secret", "runs/r2/data.csv"):
        path = made.state / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("secret")
    return made


@pytest.mark.attack(rights="commit", stopped="no source is hidden in the checkout or a home, or lies in /proc")
@pytest.mark.parametrize("location", [
    ".hallmark/keys/gate", "STATE/keys/gate", "STATE/ledger.db", "STATE/prefect/secret", "STATE/runs/r2/data.csv",
    "${NONE:-.hallmark/keys/gate}", "./.hallmark//ledger.db", "link", "~/.ssh/id_ed25519", "~/.aws/credentials",
    "~/.netrc", ".git/config", ".dvc/config.local", ".env", "data/.keys/x.csv", "~/.cache/huggingface/token",
    "~/.local/share/keyrings/login.keyring", "/proc/self/environ", "/proc/self/mem", "/sys/kernel/notes", "/dev/stdin",
    "/etc/shadow", "/run/secrets/token", "OTHER/.ssh/id_ed25519", "OTHER/.hallmark/keys/gate",
])  # fmt: skip
def test_no_source_is_a_key(layout: Layout, location: str, monkeypatch: pytest.MonkeyPatch) -> None:
    home = layout.state.parent.with_name("home")
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    (layout.state.parent / "link").symlink_to(layout.state / "keys" / "gate")
    location = location.replace("STATE", str(layout.state)).replace("OTHER", str(home.with_name("other")))
    named = source(location)
    for root in (layout.root, layout.state.parent):
        with pytest.raises(InputError, match="where no data is; correct its location"):
            source_resolution.resolve_source(named, root)
    with pytest.raises(InputError, match="where no data is"):
        source_grants.require_allowed_location(
            "s", layout.resolve_path(str(Path(location.replace("${NONE:-", "").replace("}", "")).expanduser())), layout
        )


def test_data_lies_where_people_have_it(layout: Layout, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also below a home, and in a run's own worktree."""
    home = layout.state.parent.with_name("home")
    monkeypatch.setenv("HOME", str(home))
    checkout = layout.state.parent
    for path in (home / "data.csv", home / "data" / "data.csv", layout.root / "data.csv", checkout / "data.csv"):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(table(messages(2)))
        assert source_resolution.resolve_source(source(str(path)), layout.root).bytes


def hot_journal(database: Path, victim: Path) -> None:
    """A journal as a transaction over two databases leaves it that broke off, whose super-journal is the victim."""
    with contextlib.closing(sqlite3.connect(database)) as connection:
        connection.executescript("PRAGMA page_size = 512; CREATE TABLE t (x); INSERT INTO t VALUES (1);")
    name = str(victim).encode()
    page = database.read_bytes()[:512]
    total = (1 + sum(page[i] for i in range(512 - 200, 0, -200))) & 0xFFFFFFFF
    counts = (1, 1, len(database.read_bytes()) // 512, 512, 512)
    header = sqlite_journals.SUPER_JOURNAL_MAGIC + b"".join(number.to_bytes(4, "big") for number in counts)
    record = (1).to_bytes(4, "big") + page + total.to_bytes(4, "big")
    lock = (0x40000000 // 512 + 1).to_bytes(4, "big")
    ends = (
        name
        + len(name).to_bytes(4, "big")
        + (sum(name) & 0xFFFFFFFF).to_bytes(4, "big")
        + sqlite_journals.SUPER_JOURNAL_MAGIC
    )
    database.with_name(f"{database.name}-journal").write_bytes(header.ljust(512, b"\0") + record + lock + ends)


@pytest.mark.attack(rights="stage", stopped="a journal that names another file is removed before SQLite plays it back")
@pytest.mark.parametrize("name", ["keys/gate", "ledger.db", "releases/a-1/payload/x"])
def test_a_journal_deletes_no_file_of_anybody(tmp_path: Path, name: str) -> None:
    victim, place = tmp_path / name, tmp_path / "kept"
    victim.parent.mkdir(parents=True, exist_ok=True)
    place.mkdir()

    def opened() -> bool:
        victim.write_text("secret")
        hot_journal(place / "vault.db", victim)
        yes = bool(sqlite_journals.remove_planted_journals(place)) if guarded else True
        with contextlib.suppress(sqlite3.Error), contextlib.closing(sqlite3.connect(place / "vault.db")) as connection:
            connection.execute("SELECT * FROM t").fetchall()
        return yes and victim.exists()

    guarded = False
    assert not opened(), "SQLite deletes it, else this is no attack"
    (place / "vault.db").unlink()
    guarded = True
    assert opened()


def test_a_journal_of_its_own_stays(tmp_path: Path) -> None:
    (tmp_path / "vault.db-journal").write_bytes(sqlite_journals.SUPER_JOURNAL_MAGIC + bytes(600))
    (tmp_path / "short-journal").write_bytes(b"")
    (tmp_path / "folder-journal").mkdir()
    os.mkfifo(tmp_path / "pipe-journal")
    assert sqlite_journals.remove_planted_journals(tmp_path) == [tmp_path / "pipe-journal"]


@pytest.mark.attack(rights="stage", stopped="no link leads to the folder that is taken, at any height")
@pytest.mark.parametrize("link", ["predict", "predict/base"])
def test_the_outputs_of_another_run_are_not_taken(tmp_path: Path, link: str) -> None:
    left, other = tmp_path / "left", tmp_path / "other" / "predict"
    (other / "base").mkdir(parents=True)
    (left / link).parent.mkdir(parents=True)
    (left / link).symlink_to(other if link == "predict" else other / "base")
    with pytest.raises(Refused, match="which is no folder; nothing of it is taken"):
        output_check.copy_checked_output(left, "predict/base", tmp_path / "run" / "base", "predict@base")
    assert (other / "base").is_dir() and not (tmp_path / "run").exists()


@pytest.mark.attack(rights="stage", stopped="the copy of a base model is compared, not what others can write")
@pytest.mark.parametrize("kind", ["folder", "file"])
def test_a_model_that_is_exchanged_after_it_was_compared_is_refused(
    layout: Layout, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    fetched = layout.state / "models" / "x"
    fetched.parent.mkdir()
    if kind == "folder":
        fetched.mkdir()
        (fetched / "model.safetensors").write_text("another")
    else:
        fetched.write_text("another")
    monkeypatch.setattr(origins, "fetch_base_model", lambda base, layout: fetched)  # which compared it, a moment ago
    asked = BaseModelParams(folder="m", sha256="1" * 64, licence="MIT")
    with pytest.raises(InputError, match=r"base_model\.sha256: expected 1111"):
        base_model.run(Params(base_model=asked), layout)
    assert not layout.artefacts("base_model").exists()


@pytest.mark.attack(rights="stage", stopped="a stage that leaves the disk no files is ended")
def test_a_disk_without_files_ends_a_stage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    free = {"f_blocks": 10**9, "f_bfree": 10**9, "f_bavail": 10**9, "f_frsize": 4096}
    found = SimpleNamespace(f_files=1_000_000, f_favail=9_000, **free)
    monkeypatch.setattr(os, "statvfs", lambda place: found)
    assert "takes 9,000 more files" in (limits.create_limit_check(Limits(), tmp_path)() or "")
    found.f_favail = 10_001
    assert limits.create_limit_check(Limits(min_memory_share=0, min_disk_share=0), tmp_path)() is None
    found.f_files = found.f_favail = 0
    assert limits.create_limit_check(Limits(min_memory_share=0, min_disk_share=0), tmp_path)() is None, (
        "some file systems count none"
    )


DEEP = b"[" * 200_000


@pytest.mark.attack(rights="disk", stopped="what dvc.lock says of a stage is bounded before it is read")
@pytest.mark.parametrize("plant", [
    lambda path: path.write_bytes(DEEP), lambda path: os.mkfifo(path), lambda path: path.mkdir(),
    lambda path: path.write_bytes(b"{" + b" " * 2**21 + b"}"), lambda path: path.symlink_to("/dev/zero"),
], ids=["deep", "a pipe", "a folder", "large", "without end"])  # fmt: skip
def test_a_record_of_places_that_is_none_is_nothing(layout: Layout, plant: Callable[[Path], object]) -> None:
    record: Any = SimpleNamespace(record=SimpleNamespace(taken_from=None), sha256="0" * 64)
    path = record_store._lock_entry_path(layout.run_state, record)
    path.parent.mkdir()
    plant(path)
    assert record_store.read_lock_entry(layout, record) is None


@pytest.mark.attack(rights="stage", stopped="figures that a stage states are bounded before they are read")
@pytest.mark.parametrize("data", [DEEP, b"{\"facts\":" + DEEP, b"[]", b"{" + b" " * (64 * 2**20) + b"}"],
                         ids=["deep", "deep facts", "a list", "large"])  # fmt: skip
def test_figures_that_are_none_are_an_error(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "result.json"
    path.write_bytes(data)
    with pytest.raises(InputError, match="expected JSON with a `facts` mapping"):
        evidence._read_facts_file(path, "split")


@pytest.mark.attack(rights="orchestrator", stopped="a flow run counts by an id that is one")
@pytest.mark.parametrize("run", ["../../tmp/x", "RUN/dvc", "..", "/tmp/x", "A", "a" * 64, "a\nb", ["x"], {"a": 1}, 7.5])
def test_an_id_of_somebody_elses_is_no_path(tmp_path: Path, run: Any) -> None:
    made: Any = SimpleNamespace(parameters={"request": {"run_id": run}})
    with pytest.raises(InputError):
        lifecycle.run_id_of_flow_run(made)
    assert not _has_valid_run_id(made)
    with pytest.raises(InputError), run_lock.hold_run_lock(tmp_path, str(run)):
        pass
    assert list(tmp_path.iterdir()) == []


@pytest.mark.attack(rights="orchestrator", stopped="parameters of another form name no run, and end no runner")
@pytest.mark.parametrize("request_", ["abc", [], 7, True])
def test_parameters_of_another_form_are_no_run(request_: Any) -> None:
    """The flow run has an id of its own, as one without parameters."""
    created, number = datetime(2026, 1, 1, tzinfo=UTC), uuid4()
    made: Any = SimpleNamespace(parameters={"request": request_}, created=created, id=number)
    assert lifecycle.run_id_of_flow_run(made) == derived_run_id(created, number.hex)


def test_to_ask_for_a_lock_empties_no_file(tmp_path: Path) -> None:
    (tmp_path / "dvc.lock").write_text("stages: {}")
    with locks.try_exclusive_lock(tmp_path / "dvc.lock"):
        assert (tmp_path / "dvc.lock").read_text() == "stages: {}"


@pytest.mark.attack(rights="orchestrator", stopped="a server that died leaves a secret that opens nothing any more")
def test_the_secret_of_a_server_that_died_is_not_used_again(tmp_path: Path) -> None:
    """Whoever takes its port is told the secret by every command that asks it."""
    access.prefect_folder(tmp_path).mkdir(parents=True)
    before = access.server_secret(tmp_path)
    gone = Process(pid=2**22 - 1, started=0.0)
    up = RunningPrefect(api="http://127.0.0.1:9/api", server=gone, runner=gone)
    (access.prefect_folder(tmp_path) / "up.json").write_text(up.model_dump_json())
    assert server._ended_unexpectedly(tmp_path)
    access.secret_file(tmp_path).unlink()
    assert access.server_secret(tmp_path) != before
    (access.prefect_folder(tmp_path) / "up.json").write_text(up.model_copy(update={"server": None}).model_dump_json())
    assert not server._ended_unexpectedly(tmp_path), "somebody else's server has no secret of ours"


@pytest.mark.skipif(os.geteuid() != 0, reason="to give a folder to another user takes root")
@pytest.mark.attack(rights="disk", stopped="state that belongs to another user is not used")
def test_the_state_of_another_user_is_refused(tmp_path: Path) -> None:
    state = tmp_path / ".hallmark"
    state.mkdir(mode=0o777)
    os.chown(state, 65534, 65534)
    with pytest.raises(InputError, match=r"belongs to another user \(65534\); work as that user"):
        checkout_folder.make_private(state, print)
    os.chown(state, 0, 0)
    checkout_folder.make_private(state, print)
    assert stat.S_IMODE(state.stat().st_mode) == 0o700
