"""What lies between machines without a common disk: it is compared by digest, waited for, and whole or absent."""

import os
import re
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
from botocore.exceptions import ClientError

from tasks.core.errors import InputError, Refused, Unavailable
from tasks.core.files import tree_digest, tree_manifest
from tasks.stages.cluster.storage import machine_cache, training_storage, trees
from tasks.stages.cluster.storage.training_storage import TrainingStorage
from tasks.stages.train.coordinator import Coordinator
from tasks.stages.train.training_store.separate_disks import RemoteTrainingStore
from tests import other_clock
from tests.object_store import in_bucket, point_at, settings
from tests.soaking import soak
from tests.tiny_project import ROOT

A = "1" * 64
"""A digest."""
WAITS = "does not answer"
"""What a storage says before it tries again for a while."""


def folder_of(path: Path, **files: bytes) -> Path:
    for name, data in files.items():
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_bytes(data)
    return path


def test_a_folder_comes_back_as_it_was_with_equal_files_stored_once(store: TrainingStorage, tmp_path: Path) -> None:
    folder = folder_of(tmp_path / "a", one=b"same", two=b"same", **{"deep/three": b"other"})
    tree = tree_manifest(folder)
    trees.store_tree(store, "x", folder, tree)
    assert len(list((tmp_path / "store" / "x").iterdir())) == 2
    (tmp_path / "b").mkdir()
    trees.fetch_tree(store, "x", tree, tmp_path / "b")
    assert tree_digest(tmp_path / "b") == tree_digest(folder)


def test_what_somebody_else_put_there_is_refused(store: TrainingStorage, tmp_path: Path) -> None:
    folder = folder_of(tmp_path / "a", one=b"ours")
    tree = tree_manifest(folder)
    (tmp_path / "store" / trees.SHARED_FOLDER).mkdir()
    (tmp_path / "store" / trees.SHARED_FOLDER / tree["one"]).write_bytes(b"theirs")
    trees.store_tree(store, trees.SHARED_FOLDER, folder, tree)
    (tmp_path / "b").mkdir()
    with pytest.raises(Refused, match="is not what was stored there; remove it"):
        trees.fetch_tree(store, trees.SHARED_FOLDER, tree, tmp_path / "b")


def test_what_was_damaged_of_a_training_is_stored_again(store: TrainingStorage, tmp_path: Path) -> None:
    """Another attempt makes the same bytes, under the same name."""
    tree = tree_manifest(folder_of(tmp_path / "a", one=b"ours"))
    (tmp_path / "store" / "training-x").mkdir()
    (tmp_path / "store" / "training-x" / tree["one"]).write_bytes(b"damaged")
    trees.store_tree(store, "training-x", tmp_path / "a", tree)
    (tmp_path / "b").mkdir()
    trees.fetch_tree(store, "training-x", tree, tmp_path / "b")


def test_a_machine_fetches_once_and_again_where_its_copy_was_changed(store: TrainingStorage, tmp_path: Path) -> None:
    tree = tree_manifest(folder_of(tmp_path / "a", one=b"data"))
    trees.store_tree(store, "x", tmp_path / "a", tree)
    machine_cache.fetch_tree(store, "x", tree)
    first = machine_cache.cached_tree_folder(tree)
    (tmp_path / "store" / "x" / tree["one"]).unlink()
    machine_cache.fetch_tree(store, "x", tree)
    (first / "one").write_bytes(b"changed")
    with pytest.raises(Refused, match="lacks what was stored there"):
        machine_cache.fetch_tree(store, "x", tree)
    trees.store_tree(store, "x", tmp_path / "a", tree)
    machine_cache.fetch_tree(store, "x", tree)
    assert (first / "one").read_bytes() == b"data"


def test_what_nobody_asked_for_in_a_week_is_removed(store: TrainingStorage, tmp_path: Path) -> None:
    trees.store_tree(store, "x", tmp_path / "a", tree := tree_manifest(folder_of(tmp_path / "a", one=b"data")))
    machine_cache.fetch_tree(store, "x", tree)
    folder, others = machine_cache.cached_tree_folder(tree), tmp_path / "cache" / "thesis"
    others.mkdir()
    machine_cache.remove_unused_folders()
    assert folder.exists()
    week = time.time() - machine_cache.MAX_UNUSED_SECONDS - 10
    for path in (folder, others):
        os.utime(path, (week, week))
    machine_cache.remove_unused_folders()
    assert not folder.exists() and others.exists()


def test_a_storage_that_comes_back_is_waited_for(
    store: TrainingStorage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def wait(_seconds: float) -> None:
        assert WAITS in capsys.readouterr().out
        (tmp_path / "away").rename(tmp_path / "store")

    folder = folder_of(tmp_path / "a", one=b"data")
    (tmp_path / "store").rename(tmp_path / "away")
    monkeypatch.setattr(training_storage, "time", SimpleNamespace(monotonic=time.monotonic, sleep=wait))
    trees.store_tree(store, "x", folder, tree_manifest(folder))
    assert len(list((tmp_path / "store" / "x").iterdir())) == 1


def test_the_watchdog_gives_a_checkpoint_the_time_that_an_outage_may_take() -> None:
    """The attribute had another name here than in the base class once, and a training ended during an outage."""
    assert RemoteTrainingStore.storage_patience_seconds == training_storage.MAX_OUTAGE_SECONDS > 0


def test_one_that_stays_away_is_given_up(
    store: TrainingStorage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(training_storage, "MAX_OUTAGE_SECONDS", 0.2)
    (tmp_path / "store").rmdir()
    with pytest.raises(Unavailable, match=r"was away for 0 s .*run again: a training then goes on"):
        trees.store_tree(store, "x", folder_of(tmp_path / "a", one=b"data"), {"one": "0" * 64})


@pytest.mark.parametrize(
    ("where", "words"),
    [
        *(
            (where, "expected s3://BUCKET/PREFIX or a folder that begins with /")
            for where in ("training", "s3://", "https://t", "/", "//")
        ),
        ("/nowhere/at/all", "there is no folder"),
    ],
)
def test_a_storage_that_cannot_be_is_an_input_error(monkeypatch: pytest.MonkeyPatch, where: str, words: str) -> None:
    monkeypatch.setenv(training_storage.LOCATION_VARIABLE, where)
    with pytest.raises(InputError, match=words):
        training_storage.storage_from_environment()


def test_a_store_of_objects_takes_and_gives_by_keys_of_its_own(
    object_store: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = settings(object_store)
    with monkeypatch.context() as patch:
        in_bucket(object_store, "training", patch)
    for name, value in given.items():
        monkeypatch.setenv(name, "nothing")  # restored after the test, whatever is adopted
        monkeypatch.setenv(f"HALLMARK_TRAINING_{name}", value)
    monkeypatch.setenv(training_storage.LOCATION_VARIABLE, "s3://training/of/us/")
    found = training_storage.storage_from_environment()
    assert found is not None
    tree = tree_manifest(folder_of(tmp_path / "a", one=b"data" * 500_000, two=b"x"))
    trees.store_tree(found, "x", tmp_path / "a", tree)
    (tmp_path / "b").mkdir()
    trees.fetch_tree(found, "x", tree, tmp_path / "b")
    assert tree_manifest(tmp_path / "b") == tree
    found.remove("x")
    with pytest.raises(Refused, match="lacks what was stored there"):
        trees.fetch_tree(found, "x", tree, tmp_path / "b")


def test_a_wrong_key_ends_it_at_once(
    object_store: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    point_at(object_store, monkeypatch, AWS_SECRET_ACCESS_KEY="wrong")
    with pytest.raises(InputError, match=r"refuses this machine \(.*\); give it keys in HALLMARK_TRAINING_AWS_ACCESS"):
        trees.store_tree(
            TrainingStorage("s3://training/x"), "x", folder_of(tmp_path / "a", one=b"data"), {"one": "0" * 64}
        )
    assert WAITS not in capsys.readouterr().out


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("AWS_ENDPOINT_URL", "garbage"),
        ("AWS_ENDPOINT_URL", "https"),
        ("AWS_PROFILE", "nobodys"),
        ("bucket", "a"),
        *soak([("AWS_ENDPOINT_URL", "http://[::1"), ("bucket", "B_ad Bucket!")]),
    ],
)
def test_a_setting_that_never_works_ends_it_at_once_and_is_named(
    object_store: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    setting: str,
    value: str,
) -> None:
    monkeypatch.setattr(training_storage, "SETTINGS_RETRY_SECONDS", 0.05)
    monkeypatch.setattr(training_storage, "RETRY_INTERVAL_SECONDS", 0.1)
    value = object_store.replace("http:", "https:") if value == "https" else value
    point_at(object_store, monkeypatch, **{setting: value})
    bucket = value if setting == "bucket" else "training"
    with pytest.raises(InputError, match=f"{bucket}/x cannot be reached as it is set .*look at bucket and prefix"):
        trees.store_tree(
            TrainingStorage(f"s3://{bucket}/x"), "x", folder_of(tmp_path / "a", one=b"data"), {"one": "0" * 64}
        )
    assert capsys.readouterr().out.count(WAITS) <= 1


def test_a_bad_request_of_a_storage_that_has_answered_is_waited_for(
    store: TrainingStorage, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """S3 says so of a body that did not come whole, and a load balancer that starts anew of TLS."""
    monkeypatch.setattr(training_storage, "SETTINGS_RETRY_SECONDS", 0.0)
    monkeypatch.setattr(training_storage, "RETRY_INTERVAL_SECONDS", 0.01)
    answer = {"Error": {"Code": "400", "Message": "Bad Request"}, "ResponseMetadata": {"HTTPStatusCode": 400}}
    bad = ClientError(answer, "PutObject")
    answers = [bad, bad, None]

    def ask(_store: object) -> None:
        if answer := answers.pop(0):
            raise answer

    with pytest.raises(InputError, match=r"cannot be reached as it is set \(.*Bad Request\)"):
        store._with_retries([ask])
    answers[:] = [None, bad, bad, None]
    store._with_retries([ask, ask])
    assert not answers and capsys.readouterr().out.count("does not answer") == 2
    monkeypatch.setattr(training_storage, "MAX_OUTAGE_SECONDS", 0.0)
    answers[:] = [bad, bad]
    with pytest.raises(Unavailable, match=r"was away for 0 s .*Bad Request"):
        store._with_retries([ask])


def test_a_file_that_others_may_not_read_stays_one(store: TrainingStorage, tmp_path: Path) -> None:
    (tmp_path / "one").write_text("rows")
    (tmp_path / "one").chmod(0o600)
    store.put([("x/one", tmp_path / "one")])
    assert (tmp_path / "store" / "x" / "one").stat().st_mode & 0o777 == 0o600


def test_a_clock_an_hour_ahead_ends_it_at_once_and_is_named(object_store: str, tmp_path: Path) -> None:
    """The store alone looks at a machine's clock (test_three_machines.py has one that is a minute ahead)."""
    wrong = other_clock.ahead(3600)
    if not wrong:
        pytest.skip(other_clock.MISSING)
    folder_of(tmp_path / "a", one=b"data")
    program = f"""
import sys; sys.path.insert(0, {str(ROOT)!r})
from pathlib import Path
from tasks.core.errors import InputError
from tasks.stages.cluster.storage.training_storage import TrainingStorage
try:
    TrainingStorage("s3://training/x").put([("one", Path("a/one"))])
except InputError as error:
    print(error)
"""
    given = os.environ | settings(object_store) | wrong
    said = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, env=given, capture_output=True, text=True)
    assert re.search(r"refuses this machine \(.*too large.*\); .*; or set its clock", said.stdout), said
    assert WAITS not in said.stdout


def test_a_bucket_that_is_not_there_is_an_input_error(
    object_store: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    point_at(object_store, monkeypatch)
    with pytest.raises(InputError, match=r"nothing can be stored in s3://nowhere/x .*is there such a bucket"):
        trees.store_tree(
            TrainingStorage("s3://nowhere/x"), "x", folder_of(tmp_path / "a", one=b"data"), {"one": "0" * 64}
        )


def test_the_cache_of_a_machine_is_closed_to_others(store: TrainingStorage) -> None:
    assert machine_cache.cache_folder(machine_cache.TREES_FOLDER).stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("name", ["../escaped", "/tmp/escaped", "a/../../b", ""])
def test_a_worker_names_no_file_outside_the_folder(store: TrainingStorage, tmp_path: Path, name: str) -> None:
    (tmp_path / "b").mkdir()
    with pytest.raises(Refused, match="look at that machine"):
        trees.fetch_tree(store, "x", {name: A}, tmp_path / "b")
    with pytest.raises(Refused, match="look at that machine"):
        Coordinator(tmp_path, tmp_path, 2).add_checkpoint_part(0, 1, 0, 1, {name: A})


def test_all_of_a_storage_is_never_removed(store: TrainingStorage) -> None:
    with pytest.raises(AssertionError):
        store.remove("")


def test_keys_that_may_not_remove_leave_things_behind_and_end_nothing(
    store: TrainingStorage, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(training_storage, "MAX_OUTAGE_SECONDS", 0.1)
    Path(store.location).rmdir()
    store.remove("training-x")
    assert "training-x is left behind" in capsys.readouterr().out
