"""Where everything of a run lies, below the root of its worktree.

inputs/     resolved before the first stage, committed; stages look nothing up elsewhere
artefacts/  one folder a stage, digested, kept by DVC; `result.json` is written last
measured/   timings and tracking ids, one folder a stage; evidence may cite them, no stage depends on them
gates/      signed statements of passed gates, dependencies of the stages behind them
evidence/   what each gate looked at, committed on the run's ref
"""

import json
import os
from dataclasses import dataclass
from pathlib import Path

BY_HAND = "by-hand"
EXPERIMENT = "experiment"
"""The risk tier that asks nobody, and whose models can never be promoted."""
EXPERIMENTS = "experiments"
"""Folder of the state for what experiments keep and make: nobody has looked at their code."""
KEPT_AT = "HALLMARK_KEPT_AT"
"""Environment variable: where a stage keeps what outlives its run, as its supervisor tells it."""


@dataclass(frozen=True)
class Layout:
    root: Path
    """The worktree (or a developer's checkout); every path below is inside it."""

    @property
    def params(self) -> Path:
        return self.root / "params.yaml"

    @property
    def inputs(self) -> Path:
        return self.root / "inputs"

    @property
    def request(self) -> Path:
        """The signed request for the run, as on the ledger; where it is, the run was resolved to the end."""
        return self.inputs / "request.json"

    @property
    def sources(self) -> Path:
        """The sources as resolved: `tasks.sources.sources.ResolvedSources`."""
        return self.inputs / "sources.json"

    @property
    def made(self) -> float:
        """When the run was resolved, in seconds: its sources are written once. 0 where they are not there.

        A run's id does not tell: it may be any word.
        """
        return self.sources.stat().st_mtime if self.sources.exists() else 0.0

    @property
    def suites(self) -> Path:
        """The Great Expectations suites as adopted: `tasks.sources.sources.Suites`."""
        return self.inputs / "suites.json"

    @property
    def champion(self) -> Path:
        """The release in production to compare with, or null: `tasks.registry.promote.champion.Champion`."""
        return self.inputs / "champion.json"

    @property
    def authority(self) -> Path:
        """Whose gate statements the stages accept: `tasks.gates.statement.Authority`."""
        return self.inputs / "authority.json"

    @property
    def stages(self) -> Path:
        """The digest of each stage's code, by its name: `tasks.core.code`."""
        return self.inputs / "stages.json"

    @property
    def code(self) -> Path:
        """`tree_sha256`: the digest of the run's whole tree as git has it (`tasks.runs.tree`)."""
        return self.inputs / "code.json"

    def outputs(self, stage: str, measures: bool) -> list[Path]:
        """The folders of all that a stage leaves, by the name that DVC knows."""
        folder = stage.replace("@", "/")
        return [self.stage(folder), *([self.measured(folder)] if measures else [])]

    def stage(self, name: str) -> Path:
        """Digested outputs of a stage, e.g. `artefacts/split/`."""
        return self.root / "artefacts" / name

    def measured(self, name: str) -> Path:
        """Undigested figures of a stage, e.g. `measured/train/`."""
        return self.root / "measured" / name

    def gate(self, name: str) -> Path:
        return self.root / "gates" / f"{name}.json"

    def evidence(self, name: str) -> Path:
        return self.root / "evidence" / f"{name}.json"

    def base(self, sha256: str) -> Path:
        """Where promotion keeps a base model that releases are adapters of: `tasks.registry.promote.bases`."""
        return self.state / "bases" / sha256

    @property
    def by_hand(self) -> bool:
        """Whether it is a developer's checkout, not the worktree of a run."""
        return self.root.resolve() == self.state.parent

    @property
    def is_apart(self) -> bool:
        """Whether this is the worktree of an experiment, whose outputs no governed run uses."""
        if self.by_hand or not self.authority.is_file():
            return False
        return bool(json.loads(self.authority.read_bytes())["tier"] == EXPERIMENT)

    @property
    def world(self) -> Path:
        """State folder of this run: `.hallmark/experiments` for an experiment, else `.hallmark`."""
        return self.state / EXPERIMENTS if self.is_apart else self.state

    @property
    def keeps(self) -> Path:
        """Folder for what outlives the run: `HALLMARK_KEPT_AT` if the supervisor set it, else `world`."""
        return Path(os.environ.get(KEPT_AT) or self.world)

    def kept(self, folder: str, stage: str) -> Path:
        """Where a stage keeps something between runs: below the digest of its code, so that other code, which may be
        anybody's, leaves nothing there. Work by hand, whose code nobody has looked at, keeps its own."""
        by = BY_HAND if self.by_hand else str(json.loads(self.stages.read_bytes())[stage])
        return self.keeps / folder / by

    def locate(self, path: str) -> Path:
        """A file that settings name: relative to the worktree, or, where it is not committed, to the checkout."""
        inside = self.root / path
        return inside if inside.exists() else self.state.parent / path

    @property
    def state(self) -> Path:
        """`.hallmark/` of the checkout that this root belongs to, shared by all its worktrees."""
        return home(self.root)


def home(root: Path) -> Path:
    """The `.hallmark/` folder of the checkout that `root` is, or is a run's worktree of.

    A worktree lies at `.hallmark/runs/ID/`, so it finds its way home without asking git.
    """
    root = root.resolve()
    if root.parent.name == "runs" and root.parent.parent.name == ".hallmark":
        return root.parent.parent
    return root / ".hallmark"


def is_of_experiments(state: Path) -> bool:
    """Whether a state folder belongs to experiments, which ignore the vault that the environment names."""
    return state.name == EXPERIMENTS
