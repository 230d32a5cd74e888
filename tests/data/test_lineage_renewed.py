"""An index that an earlier version wrote named wrong sources: it is written anew from the run's records, or refused."""

import shutil
from pathlib import Path
from typing import Any

import pytest

from tasks.core.errors import Unavailable
from tasks.core.files import read_json, write_json
from tasks.core.layout import Layout
from tasks.inquiry import records_changed
from tasks.inquiry.lineage import ask, build, form
from tasks.stages.data.clean import clean
from tasks.stages.data.deduplicate import deduplicate
from tasks.stages.data.ingest import ingest
from tasks.stages.data.split import split
from tests.data.build import SEVERAL, Run, params, several, worded

COUNTS = {"tickets": 11, "chats": 4, "emails": 7}


@pytest.fixture
def state(tmp_path: Path) -> Path:
    return tmp_path / ".hallmark"


def indexed(state: Path, name: str, seed: int = 17) -> str:
    run = Run(state / "runs" / name)
    run.root.mkdir(parents=True)
    run.resolve(*several(run.root, {one: worded(one, COUNTS[one]) for one in SEVERAL}))
    for stage in (ingest, clean, deduplicate, split):
        stage.run(params(test_share=0.3, seed=seed), run.layout)
    return build.add(run.layout, "triage").sha256


def as_it_was(state: Path, sha256: str) -> dict[str, Any]:
    """Give an index the form of before: sources as an object, its keys sorted. Returns what about.json then says."""
    path = form.folder(state) / sha256 / form.ABOUT
    about = read_json(path)
    old = {name: about[name] for name in ("sha256", "use_case", "rows")}
    old["sources"] = {source["id"]: source["sha256"] for source in about["sources"]}
    write_json(path, old)
    assert list(read_json(path)["sources"]) == sorted(SEVERAL) != list(SEVERAL)
    return old


def of_source(state: Path, sha256: str) -> dict[str, int]:
    members = ask.of_dataset(state, sha256)
    return {name: sum(member.source_id == name for member in members) for name in SEVERAL}


def test_an_index_of_before_is_never_read(state: Path) -> None:
    sha256 = indexed(state, "one")
    as_it_was(state, sha256)
    for question in (
        lambda: ask.datasets(state),
        lambda: ask.of_dataset(state, sha256),
        lambda: ask.of_record(state, "0" * 32),
        lambda: ask.of_subjects(state, ["name:abc"]),
    ):
        with pytest.raises(Unavailable, match=rf"{sha256}: an earlier version .* names wrong sources.* \(one\)"):
            question()


def test_it_is_written_anew_from_a_run_that_has_the_records(state: Path) -> None:
    sha256, other = indexed(state, "one"), indexed(state, "two", seed=3)
    as_it_was(state, sha256)
    before = (form.folder(state) / other / form.ABOUT).stat().st_mtime_ns
    assert build.renew(state) == [sha256]
    assert of_source(state, sha256) == COUNTS
    assert (ask.runs(state, sha256), form.about(form.folder(state) / sha256).use_case) == (["one"], "triage")
    assert (form.folder(state) / other / form.ABOUT).stat().st_mtime_ns == before, "what is right is left alone"
    assert build.renew(state) == []


def test_a_run_that_makes_the_dataset_again_writes_it_anew_and_keeps_the_runs(state: Path) -> None:
    sha256 = indexed(state, "one")
    as_it_was(state, sha256)
    shutil.copytree(state / "runs" / "one", state / "runs" / "two")
    shutil.rmtree(state / "runs" / "one")
    build.add(Layout(state / "runs" / "two"), "triage")
    assert of_source(state, sha256) == COUNTS and set(ask.runs(state, sha256)) == {"one", "two"}


@pytest.mark.parametrize("gone", ["ingest", "split"])
def test_without_the_records_it_stays_and_is_refused(state: Path, gone: str) -> None:
    sha256 = indexed(state, "one")
    old = as_it_was(state, sha256)
    shutil.rmtree(Layout(state / "runs" / "one").stage(gone))
    assert build.renew(state) == []
    assert read_json(form.folder(state) / sha256 / form.ABOUT) == old
    with pytest.raises(Unavailable, match=r"bring them back .* or delete the folder"):
        ask.of_dataset(state, sha256)


def test_records_of_another_dataset_are_not_taken_for_its_own(state: Path) -> None:
    sha256 = indexed(state, "one")
    as_it_was(state, sha256)
    (Layout(state / "runs" / "one").stage("split") / "result.json").write_text("{}")
    assert build.renew(state) == []


def test_two_datasets_of_which_one_index_is_of_before_are_not_compared_by_id(state: Path) -> None:
    had, has = indexed(state, "one"), indexed(state, "two", seed=3)
    as_it_was(state, had)
    shutil.rmtree(Layout(state / "runs" / "one").stage("split"))
    found = records_changed.compare(state, had, has)
    assert (found.how, found.sources) == ("unknown", {}) and "names wrong sources" in found.why


def test_an_index_that_says_otherwise_than_the_manifest_is_a_defect(state: Path) -> None:
    sha256 = indexed(state, "one")
    run = Layout(state / "runs" / "one")
    path = run.stage("split") / "manifest.json"
    manifest = read_json(path)
    rows = {name: manifest["sources"][name]["rows"] for name in SEVERAL}
    for name, other in zip(SEVERAL, sorted(SEVERAL), strict=True):
        manifest["sources"][name]["rows"] = rows[other]
    write_json(path, manifest)
    with pytest.raises(AssertionError, match=r"lineage: the manifest has .* records of "):
        build.add(run, "triage")
    assert [one.sha256 for one in ask.datasets(state)] == [sha256], "and nothing of it is kept"
