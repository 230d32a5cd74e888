"""Paths of a run's files in its worktree, and of Hallmark's state.

inputs/     inputs that are resolved and committed before the first stage
artefacts/  outputs of each stage, digested and cached by DVC; `result.json` is written last
measured/   measurements of each stage, such as timings; evidence can cite them, but no stage depends on them
gates/      gate statements, on which the stages after a gate depend
evidence/   evidence of each gate, committed on the run's ref
"""

import os
from dataclasses import dataclass
from pathlib import Path

from tasks.core.files import read_json

MANUAL_CACHE_FOLDER = "by-hand"
EXPERIMENT_TIER = "experiment"
EXPERIMENTS_FOLDER = "experiments"
"""Folder in Hallmark's state for the caches and databases of experiments, which run code that nobody has reviewed."""
CACHE_ROOT_VARIABLE = "HALLMARK_KEPT_AT"
"""Environment variable with a stage's folder for files that outlive the run. The supervisor sets it."""


@dataclass(frozen=True)
class Layout:
    root: Path

    @property
    def params_path(self) -> Path:
        return self.root / "params.yaml"

    @property
    def inputs_folder(self) -> Path:
        return self.root / "inputs"

    @property
    def request_path(self) -> Path:
        """Path of the signed run request, which is also in the ledger.

        It is written after all other inputs, so if the file exists, all inputs were resolved.
        """
        return self.inputs_folder / "request.json"

    @property
    def sources_path(self) -> Path:
        """Path of the resolved sources (`tasks.sources.sources.ResolvedSources`)."""
        return self.inputs_folder / "sources.json"

    @property
    def resolved_at(self) -> float:
        """Unix time at which the run was resolved, or 0 if it was not or if its folder cannot be read.

        This is the modification time of sources.json, which is written only once. The id of the run is not used,
        because it need not contain a time.
        """
        try:
            return self.sources_path.stat().st_mtime
        except OSError:
            return 0.0

    @property
    def suites_path(self) -> Path:
        """Path of the adopted expectation suites (`tasks.sources.sources.Suites`)."""
        return self.inputs_folder / "suites.json"

    @property
    def evaluations_path(self) -> Path:
        """Path of the evaluation suites (`tasks.stages.evaluate.suites.suite.EvaluationSuites`)."""
        return self.inputs_folder / "evaluations.json"

    @property
    def champion_path(self) -> Path:
        """Path of the document about the champion (`tasks.registry.promote.champion.Champion`).

        The document is null if there is no champion to compare the candidate with.
        """
        return self.inputs_folder / "champion.json"

    @property
    def authority_path(self) -> Path:
        """Path of the file that determines which gate statements the stages accept.

        Its content is a `tasks.trust.gate_statement.Authority`.
        """
        return self.inputs_folder / "authority.json"

    @property
    def stage_digests_path(self) -> Path:
        """Path of the file with the digest of each stage's code (tasks/core/code_digest.py)."""
        return self.inputs_folder / "stages.json"

    @property
    def code_path(self) -> Path:
        """Path of the file with `tree_sha256`, the digest of all files in the commit (`tasks.runs.git.commit_tree`).

        Its field `signed_off` states whether the code was signed off when the run was resolved. Earlier versions of
        Hallmark did not write this field.
        """
        return self.inputs_folder / "code.json"

    def output_folders(self, stage: str, has_measurements: bool) -> list[Path]:
        """Return the output folders of a stage.

        Args:
            stage: Name of the stage in DVC, for example `predict@base`.
            has_measurements: Whether the stage writes measurements.
        """
        folder = stage.replace("@", "/")
        return [self.artefacts(folder), *([self.measurements(folder)] if has_measurements else [])]

    def artefacts(self, name: str) -> Path:
        return self.root / "artefacts" / name

    def measurements(self, name: str) -> Path:
        return self.root / "measured" / name

    def gate_statement_path(self, name: str) -> Path:
        return self.root / "gates" / f"{name}.json"

    def evidence_path(self, name: str) -> Path:
        return self.root / "evidence" / f"{name}.json"

    def base_model_folder(self, sha256: str) -> Path:
        """Return the folder with the base model of a promoted adapter, see `tasks.registry.promote.base_models`."""
        return self.state / "bases" / sha256

    @property
    def is_checkout(self) -> bool:
        return self.root.resolve() == self.state.parent

    @property
    def is_experiment(self) -> bool:
        """Whether the root is the worktree of an experiment, whose outputs no other run uses."""
        if self.is_checkout or not self.authority_path.is_file():
            return False
        return bool(read_json(self.authority_path)["tier"] == EXPERIMENT_TIER)

    @property
    def has_unreviewed_code(self) -> bool:
        """Whether the root is the worktree of an experiment whose code was not signed off."""
        if not self.is_experiment:
            return False
        return not (self.code_path.is_file() and read_json(self.code_path).get("signed_off", False))

    @property
    def run_state(self) -> Path:
        """State folder of the run: `.hallmark/experiments` for an experiment, otherwise `.hallmark`."""
        return self.state / EXPERIMENTS_FOLDER if self.is_experiment else self.state

    @property
    def cache_root(self) -> Path:
        """Folder for files that outlive the run: `HALLMARK_KEPT_AT` if the supervisor set it, otherwise `run_state`."""
        return Path(os.environ.get(CACHE_ROOT_VARIABLE) or self.run_state)

    def cache_folder(self, folder: str, stage: str) -> Path:
        """Return the folder in which a stage keeps files between runs, for example checkpoints.

        The path contains the digest of the stage's code, so that other, possibly malicious code cannot place files
        there. A stage that is run by hand uses a separate folder, because nobody has reviewed its code.
        """
        by = MANUAL_CACHE_FOLDER if self.is_checkout else str(read_json(self.stage_digests_path)[stage])
        return self.cache_root / folder / by

    def resolve_path(self, path: str) -> Path:
        """Resolve a path from the settings: in the worktree if it exists there, otherwise in the checkout."""
        inside = self.root / path
        return inside if inside.exists() else self.state.parent / path

    @property
    def state(self) -> Path:
        """Folder `.hallmark/` of the checkout that the root belongs to. All worktrees of a checkout share it."""
        return state_folder(self.root)


def state_folder(root: Path) -> Path:
    """Return the folder `.hallmark/` for a root, which is a checkout or the worktree of a run.

    Worktrees are at `.hallmark/runs/ID/`, so the folder follows from the path without calling git.
    """
    root = root.resolve()
    if root.parent.name == "runs" and root.parent.parent.name == ".hallmark":
        return root.parent.parent
    return root / ".hallmark"


def is_experiments_state(state: Path) -> bool:
    """Return whether a state folder belongs to experiments, which ignore the environment variables of the vault."""
    return state.name == EXPERIMENTS_FOLDER
