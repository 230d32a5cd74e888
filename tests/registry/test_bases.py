"""A promotion keeps the base model that the release is an adapter of, under its digest, once."""

import os
from pathlib import Path

import pytest

from tasks.core.errors import Refused, Unavailable
from tasks.core.files import tree_digest, write_json
from tasks.core.layout import Layout
from tasks.core.params import params
from tasks.core.payload import manifest
from tasks.core.payload.manifest import Manifest
from tasks.registry.promote import base_models
from tests.registry.house import House


def kept(house: House) -> list[Path]:
    folder = house.state / "bases"
    return sorted(folder.iterdir()) if folder.is_dir() else []


def base_of(layout: Layout) -> Path:
    return layout.artefacts("base_model")


def described(layout: Layout) -> Manifest:
    read = params.load_params(layout.params_path)
    return manifest.build_manifest(layout, name=read.use_case.name, method=read.training.method, tier="low", demo=False)


def test_a_promotion_keeps_it_under_the_digest_that_the_release_names(ready: House) -> None:
    release = ready.promote(ready.run("run-1"))
    (folder,) = kept(ready)
    assert folder.name == tree_digest(folder) == tree_digest(base_of(ready.run("run-1")))
    assert folder.name == manifest.read_manifest(Path(release.bundle) / "payload").stages["base_model"]
    assert not (folder / "result.json").samefile(base_of(ready.run("run-1")) / "result.json")


def test_releases_of_one_base_model_share_it(succeeded: House) -> None:
    assert len(kept(succeeded)) == 1


def test_an_altered_one_is_put_right_by_the_next_promotion(challenged: House) -> None:
    (folder,) = kept(challenged)
    (folder / "added.bin").write_bytes(b"x")
    challenged.promote(challenged.run("run-2"))
    assert tree_digest(folder) == folder.name


def test_a_base_model_that_is_not_the_packages_stops_promotion(ready: House) -> None:
    layout = ready.run("run-1")
    write_json(base_of(layout) / "result.json", {"sha256": "f" * 64})
    with pytest.raises(Refused, match=r"base_model: artefacts/base_model/result\.json changed since it was signed"):
        ready.promote(layout)
    with pytest.raises(Refused, match="is not the base model that the package was made with"):
        base_models.copy_base_model(layout, manifest.read_manifest(layout.artefacts("package") / "payload"))
    assert kept(ready) == [] and not ready.bundle().exists()


def test_a_whole_model_needs_none(house: House) -> None:
    layout = house.begin("run-1")
    told = described(layout)
    assert base_models.copy_base_model(layout, told.model_copy(update={"method": "full"})) is None
    assert kept(house) == []


def test_on_another_disk_it_is_copied(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    def other_disk(*_: object, **__: object) -> None:
        raise OSError(18, "Invalid cross-device link")

    monkeypatch.setattr(os, "link", other_disk)
    layout = house.begin("run-1")
    folder = base_models.copy_base_model(layout, described(layout))
    assert folder is not None and tree_digest(folder) == tree_digest(base_of(layout))


def test_a_full_disk_keeps_nothing_half_and_leaves_the_old_champion(
    ready: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    layout = ready.run("run-1")

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(base_models.files, "copy_open_file", full)
    with pytest.raises(Unavailable, match="No space left"):
        ready.promote(layout)
    assert kept(ready) == [] and not ready.bundle().exists()
    monkeypatch.undo()
    assert ready.promote(layout).label == "triage-1"
    assert len(kept(ready)) == 1
