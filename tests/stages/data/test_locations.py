"""A location may name a variable, and nothing that goes wrong with the source tells what the variable stands for."""

import gzip
import os
import subprocess
import sys
import traceback
from collections.abc import Callable
from pathlib import Path

import pytest

from tasks.core.errors import HallmarkError, Unavailable
from tasks.runs.requests.source_resolution import resolve_source
from tasks.sources.resolved_sources import ResolvedSource
from tasks.stages.data.ingest import ingest
from tests.stages.data.build import Run, messages, params, source, table

CANARY = "canary-7f3a91"
"""What the variable stands for: part of a path here, and it might be a password."""
CSV = table(messages(20))
Told = Callable[[BaseException], str]
HOLD = """
import fcntl, signal, sys
signal.signal(signal.SIGIO, signal.SIG_IGN)
file = open(sys.argv[1], "rb+")
fcntl.fcntl(file, fcntl.F_SETLEASE, fcntl.F_WRLCK)
print(flush=True)
sys.stdin.read()
"""
"""Program that holds a lease on a file until its input ends."""


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / CANARY
    folder.mkdir()
    monkeypatch.setenv("DATA_ROOT", str(folder))
    return folder


def written(path: Path, data: bytes = CSV) -> None:
    path.write_bytes(data)


PINNING: dict[str, Callable[[Path], object]] = {
    "absent": lambda path: None,
    "a folder": lambda path: path.mkdir(),
    "a pipe": lambda path: os.mkfifo(path),
    "a link to itself": lambda path: path.symlink_to(path),
    "a link that leads nowhere": lambda path: path.symlink_to(path.with_name("nowhere")),
    "below a file": lambda path: (path.parent.rmdir(), path.parent.write_bytes(b"")),
}
READING: dict[str, tuple[bytes, dict[str, object]]] = {
    "empty": (b"", {}),
    "a header alone": (b"text,label\n", {}),
    "no csv": (b'text,label\n"open,a\n', {}),
    "other columns": (b"a,b\n1,2\n", {}),
    "a column twice": (b"text,text,label\n1,2,3\n", {}),
    "binary": (bytes(range(256)) * 20, {}),
    "another encoding": ("text,label\nGrüße,a\n".encode("latin-1") * 9, {}),
    "a codec that is none": (CSV, {"encoding": "idna"}),
    "damaged gzip": (gzip.compress(CSV)[:-9], {}),
    "a gzip bomb": (gzip.compress(CSV), {"max_unpacked_bytes": 9}),
    "no parquet": (CSV, {"kind": "parquet"}),
    "truncated parquet": (b"PAR1" + CSV, {"kind": "parquet"}),
    "no jsonl": (CSV, {"kind": "jsonl"}),
    "truncated jsonl": (b'{"text": "a", "label": "b"}\n{"text": ', {"kind": "jsonl"}),
}


@pytest.fixture
def told(run: Run, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture) -> Told:
    """Everything that a log, a journal, a person or a later run could see of an error."""

    def of(error: BaseException) -> str:
        kept = [p for p in run.root.rglob("*") if CANARY not in p.parts and p.is_file() and p.stat().st_size < 1 << 20]
        state = [f"{path}\n{path.read_bytes().decode(errors='replace')}" for path in kept]
        return "\n".join([*traceback.format_exception(error), *capsys.readouterr(), caplog.text, *state])

    return of


@pytest.mark.attack(rights="disk", stopped="a file that somebody holds is told, and can be read later")
def test_a_source_on_which_somebody_holds_a_lease_is_told(run: Run, place: Path) -> None:
    written(place / "data.csv")
    command = [sys.executable, "-c", HOLD, place / "data.csv"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdout and holder.stdout.readline()
        with pytest.raises(Unavailable, match=r"cannot be read now .* try again"):
            resolve_source(source("${DATA_ROOT}/data.csv"), run.root)


@pytest.mark.attack(rights="approver", stopped="messages say a location as sources.yaml has it")
@pytest.mark.parametrize("wrong", PINNING)
def test_what_a_variable_of_a_location_holds_is_not_told_where_nothing_can_be_read(
    wrong: str, run: Run, place: Path, told: Told
) -> None:
    PINNING[wrong](place / "data.csv")
    with pytest.raises(HallmarkError, match="DATA_ROOT") as caught:
        resolve_source(source("${DATA_ROOT}/data.csv"), run.root)
    assert CANARY not in told(caught.value)


@pytest.mark.parametrize("value", [CANARY * 500, f"~{CANARY}"], ids=["too long", "nobody's home"])
def test_nor_where_the_value_itself_is_no_path(
    value: str, run: Run, monkeypatch: pytest.MonkeyPatch, told: Told
) -> None:
    monkeypatch.setenv("DATA_ROOT", value)
    with pytest.raises(HallmarkError, match="DATA_ROOT") as caught:
        resolve_source(source("${DATA_ROOT}/data.csv"), run.root)
    assert CANARY not in told(caught.value)


@pytest.mark.attack(rights="approver", stopped="messages say a location as sources.yaml has it")
@pytest.mark.parametrize("wrong", READING)
def test_nor_where_the_content_is_wrong(wrong: str, run: Run, place: Path, told: Told) -> None:
    data, fields = READING[wrong]
    written(place / "data.csv", data)
    run.resolve(source("${DATA_ROOT}/data.csv", **fields))
    with pytest.raises(HallmarkError) as caught:
        ingest.run(params(), run.layout)
    assert CANARY not in told(caught.value)


def test_nor_where_it_has_changed_or_gone_since(run: Run, place: Path, told: Told) -> None:
    for after in (lambda path: written(path, CSV + b"x,y\n"), Path.unlink):
        written(place / "data.csv")
        run.resolve(source("${DATA_ROOT}/data.csv"))
        after(place / "data.csv")
        with pytest.raises(HallmarkError) as caught:
            ingest.run(params(), run.layout)
        assert CANARY not in told(caught.value)


def test_nor_where_all_is_well(run: Run, place: Path, told: Told) -> None:
    written(place / "data.csv")
    run.resolve(source("${DATA_ROOT}/data.csv"))
    ingest.run(params(), run.layout)
    pinned = ResolvedSource.model_validate(resolve_source(source("${DATA_ROOT}/data.csv"), run.root))
    assert pinned.source.location == "${DATA_ROOT}/data.csv"
    assert CANARY not in told(HallmarkError(""))
