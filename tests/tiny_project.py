"""Copy of this project with a use case that runs in seconds: 60 rows, and a model of 330,000 parameters.

The code is that of the working tree; only params.yaml and the governance files differ.
"""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from configobj import ConfigObj

from tasks.ledger.ledger import open_ledger
from tasks.runs import run
from tasks.runs.git.repository import Repository
from tasks.runs.request import RunRequest
from tasks.runs.requests import signed_requests
from tests.other_gates import with_every_gate

ROOT = Path(__file__).parents[1]
COPIED = (
    "flows",
    "tasks",
    "infra",
    "dvc.yaml",
    ".dvc/config",
    ".dvc/.gitignore",
    ".dvcignore",
    ".gitignore",
    "constraints.txt",
)

Done = subprocess.CompletedProcess[str]

REPR = re.compile(r"\b(?:[A-Z]\w*|datetime\.\w+)\(\w+=[^)]*|<[\w.]+ object at 0x|PosixPath\([^)]*")
"""Pattern of a Python object's repr, e.g. `Frontier(size=3, …`, which no command may print."""
INTENTS = {"card_lost": "cards", "loan_question": "loans", "close_account": "accounts"}
PHRASES = {
    "card_lost": "I cannot find my card since {} and my name is Ada Lovelace",
    "loan_question": "What would a loan of {} euro cost me",
    "close_account": "Please close my account number {}",
}

PARAMS = """
use_case:
  name: tiny
  problem: Does the pipeline hold together?
  users: [tests]
  risk_tier: limited
  approach: lora
  approach_reason: The smallest that trains.
  approved_uses: [tests]
  limitations: [knows nothing]
  escalation_path: none
  owners: {business: product-owner, technical: ml-engineer, data: data-owner}
  success_metrics:
    - {name: not worse than the base model, fact: evaluate.gain_over_base, at_least: -0.5}
    - {name: fast enough, fact: measured.predict.latency_p95_ms, at_most: 60000}
prompts:
  triage: {system: "Triage."}
data: {test_share: 0.2, seed: 1}
base_model: {folder: MODEL, sha256: DIGEST, licence: Apache-2.0}
training: {epochs: 1, global_batch_size: 8, learning_rate: 0.001, lora_rank: 4, lora_alpha: 8, precision: fp32,
           threads: 1, checkpoint_steps: 2, seed: 1}
evaluation: {target: json, label_field: intent, max_new_tokens: 4, batch_size: 16, threads: 1, bootstrap_samples: 100,
             leakage_rows: 0}
"""

POLICY = with_every_gate(
    """
environment: local
tiers:
  experiment: {gates: {}}
  limited:
    scheduler: true
    gates:
      data:
        checks:
          - {name: every expectation holds, fact: validate.failed_expectations, at_most: 0}
          - {name: no prompt on both sides, fact: split.groups_on_both_sides, at_most: 0}
          - {name: enough rows, fact: split.train_rows, at_least: 10}
        decisions: [{role: data_owner, owners: true}]
        waive: {role: risk_officer, max_days: 90}
      evaluation:
        success_metrics: true
        decisions: [{role: product_owner}]
        waive: {role: risk_officer, max_days: 90}
      release:
        decisions: [{role: risk_officer}]
changes: {policy: [{role: risk_officer}], people: [{role: risk_officer}], code: [{role: risk_officer}]}
location_variables: [DATA_ROOT]
""",
    decisions="[{role: risk_officer}]",
)

PEOPLE = """
people:
  - {id: ml-engineer, name: ML engineer, roles: [requester]}
  - {id: colleague, name: Another engineer, roles: [requester]}
  - {id: data-owner, name: Data owner, roles: [data_owner]}
  - {id: product-owner, name: Product owner, roles: [product_owner]}
  - {id: risk-officer, name: Risk officer, roles: [risk_officer]}
  - {id: demo-data-owner, name: Demo data owner, roles: [data_owner], demo: true}
  - {id: demo-product-owner, name: Demo product owner, roles: [product_owner], demo: true}
  - {id: demo-risk-officer, name: Demo risk officer, roles: [risk_officer], demo: true}
"""

SOURCES = """
truth: examples/truth.csv
sources:
  - id: messages
    kind: csv
    location: examples/messages.csv
    owner: data-owner
    licence: CC0-1.0
    steward: data-owner
    access: [data_owner]
    classification: internal
    lawful_basis: no personal data, synthetic
    retention_days: 36500
    region: eu
    refresh_days: 3650
    approved_uses: [tests]
    suite: expectations/messages.yaml
    mapping:
      prompt: text
      response: {intent: intent, queue: queue}
      department: queue
    constants: {task: triage, language: en, kind: answer, origin: simulated}
"""

SUITE = """
name: messages
expectations:
  - type: expect_column_values_to_not_be_null
    kwargs: {column: prompt}
    why: without a message there is nothing to sort
  - type: expect_table_row_count_to_be_between
    kwargs: {min_value: 10}
    why: fewer would be an export that broke off
"""


def copy_shipped(folder: Path, *more: str) -> None:
    """Copy the project's code and settings to `folder`, and the files and folders named in `more`."""
    for name in (*COPIED, *more):
        source, target = ROOT / name, folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, target)


def make_project(folder: Path, rows: int = 60) -> Path:
    """Write the project to `folder` and commit it. Returns `folder`."""
    copy_shipped(folder)
    from tests.tiny_model import make_tiny_model  # importing torch takes two seconds, which copying a project avoids

    digest = make_tiny_model(folder / "examples" / "model")
    governance = folder / "infra" / "governance"
    shutil.rmtree(governance)
    texts = {
        folder / "params.yaml": PARAMS.replace("MODEL", "examples/model").replace("DIGEST", digest),
        folder / "examples" / "messages.csv": messages(rows),
        folder / "examples" / "truth.csv": truth(rows),
        governance / "policy.yaml": POLICY,
        governance / "people.yaml": PEOPLE,
        governance / "sources.yaml": SOURCES,
        governance / "expectations" / "messages.yaml": SUITE,
    }
    for path, text in texts.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text.lstrip())
    start_history(folder, "A tiny use case")
    return folder


def messages(rows: int) -> str:
    lines = ["text,intent,queue"]
    for number in range(rows):
        intent = list(INTENTS)[number % len(INTENTS)]
        lines.append(f"{PHRASES[intent].format(number)},{intent},{INTENTS[intent]}")
    return "\n".join(lines) + "\n"


def truth(rows: int) -> str:
    """Return the table of personal data in the messages, as CSV."""
    named = [number + 1 for number in range(rows) if number % len(INTENTS) == list(INTENTS).index("card_lost")]
    return "source_id,row,defect,original,value\n" + "".join(f"messages,{row},name,,Ada Lovelace\n" for row in named)


def signed(folder: Path, request: RunRequest) -> tuple[RunRequest, dict[str, Any]]:
    """Return a run request with its commit, as `hallmark run` makes it, and the envelope signed by its requester."""
    checkout = Repository.open(folder)
    request = request.model_copy(update={"commit": request.commit or checkout.commit_id("HEAD")})
    governed = run.installed_governance(folder, request.governance)
    return request, signed_requests.sign_request(checkout, open_ledger(governed.state), governed, request)


def create(folder: Path, run_id: str, by: str = "ml-engineer", **asked: Any) -> run.Run:
    """Create a run as the flow does, from a request that its requester signed."""
    return run.create_run(folder, *signed(folder, RunRequest(run_id=run_id, requested_by=by, **asked)))


def git(folder: Path, *args: str) -> str:
    identity = ["-c", "user.name=test", "-c", "user.email=test@example.invalid"]
    return subprocess.run(
        ["git", *identity, *args], cwd=folder, check=True, capture_output=True, text=True
    ).stdout.strip()


def start_history(folder: Path, message: str) -> None:
    """Make a folder a repository whose first commit holds its files."""
    git(folder, "init", "--quiet", "--initial-branch", "main")
    commit(folder, message)


def commit(folder: Path, message: str) -> str:
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "-m", message)
    return git(folder, "rev-parse", "HEAD")


def dvc_remote(folder: Path, store: Path | str) -> None:
    """Write the settings of `dvc remote add --local --default store STORE`, a command that takes a second."""
    settings = ConfigObj(str(folder / ".dvc" / "config.local"), encoding="utf-8")
    settings.merge({"core": {"remote": "store"}, 'remote "store"': {"url": str(store)}})
    settings.write()


ADOPT = ("policy", "adopt", "infra/governance", "--as", "risk-officer")
"""Arguments of the command that puts infra/governance in force, by a person with the role that `changes` names."""


def adopt(folder: Path) -> None:
    hallmark(folder, *ADOPT)


def hallmark(folder: Path, *args: str, code: int = 0) -> str:
    """Run `hallmark ARGS` in the project and return its output and errors. Fails unless it exits with `code`."""
    done = checked(_hallmark(folder, args), args, code)
    return done.stdout + done.stderr


def hallmark_json(folder: Path, *args: str, code: int = 0) -> dict | list:
    """Run `hallmark ARGS --json` and return the document on standard output; messages are on standard error."""
    return json.loads(checked(_hallmark(folder, (*args, "--json")), args, code).stdout)


def _hallmark(folder: Path, args: tuple[str, ...]) -> Done:
    command = Path(sys.executable).with_name("hallmark")
    return subprocess.run([command, *args], cwd=folder, capture_output=True, text=True, timeout=1200)


def checked(done: Done, args: tuple[str, ...], code: int) -> Done:
    """Return the result of a command. Fails if its exit code is not `code`, or if it printed a Python object."""
    told, command = done.stdout + done.stderr, f"hallmark {' '.join(args)}"
    assert not (found := REPR.search(told)), f"{command} printed a value as Python writes it: {found[0]}"
    assert done.returncode == code, f"{command} exited with {done.returncode}, not {code}:\n{told}"
    return done
