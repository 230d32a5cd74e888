"""A stage whose code is hostile, under its real supervisor, in a state that has all that it must not reach."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest.mock import patch

from tasks.core import code_digest
from tasks.core.files import sha256_file, write_json
from tasks.core.layout import Layout
from tasks.supervise.sandbox import REQUIRE_SANDBOX_VARIABLE
from tasks.trust import keys
from tests.forking import Forking

ROOT = Path(__file__).parents[2]
CLEAN = Path("tasks/stages/data/clean/clean.py")
FRAME = """
import json, os, sys
from pathlib import Path
from tasks.core.documents.config import FrozenModel

class Params(FrozenModel):
    pass

def run(params, layout):
    state, root, found = layout.state, layout.root, {{}}
{body}
    print("FOUND " + json.dumps(found), flush=True)
"""
SECRET = "planted where no stage has any business"
SECRETS = (
    *("keys/gate", "keys/ledger", "keys/vault", "keys/scheduler", "keys/ml-engineer", "ledger.db", "vault/vault.db"),
    *("prefect/secret", "prefect/storage/result.pickle", "records/0.json", "cache/files/md5/00/1", "bases/0/weights"),
    *("releases/a-1/payload/x", "runs/r2/artefacts/split/train.parquet", "runs/r2/params.yaml", "heads/1.json"),
    *("ingested/0/messages/rows.parquet", "checkpoints/0/step-1/x", "models/0/config.json", "mlflow/mlflow.db"),
)


@dataclass(frozen=True)
class Ended:
    found: Any
    """What the stage says that it reached; None where it says nothing."""
    code: int
    told: str
    """All that came out of its supervisor."""


def a_run(folder: Path) -> Layout:
    """The worktree of a run in a checkout with keys, ledger, vault, caches and another run, a secret in each."""
    layout = Layout(folder / "checkout" / ".hallmark" / "runs" / "r1")
    layout.inputs_folder.mkdir(parents=True)
    for name in SECRETS:
        path = layout.state / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(SECRET)
    keys.create_key_pair(layout.state / "keys", "worker")
    layout.params_path.write_text("data: {}\nuse_case: {success_metrics: [harder]}\n")
    write_json(layout.code_path, {"tree_sha256": "0" * 64})
    for name in ("dvc.yaml", "dvc.lock", "inputs/sources.json", "gates/data.json", "artefacts/ingest/rows.parquet"):
        path = layout.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("as it was")
    layout.sources_path.unlink()
    return layout


SUPERVISE = "import sys; from tasks.supervise import shell; sys.exit(shell.main())"


def bring(supervisors: Forking, layout: Layout, body: str, more: Mapping[str, str] | None = None) -> Ended:
    """Run stage `clean` with `body` for its code, as DVC has it started.

    Args:
        supervisors: Starts what `hallmark-stage` is, without the half second that this takes to import.
        layout: Where the run's files lie.
        body: Code of the stage.
        more: Environment of its supervisor. With it the supervisor is a new process: of one that was forked, /proc
            shows the environment that the first one had.
    """
    shutil.copytree(ROOT / "tasks", layout.root / "tasks", ignore=shutil.ignore_patterns("__pycache__"))
    text = FRAME.format(body="\n".join(f"    {line}" for line in body.strip("\n").splitlines()))
    (layout.root / CLEAN).write_text(text)
    write_json(layout.stage_digests_path, {"clean": code_digest.stage_digest(layout.root, "clean")})
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": os.environ["HOME"],
        REQUIRE_SANDBOX_VARIABLE: "1",
        **(more or {}),
    }
    words = ("-c", "python -I tasks/stages/start.py clean")
    if more:
        command = [Path(sys.executable).with_name("hallmark-stage"), *words]
        done = subprocess.run(command, cwd=layout.root, env=environment, capture_output=True, text=True)
    else:
        with patch.dict(os.environ, environment, clear=True):
            done = supervisors.run(SUPERVISE, *words, cwd=layout.root)
    said = [line.removeprefix("FOUND ") for line in done.stdout.splitlines() if line.startswith("FOUND ")]
    return Ended(json.loads(said[-1]) if said else None, done.returncode, done.stdout + done.stderr)


def as_it_is(folder: Path) -> dict[str, str]:
    """SHA-256 of every file below a folder."""
    return {str(path.relative_to(folder)): sha256_file(path) for path in sorted(folder.rglob("*")) if path.is_file()}


def sparse(path: Path) -> None:
    """A file that says that it has a terabyte."""
    with path.open("wb") as file:
        file.truncate(1 << 40)
