"""What makes two candidates the same."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tasks.core.files import write_json
from tasks.core.layout import Layout
from tasks.registry.promote.candidate_digest import candidate_inputs_digest
from tests.registry.house import House


@pytest.fixture
def layout(house: House) -> Layout:
    return house.begin("run-1")


def replace(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


DECIDING: dict[str, Callable[[Layout], object]] = {
    "a parameter": lambda run: replace(run.params_path, "risk_tier: low", "risk_tier: high"),
    "a source": lambda run: replace(run.sources_path, "1" * 64, "3" * 64),
    "code": lambda run: (run.root / "tasks" / "stages" / "train" / "train.py").write_text("LAYERS = 4\n"),
    "a docstring": lambda run: (run.root / "tasks" / "stages" / "train" / "train.py").write_text('"A."\nLAYERS = 3\n'),
    "a file beside it": lambda run: (run.root / "tasks" / "stages" / "train" / "words.txt").write_text("a\n"),
    "the graph": lambda run: (run.root / "dvc.yaml").write_text("stages: {a: {cmd: b}}\n"),
    "a dependency": lambda run: (run.root / "constraints.txt").write_text("torch==2.10\n"),
    "an input of a later version": lambda run: write_json(run.inputs_folder / "vault.json", {}),
}
UNDECIDING: dict[str, Callable[[Layout], object]] = {
    "a comment": lambda run: run.params_path.write_text("# for Monday\n" + run.params_path.read_text()),
    "the champion": lambda run: write_json(run.champion_path, {"release": "triage-9"}),
    "who asks": lambda run: write_json(run.inputs_folder / "request.json", {"run_id": "another"}),
    "the gate's key": lambda run: write_json(run.authority_path, {}),
    "a module that no stage imports": lambda run: (run.root / "tasks" / "new.py").write_text("X = 1\n"),
    "a byte-code cache": lambda run: cache(run.root / "tasks" / "__pycache__"),
    "where it lies": lambda run: run.artefacts("evaluate").rename(run.root / "moved"),
}


def cache(folder: Path) -> None:
    folder.mkdir()
    (folder / "train.cpython-311.pyc").write_bytes(b"\0")


@pytest.mark.parametrize("change", DECIDING.values(), ids=DECIDING.keys())
def test_what_decides_a_candidate_changes_its_digest(layout: Layout, change: Callable[[Layout], object]) -> None:
    before = candidate_inputs_digest(layout)
    change(layout)
    assert candidate_inputs_digest(layout) != before


@pytest.mark.parametrize("change", UNDECIDING.values(), ids=UNDECIDING.keys())
def test_what_decides_nothing_leaves_it(layout: Layout, change: Callable[[Layout], object]) -> None:
    before = candidate_inputs_digest(layout)
    change(layout)
    assert candidate_inputs_digest(layout) == before


def test_two_worktrees_of_one_commit_are_the_same_candidate(layout: Layout, tmp_path: Path) -> None:
    shutil.copytree(layout.root, tmp_path / "elsewhere")
    assert candidate_inputs_digest(Layout(tmp_path / "elsewhere")) == candidate_inputs_digest(layout)
