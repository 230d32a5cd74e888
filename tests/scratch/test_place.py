"""What is kept of trials lies where no file of the checkout does, and a base model where the parameters say."""

import json
from pathlib import Path

from tasks.core import files
from tasks.core.params import params as params_file
from tasks.scratch import workspace
from tasks.scratch.workspace import Workspace
from tests.stages.evaluate import house


def test_what_a_checkout_calls_outcomes_is_no_outcome(tmp_path: Path) -> None:
    """It would count as what came of a trial, and what did come of one would be written among committed files."""
    theirs = tmp_path / "outcomes" / "key.json"
    files.write_json(theirs, {"forged": True})
    made = Workspace.open(tmp_path, "swept")
    assert (made.root / "outcomes").is_symlink() and not made.outcome_path("key").exists()
    files.write_json(made.outcome_path("key"), {})
    assert json.loads(theirs.read_text()) == {"forged": True}


def test_a_folder_beside_the_checkout_is_found(tmp_path: Path) -> None:
    checkout, model = tmp_path / "checkout", tmp_path / "models" / "own"
    checkout.mkdir()
    model.mkdir(parents=True)
    layout = Workspace.open(checkout, "swept").worktree_layout("trials")
    layout.root.mkdir(parents=True)
    params = house.params()
    base = params.base_model.model_copy(update={"folder": "../models/own", "wheel": None})
    workspace.write_params(layout, params.model_copy(update={"base_model": base}))
    said = params_file.load_params(layout.params_path).base_model.folder
    assert said and (layout.state.parent / said).samefile(model)
