"""Whoever runs the tests keeps their services, their repositories and their settings to themselves."""

import json
import os
import subprocess
import sys
from pathlib import Path

USERS = {
    "HALLMARK_LEDGER_URL": "postgresql://them@db/ledger", "MLFLOW_TRACKING_URI": "http://mlflow", "PGHOST": "db",
    "PREFECT_API_URL": "http://prefect/api", "RAY_ADDRESS": "cluster:6379", "AWS_ACCESS_KEY_ID": "theirs",
    "GIT_DIR": "/their/repository/.git", "GIT_INDEX_FILE": "/their/index",
}  # fmt: skip
KEPT = {"HALLMARK_SHARED": "../shared", "GIT_SSL_CAINFO": "ca.crt", "PATH": os.environ["PATH"]}
SHOW = "import json, os; from tests import environment; environment.make_own(); print(json.dumps(dict(os.environ)))"


def test_nothing_that_the_user_names_is_reached() -> None:
    done = subprocess.run([sys.executable, "-c", SHOW], env=USERS | KEPT, capture_output=True, text=True, check=True)
    left = json.loads(done.stdout)
    assert not USERS.keys() & left.keys() and KEPT.items() <= left.items()
    assert left["HOME"] == "/" and not Path(left["PREFECT_HOME"]).exists(), "it goes with the session"
    shown = ["git", "config", "--list", "--show-origin"]
    told = subprocess.run(shown, env=left, cwd="/", capture_output=True, text=True, check=True).stdout
    assert {line.split("\t")[0].rpartition("/")[2] for line in told.splitlines()} == {"gitconfig"}
