"""Worktrees for stages outside of runs, with their own state folder.

    .hallmark/FOLDER/                       replaces the checkout, with links to all entries of its root folder
        .hallmark/                          own checkpoints, tracking and fetched models
            outcomes/KEY.json               outcome of each finished trial, not visible to stages
            keys/worker                     own key, which is not in people.yaml, so its signatures are never accepted
            models/                         models that were fetched by the checkout or in this workspace
            runs/NAME/                      a worktree

KEY is the digest of everything that determines an outcome. A stored outcome is therefore used only if nothing has
changed.
"""

import shutil
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from ruamel.yaml import YAML

from tasks.core import code_digest, files
from tasks.core.layout import EXPERIMENT_TIER, EXPERIMENTS_FOLDER, Layout
from tasks.core.own_packages import STAGE_CODE_FOLDER
from tasks.core.params.params import Params
from tasks.gates import statement
from tasks.policy.governance import Governance
from tasks.runs import stand_in
from tasks.supervise import record_store
from tasks.trust import keys
from tasks.trust.gate_statement import Authority

READY_FILE = "ready"
"""Name of the file that marks a worktree as complete. It is written last."""


class RowSet(Protocol):
    def write(self, folder: Path) -> None:
        """Write the rows in the format of stage `split`."""


@dataclass(frozen=True)
class Workspace:
    """Folder that replaces the checkout for worktrees outside of runs."""

    root: Path

    @staticmethod
    def open(checkout: Path, folder: str) -> "Workspace":
        """Open the workspace `.hallmark/FOLDER`, and create it if it does not exist."""
        place = Workspace(checkout / ".hallmark" / folder)
        place.root.mkdir(mode=0o700, parents=True, exist_ok=True)
        stand_in.fill_stand_in(place.root, checkout)
        if not (place.state / "keys" / "worker").exists():
            keys.create_key_pair(place.state / "keys", "worker")
        return place

    @property
    def state(self) -> Path:
        return self.root / ".hallmark"

    def outcome_path(self, key: str) -> Path:
        return self.state / "outcomes" / f"{key}.json"

    def worktree_layout(self, name: str) -> Layout:
        return Layout(self.state / "runs" / name)

    def remove_unwanted_worktrees(self, wanted_names: Collection[str]) -> None:
        """Remove all stage records, and every worktree whose name is not in `wanted_names`.

        If no worktree remains, checkpoints are removed too.
        """
        own = (
            self.state / EXPERIMENTS_FOLDER
        )  # where stages store files between executions, since these are not governed runs
        shutil.rmtree(own / record_store.RECORDS_FOLDER, ignore_errors=True)
        remaining = list((self.state / "runs").glob("*"))
        for path in (path for path in remaining if path.name not in wanted_names):
            shutil.rmtree(path)
        if not any(path.name in wanted_names for path in remaining):
            shutil.rmtree(own / "checkpoints", ignore_errors=True)


def stage_code_digests() -> dict[str, str]:
    return code_digest.stage_digests(STAGE_CODE_FOLDER.parent)


def create_worktree(layout: Layout, params: Params, rows: RowSet, governance: Governance) -> None:
    """Create a worktree with the installed code and with `rows` as the output of stage `split`.

    A worktree that exists already is left unchanged. The worktree gets the gate statement of an experiment, so its
    results cannot be promoted. The caller must first verify that training on these rows is permitted.
    """
    if (layout.root / READY_FILE).exists():
        return
    shutil.rmtree(layout.root, ignore_errors=True)
    shutil.copytree(
        STAGE_CODE_FOLDER, layout.root / STAGE_CODE_FOLDER.name, ignore=shutil.ignore_patterns("__pycache__")
    )
    write_params(layout, params)
    code_digest.write_digests(layout)
    digest = code_digest.all_stages_digest(layout.root)
    files.write_json(
        layout.code_path, {"tree_sha256": digest, "signed_off": True}
    )  # the installed code, which judges runs
    files.write_json(layout.champion_path, None)
    authority = Authority(
        gate_public_keys=[each.public_key for each in governance.keys_of("gate") if each.revoked_as_of is None],
        policy_sha256=governance.policy.digest(),
        environment=governance.policy.environment,
        tier=EXPERIMENT_TIER,
    )
    files.write_json(layout.authority_path, authority.model_dump(mode="json"))
    statement.write_experiment_statement(layout, "data", governance)
    with files.atomic_folder(layout.artefacts("split")) as folder:
        rows.write(folder)
        files.write_json(folder / "result.json", {"facts": {}})
    files.write_bytes(layout.root / READY_FILE, b"")


def write_params(layout: Layout, params: Params) -> None:
    """Write params.yaml. A relative path of the base model's folder is resolved against the checkout."""
    base, checkout = params.base_model, layout.state.parents[2]
    if base.folder:
        params = params.model_copy(
            update={"base_model": base.model_copy(update={"folder": str(checkout / base.folder)})}
        )
    with layout.params_path.open("w") as file:
        YAML().dump(params.model_dump(mode="json"), file)
