"""A rerun reads only what changed, and leaves the same bytes as if it had read everything."""

import hmac
import json
import shutil
import sqlite3
import sys
from collections.abc import Callable
from datetime import date
from pathlib import Path

import pytest

from tasks.core import code_digest
from tasks.core.errors import InputError
from tasks.core.files import read_json, sha256_file, tree_manifest, write_json
from tasks.core.json_text import canonical_json
from tasks.sources.resolved_sources import ResolvedSources
from tasks.sources.vault import open_vault
from tasks.stages.__main__ import run_stage
from tasks.stages.data.ingest import ingest, source_cache
from tasks.stages.data.ingest.pool import BatchPool
from tasks.stages.data.ingest.source_reader import ReadContext
from tests.stages.data.build import TODAY, Run, messages, params, source, table
from tests.stages.data.test_protect import PERSONAL

NAMES = ("one", "two", "three")
SOURCES = [source(f"{name}.csv", id=name) for name in NAMES]


@pytest.fixture(scope="module")
def read_once(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Three sources that were read once."""
    run = Run(tmp_path_factory.mktemp("three"))
    for number, name in enumerate(NAMES):
        rows = [*PERSONAL, *messages(20), {"text": f"only in {name}", "label": f"label{number}"}]
        (run.root / f"{name}.csv").write_bytes(table(rows))
    run.resolve(*SOURCES)
    ingest.run(params(), run.layout)
    return run


@pytest.fixture
def three(run: Run, read_once: Run) -> Run:
    """A copy of `read_once`, which the test may change."""
    shutil.copytree(read_once.root, run.root, dirs_exist_ok=True)
    return run


def read_now(run: Run, capsys: pytest.CaptureFixture[str]) -> set[str]:
    """Resolve and ingest; the sources of which the stage says that it read them."""
    run.resolve(*SOURCES)
    return again(run, capsys)


def again(run: Run, capsys: pytest.CaptureFixture[str]) -> set[str]:
    capsys.readouterr()
    ingest.run(params(), run.layout)
    lines = [line.split() for line in capsys.readouterr().out.splitlines() if line.startswith("source ")]
    assert [line[1].rstrip(":") for line in lines] == list(NAMES)
    return {line[1].rstrip(":") for line in lines if line[4] == "read"}


def written(run: Run) -> dict[str, str]:
    return tree_manifest(run.layout.artefacts("ingest"))


def test_only_the_source_that_changed_is_read(three: Run, capsys: pytest.CaptureFixture[str]) -> None:
    file = three.root / "two.csv"
    file.write_bytes(file.read_bytes() + b"one more,yes\n")
    three.resolve(*SOURCES)
    for name in ("one", "three"):
        (three.root / f"{name}.csv").rename(three.root / f"{name}.away")  # so nobody can read them
    assert again(three, capsys) == {"two"}
    refreshed = written(three)
    for name in ("one", "three"):
        (three.root / f"{name}.away").rename(three.root / f"{name}.csv")
    three.forget()
    assert again(three, capsys) == set(NAMES)
    assert written(three) == refreshed


def test_nothing_is_read_where_nothing_changed(three: Run, capsys: pytest.CaptureFixture[str]) -> None:
    before = written(three)
    assert read_now(three, capsys) == set()
    assert written(three) == before


def damage(piece: Path) -> None:
    data = bytearray((piece / "records.parquet").read_bytes())
    data[len(data) // 2] ^= 1
    (piece / "records.parquet").write_bytes(data)


def recount(piece: Path) -> None:
    counts = json.loads((piece / "counts.json").read_text())
    (piece / "counts.json").write_text(json.dumps(counts | {"malformed": 7}))


def replace_by_file(piece: Path) -> None:
    shutil.rmtree(piece)
    piece.write_text("no folder")


def replace_by_link(piece: Path) -> None:
    elsewhere = piece.parents[3] / "elsewhere"
    piece.rename(elsewhere)
    piece.symlink_to(elsewhere)


def replace_by_anothers(piece: Path) -> None:
    """Sealed by the right key, but under another name."""
    (other,) = (path for path in (piece.parents[1] / "two").iterdir() if path.is_dir())
    shutil.rmtree(piece)
    shutil.copytree(other, piece)


def reseal(piece: Path) -> None:
    """By whoever may write here and has not got the vault's key."""
    damage(piece)
    files = {path.name: sha256_file(path) for path in piece.iterdir() if path.name != source_cache.SEAL_FILE}
    sealed = hmac.digest(bytes(32), canonical_json([piece.name, files]), "sha256").hex()
    (piece / source_cache.SEAL_FILE).write_text(sealed)


HARM: list[Callable[[Path], None]] = [
    damage,
    recount,
    lambda piece: (piece / "tokens.parquet").unlink(),
    lambda piece: (piece / "more.parquet").write_bytes(b""),
    lambda piece: (piece / "seal").unlink(),
    lambda piece: (piece / "seal").write_text(""),
    lambda piece: (piece / "seal").write_bytes(b"\xff" * 64),
    lambda piece: shutil.rmtree(piece),
    replace_by_file,
    replace_by_link,
    replace_by_anothers,
    reseal,
]


@pytest.mark.parametrize("harm", HARM)
def test_a_damaged_piece_is_read_again(
    three: Run, capsys: pytest.CaptureFixture[str], harm: Callable[[Path], None]
) -> None:
    before = written(three)
    (piece,) = (path for path in (source_cache.cache_folder(three.layout) / "three").iterdir() if path.is_dir())
    harm(piece)
    assert again(three, capsys) == {"three"}
    assert written(three) == before


def test_a_value_that_the_vault_lost_is_read_again(three: Run, capsys: pytest.CaptureFixture[str]) -> None:
    with sqlite3.connect(three.layout.state / "vault" / "vault.db") as connection:
        (lost,) = connection.execute("SELECT token FROM hallmark_vault WHERE token LIKE 'iban:%'").fetchone()
        connection.execute("DELETE FROM hallmark_vault WHERE token = ?", (lost,))
    connection.close()
    assert again(three, capsys) == {"one"}, "the other two have it from there again"
    assert open_vault(three.layout.state).find_missing_tokens([lost]) == []


def test_another_vault_is_another_piece(three: Run, capsys: pytest.CaptureFixture[str]) -> None:
    for path in (three.layout.state / "vault" / "vault.db", three.layout.state / "keys" / "vault"):
        path.unlink()
    assert read_now(three, capsys) == set(NAMES)


@pytest.mark.parametrize(
    "change",
    [
        {"today": date(2026, 4, 1)},
        {"terms": {"internal_only": ["Halcyon"]}},
        {"most": 0.5},
        {"protect": {"email": "mask"}},
        {"retention_days": 30},
        {"labels": "other"},
    ],
    ids=lambda change: next(iter(change)),
)
def test_everything_that_decides_a_piece_is_in_its_name(run: Run, change: dict[str, object]) -> None:
    (run.root / "a.csv").write_bytes(table(messages(3)))
    assert named(run) == named(run)
    assert named(run) != named(run, **change)


def named(run: Run, today: date = TODAY, most: float = 0.05, terms: dict[str, list[str]] | None = None, **of: object
          ) -> str:  # fmt: skip
    if label := of.pop("labels", None):
        (run.root / "a.csv").write_bytes(table(messages(2)) + f"x,{label}\n".encode())
    run.resolve(source("a.csv", **of), today=today, terms=terms or {})
    every = ResolvedSources.model_validate_json(run.layout.sources_path.read_bytes())
    return source_cache.cache_key(
        every.sources[0], ReadContext(every, most, run.root, open_vault(run.layout.state), BatchPool()), run.layout
    )


def test_the_code_and_its_libraries_decide_too(three: Run) -> None:
    every = ResolvedSources.model_validate_json(three.layout.sources_path.read_bytes())
    desk = ReadContext(every, 0.05, three.root, open_vault(three.layout.state), BatchPool())
    first = source_cache.cache_key(every.sources[0], desk, three.layout)
    write_json(three.layout.stage_digests_path, {"ingest": "1" * 64})
    second = source_cache.cache_key(every.sources[0], desk, three.layout)
    (three.root / "constraints.txt").write_text("spacy==3.9\n")
    assert len({first, second, source_cache.cache_key(every.sources[0], desk, three.layout)}) == 3


def test_the_list_of_words_is_among_the_code() -> None:
    root = Path(__file__).parents[3]
    assert root / "tasks/stages/data/protect/recognisers/data/given.txt" in code_digest.stage_files(root, "ingest")


def test_no_more_is_kept_than_two_of_a_source(three: Run, capsys: pytest.CaptureFixture[str]) -> None:
    home = source_cache.cache_folder(three.layout) / "two"
    (home / ".left-by-a-killed-process").mkdir()
    first = (three.root / "two.csv").read_bytes()
    for number in range(3):
        (three.root / "two.csv").write_bytes(first + f"more,{number}\n".encode())
        assert read_now(three, capsys) == {"two"}
    assert len([path for path in home.iterdir() if path.is_dir()]) == source_cache.MAX_FOLDERS_PER_SOURCE
    (three.root / "two.csv").write_bytes(first + b"more,1\n")
    assert read_now(three, capsys) == set(), "a change that is taken back"


def test_a_source_that_is_refused_costs_the_others_nothing(three: Run, capsys: pytest.CaptureFixture[str]) -> None:
    three.forget()
    good = (three.root / "three.csv").read_bytes()
    (three.root / "three.csv").write_bytes(b"text,label\n" + b"broken\n" * 10)
    with pytest.raises(InputError, match="are malformed"):
        read_now(three, capsys)
    assert not [path for path in (source_cache.cache_folder(three.layout) / "three").iterdir() if path.is_dir()]
    (three.root / "three.csv").write_bytes(good)
    assert read_now(three, capsys) == {"three"}


def test_data_stages_go_on_with_the_python_that_the_run_was_resolved_with(run: Run) -> None:
    run.ingest(table(messages(5)))
    resolved = read_json(run.layout.sources_path)
    assert resolved["python"] == f"{sys.version_info.major}.{sys.version_info.minor}"
    write_json(run.layout.sources_path, resolved | {"python": "3.9"})
    for stage in ("ingest", "clean"):
        with pytest.raises(InputError, match=r"was resolved with Python 3\.9, and this is 3\.1"):
            run_stage(stage, run.root)
    write_json(run.layout.sources_path, {name: value for name, value in resolved.items() if name != "python"})
    with pytest.raises(InputError, match=r"params\.yaml"):  # of an older run nothing is known, and it goes on
        run_stage("clean", run.root)
