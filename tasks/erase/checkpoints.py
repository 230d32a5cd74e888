"""Checkpoints that may come from a record of the person.

A folder of checkpoints is named after the inputs of its training. So all folders count that do not belong to a run
without a record of the person: an unfinished training then begins anew, and nothing of the person stays.
"""

from collections.abc import Collection, Iterator
from pathlib import Path

from tasks.cleanup import run_files
from tasks.cleanup.checkpoints import CHECKPOINTS_FOLDER
from tasks.core.errors import HallmarkError
from tasks.core.layout import EXPERIMENTS_FOLDER, Layout
from tasks.core.machine.locks import try_exclusive_lock
from tasks.core.params.params import load_params


def find_folders(state: Path, runs: Collection[str]) -> list[Path]:
    """Return the folders of checkpoints that may come from one of the runs."""
    every = [
        path
        for world in (state, state / EXPERIMENTS_FOLDER)
        for path in sorted((world / CHECKPOINTS_FOLDER).glob("*/*"))
        if path.is_dir() and not path.is_symlink()
    ]
    if not (every and runs):
        return []
    spared = set(_inputs_of_other_runs(state, runs))
    return [path for path in every if path.name not in spared]


def remove_folders(state: Path, runs: Collection[str]) -> list[Path]:
    """Remove the folders of checkpoints that may come from one of the runs. Return those that a training uses now."""
    used = []
    for path in find_folders(state, runs):
        with try_exclusive_lock(path.with_suffix(".lock")) as mine:
            if mine:
                run_files.remove(path)
            else:
                used.append(path)
    return used


def _inputs_of_other_runs(state: Path, runs: Collection[str]) -> Iterator[str]:
    from tasks.stages.train import train  # takes seconds to import

    for path in sorted((state / "runs").glob("*/artefacts/tokenise/index.json")):
        layout = Layout(path.parents[2])
        if layout.root.name in runs:
            continue
        try:
            params = load_params(layout.params_path)
            yield train.inputs_digest(train.Params(training=params.training, prompts=params.prompts), layout)
        except (HallmarkError, OSError, ValueError, KeyError):
            continue
