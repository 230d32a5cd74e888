"""Where stages are tried: worktrees with a state of their own.

    .hallmark/FOLDER/                       stands in for the checkout: a link to everything at its top
        .hallmark/                          its own checkpoints, tracking and fetched models
            outcomes/KEY.json               of each trial that is done; no stage sees them, and no file of the checkout
            keys/worker                     of its own, which no people.yaml has: what it signs counts nowhere
            models/                         what the checkout has fetched, and what is fetched here
            runs/NAME/                      a worktree

KEY is a digest of all that decides an outcome, so that what is done is found again, and anything else is made anew.
"""

import shutil
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from ruamel.yaml import YAML

import tasks
from tasks.core import code, files
from tasks.core.layout import EXPERIMENT, EXPERIMENTS, Layout
from tasks.core.params.params import Params
from tasks.gates import statement
from tasks.policy.governance import Governance
from tasks.runs import stand_in
from tasks.supervise import kept
from tasks.trust import keys
from tasks.trust.gate_statement import Authority

CODE = Path(tasks.__file__).parent
READY = "ready"
"""Of a worktree: written last."""


class Rows(Protocol):
    """Which rows a trial is about."""

    def write(self, folder: Path) -> None:
        """As stage `split` leaves them."""


@dataclass(frozen=True)
class Place:
    """Stands in for the checkout."""

    root: Path

    @staticmethod
    def of(checkout: Path, folder: str) -> "Place":
        """`folder`: its name below `.hallmark/`."""
        place = Place(checkout / ".hallmark" / folder)
        place.root.mkdir(mode=0o700, parents=True, exist_ok=True)
        stand_in.fill(place.root, checkout)
        if not (place.state / "keys" / "worker").exists():
            keys.create(place.state / "keys", "worker")
        return place

    @property
    def state(self) -> Path:
        return self.root / ".hallmark"

    def outcome(self, key: str) -> Path:
        return self.state / "outcomes" / f"{key}.json"

    def worktree(self, name: str) -> Layout:
        return Layout(self.state / "runs" / name)

    def clear(self, wanted: Collection[str]) -> None:
        """Remove worktrees that nobody goes on with, records that count nowhere, and checkpoints where
        no worktree is left."""
        own = self.state / EXPERIMENTS  # where each of them keeps things, since none is governed
        shutil.rmtree(own / kept.FOLDER, ignore_errors=True)
        left = list((self.state / "runs").glob("*"))
        for path in (path for path in left if path.name not in wanted):
            shutil.rmtree(path)
        if not any(path.name in wanted for path in left):
            shutil.rmtree(own / "checkpoints", ignore_errors=True)


def codes() -> dict[str, str]:
    """The digest of each stage's code, as it is installed."""
    return code.of_stages(CODE.parent)


def make(layout: Layout, params: Params, rows: Rows, governance: Governance) -> None:
    """A worktree of the installed code, with the rows in place of a run's split; nothing where it is there already.

    Its gate file is that of work by hand: what is made of it can never be promoted. `rows.choose` has verified the
    statement by which these rows may train at all.
    """
    if (layout.root / READY).exists():
        return
    shutil.rmtree(layout.root, ignore_errors=True)
    shutil.copytree(CODE, layout.root / CODE.name, ignore=shutil.ignore_patterns("__pycache__"))
    put_params(layout, params)
    code.write(layout)
    files.write_json(layout.code, {"tree_sha256": code.digest(layout.root)})
    files.write_json(layout.champion, None)
    authority = Authority(
        gate_public_keys=[each.public_key for each in governance.keys_of("gate") if each.revoked_as_of is None],
        policy_sha256=governance.policy.digest(),
        environment=governance.policy.environment,
        tier=EXPERIMENT,
    )
    files.write_json(layout.authority, authority.model_dump(mode="json"))
    statement.write_experiment_gate(layout, "data", governance)
    with files.whole_folder(layout.stage("split")) as folder:
        rows.write(folder)
        files.write_json(folder / "result.json", {"facts": {}})
    files.write_bytes(layout.root / READY, b"")


def put_params(layout: Layout, params: Params) -> None:
    """A relative folder of a base model starts at the checkout, and `../models` leads elsewhere from what stands in."""
    base, checkout = params.base_model, layout.state.parents[2]
    if base.folder:
        params = params.model_copy(
            update={"base_model": base.model_copy(update={"folder": str(checkout / base.folder)})}
        )
    with layout.params.open("w") as file:
        YAML().dump(params.model_dump(mode="json"), file)
