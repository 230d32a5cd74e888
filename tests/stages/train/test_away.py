"""A training whose machines have no disk in common: its checkpoints, whom its workers tell, what it goes on from."""

from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tasks.core.errors import Unavailable
from tasks.core.files import tree_digest, tree_manifest
from tasks.stages.cluster.storage import training_storage, trees
from tasks.stages.cluster.storage.training_storage import TrainingStorage
from tasks.stages.train import log_follower, loop
from tasks.stages.train.coordinator import USER_LINES_FILE, Coordinator, read_stored_checkpoints
from tasks.stages.train.job import Job
from tasks.stages.train.recovery.attempts import MachinesChanged
from tasks.stages.train.recovery.checkpoints import KEPT_CHECKPOINTS
from tasks.stages.train.training_store import transfer
from tasks.stages.train.training_store.separate_disks import RemoteTrainingStore
from tests.stages.train.conftest import MakeJob, train_until_killed

A, B, C, D = ("1" * 64, "2" * 64, "3" * 64, "4" * 64)
"""Digests."""


def test_a_checkpoint_counts_once_every_worker_has_stored_its_part(tmp_path: Path) -> None:
    (tmp_path / "scratch").mkdir()
    desk = Coordinator(tmp_path, tmp_path / "scratch", 2)
    attempt, known = desk.begin_attempt()
    assert known == []
    assert desk.add_checkpoint_part(attempt, 5, 0, 2, {"a": A}) == []
    assert read_stored_checkpoints(tmp_path) == []
    desk.add_checkpoint_part(attempt, 5, 1, 2, {"b": B})
    assert [(it.step, it.workers, it.files) for it in read_stored_checkpoints(tmp_path)] == [(5, 2, {"a": A, "b": B})]


def test_parts_of_workers_that_are_gone_make_no_checkpoint(tmp_path: Path) -> None:
    desk = Coordinator(tmp_path, tmp_path, 2)
    before, _ = desk.begin_attempt()
    desk.add_checkpoint_part(before, 5, 0, 2, {"a": A})
    attempt, _ = desk.begin_attempt()
    desk.add_checkpoint_part(attempt, 5, 0, 2, {"a": B})
    desk.add_checkpoint_part(before, 5, 1, 2, {"b": A})
    assert read_stored_checkpoints(tmp_path) == []
    desk.add_checkpoint_part(attempt, 5, 1, 2, {"b": B})
    assert read_stored_checkpoints(tmp_path)[0].files == {"a": B, "b": B}


def test_two_checkpoints_are_kept_with_what_they_need(tmp_path: Path) -> None:
    desk = Coordinator(tmp_path, tmp_path, 2)
    attempt, _ = desk.begin_attempt()
    desk.add_checkpoint_part(attempt, 1, 0, 1, {"script": C, "state": A})
    desk.add_checkpoint_part(attempt, 2, 0, 1, {"script": C, "state": B})
    assert desk.add_checkpoint_part(attempt, 3, 0, 1, {"script": C, "state": D}) == [A]
    assert [it.step for it in read_stored_checkpoints(tmp_path)] == [3, 2]


def away_of(job: Job, store: TrainingStorage) -> Job:
    made = transfer.upload_inputs(job, store)
    assert made.remote
    return replace(
        made, remote=replace(made.remote, coordinator=Coordinator(job.checkpoints, job.scratch, KEPT_CHECKPOINTS))
    )


def curve(job: Job) -> list[dict[str, Any]]:
    return [{name: point[name] for name in ("step", "loss", "lr")} for point in log_follower.read_log(job.training_log)]


@pytest.mark.usefixtures("alone")
@pytest.mark.parametrize("damage", ["none", "newest", "both"])
def test_a_training_with_a_storage_goes_on_from_what_is_sound_in_it(
    job: MakeJob, trained: MakeJob, store: TrainingStorage, damage: str, folder28: Path
) -> None:
    """With it go the best weights until then."""
    settings = {"rows": folder28, "checkpoint_steps": 2, "validate_steps": 1}
    whole, cut = trained(**settings), away_of(job("cut", **settings), store)
    train_until_killed(cut, 5, RemoteTrainingStore)
    kept = read_stored_checkpoints(cut.checkpoints)
    assert [it.step for it in kept] == [4, 2]
    for each in kept[: {"none": 0, "newest": 1, "both": 2}[damage]]:
        for name, digest in each.files.items():
            if name.endswith((".pt", ".safetensors")):
                (Path(store.location) / cut.remote.folder_name / digest).write_bytes(b"other")  # type: ignore[union-attr]
    loop.run_training(cut)
    transfer.fetch_weights(cut)
    transfer.remove_training_folder(cut)
    assert curve(cut) == curve(whole)
    assert tree_digest(cut.weights_folder) == tree_digest(whole.weights_folder)
    assert (cut.scratch / USER_LINES_FILE).exists() is (damage != "none")
    assert {path.name for path in Path(store.location).iterdir()} == {trees.SHARED_FOLDER}


@pytest.mark.usefixtures("alone")
def test_who_is_asked_to_end_has_stored_its_checkpoint_first(
    job: MakeJob, trained: MakeJob, store: TrainingStorage
) -> None:
    whole, cut = trained(), away_of(job("cut"), store)
    cut.end_request_file.touch()
    with pytest.raises(MachinesChanged, match="asked to end after step 1"):
        loop.run_training(cut)
    assert [it.step for it in read_stored_checkpoints(cut.checkpoints)] == [1]
    cut.end_request_file.unlink()
    loop.run_training(cut)
    transfer.fetch_weights(cut)
    assert tree_digest(cut.weights_folder) == tree_digest(whole.weights_folder)


@pytest.mark.usefixtures("alone")
def test_checkpoints_of_another_training_in_the_storage_are_passed_over(job: MakeJob, store: TrainingStorage) -> None:
    cut = away_of(job("cut", checkpoint_steps=2), store)
    train_until_killed(replace(cut, inputs_digest="of another"), 3, RemoteTrainingStore)
    assert [it.step for it in read_stored_checkpoints(cut.checkpoints)] == [2]
    loop.run_training(cut)
    assert "step-000000002 is of another training" in (cut.scratch / USER_LINES_FILE).read_text()
    assert not any("seconds" not in point for point in log_follower.read_log(cut.training_log)), "it began anew"
    transfer.remove_training_folder(cut)


@pytest.mark.usefixtures("alone")
def test_best_weights_in_several_checkpoints_are_sent_once(
    job: MakeJob, store: TrainingStorage, folder28: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put, names = TrainingStorage.put, []

    def told(place: TrainingStorage, files: Any, overwrite: bool = True) -> None:
        names.extend(name for name, _ in files)
        put(place, files, overwrite)

    monkeypatch.setattr(TrainingStorage, "put", told)
    # The weights of the look after step 3 are in the checkpoints of steps 3, 4 and 5.
    loop.run_training(away := away_of(job("once", rows=folder28, validate_steps=3, checkpoint_steps=1), store))
    transfer.fetch_weights(away)
    weights = f"{away.remote.folder_name}/{tree_manifest(away.weights_folder)['adapter_config.json']}"  # type: ignore[union-attr]
    assert names.count(weights) == 2  # in a checkpoint, and as the result
    assert max(Counter(names).values()) == 2


def test_checkpoints_that_were_passed_over_do_not_count_among_the_newest(tmp_path: Path) -> None:
    desk = Coordinator(tmp_path, tmp_path, 2)
    attempt, _ = desk.begin_attempt()
    for step in (15, 20):
        desk.add_checkpoint_part(attempt, step, 0, 1, {"state": A})
    attempt, _ = desk.begin_attempt()
    desk.remove_newer_checkpoints(0)
    assert desk.add_checkpoint_part(attempt, 5, 0, 1, {"state": B}) == []
    assert [it.step for it in read_stored_checkpoints(tmp_path)] == [5]


def test_in_another_storage_a_training_begins_anew(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    first = transfer.training_folder_name(tmp_path, TrainingStorage("/a"))
    Coordinator(tmp_path, tmp_path, 2).add_checkpoint_part(0, 5, 0, 1, {"state": A})
    assert transfer.training_folder_name(tmp_path, TrainingStorage("/a")) == first and read_stored_checkpoints(tmp_path)
    assert (
        second := transfer.training_folder_name(tmp_path, TrainingStorage("/b"))
    ) != first and not read_stored_checkpoints(tmp_path)
    for damaged in ("{", "[]", '{"place": "/b"}'):
        (tmp_path / transfer.STORAGE_FILE).write_text(damaged)
        assert transfer.training_folder_name(tmp_path, TrainingStorage("/b")) not in (first, second), (
            "another, whose checkpoints are nobody's"
        )
    assert "step 5 lies in another storage than /b" in capsys.readouterr().out


@pytest.mark.usefixtures("alone")
def test_a_storage_that_is_gone_for_good_stops_the_training_which_goes_on_once_it_is_back(
    job: MakeJob, trained: MakeJob, store: TrainingStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = {"checkpoint_steps": 2, "epochs": 2}
    whole, cut = trained(**settings), away_of(job("cut", **settings), store)
    where, real = Path(store.location), RemoteTrainingStore.log_step

    def tell(home: RemoteTrainingStore, point: dict[str, Any]) -> None:
        real(home, point)
        if point["step"] == 3:
            home.wait_until_stored()
            where.rename(where.with_name("gone"))

    with monkeypatch.context() as patch:
        patch.setattr(training_storage, "MAX_OUTAGE_SECONDS", 0.2)
        patch.setattr(RemoteTrainingStore, "log_step", tell)
        with pytest.raises(Unavailable, match="was away for 0 s"):
            loop.run_training(cut)
    assert len(log_follower.read_log(cut.training_log)) == 6, (
        "of 12: the checkpoint of step 4 was not stored, that of 6 waits for it"
    )
    assert [it.step for it in read_stored_checkpoints(cut.checkpoints)] == [2]
    where.with_name("gone").rename(where)
    loop.run_training(cut)
    transfer.fetch_weights(cut)
    assert curve(cut) == curve(whole)
    assert tree_digest(cut.weights_folder) == tree_digest(whole.weights_folder)
