"""Values of the Helm chart that are missing, null, or look like a number. No cluster was at hand."""

import copy
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from tests.chart import Manifest, leaves, of_kind, template_of
from tests.helm import CHART, EXAMPLES, NAMESPACE, helm
from tests.infra.test_kubernetes import OPERATORS, known
from tests.tiny_project import ROOT

SCHEMA = jsonschema.Draft202012Validator(json.loads((CHART / "values.schema.json").read_text()))
DEFAULTS = yaml.safe_load((CHART / "values.yaml").read_text())
OPTIONAL = {("runs", "sandbox", "hostUsers")}
"""Values that may be null."""
PARTS_OF_ONE = {("network", "dns"), ("runs", "sandbox", "seccompProfile")}
"""Values that are given as a whole, so that some of their keys may be missing."""
UNLIKE_TEXT = f"""
name: "true"
pullSecret: "70001"
keepOnDrain: [runner, training]
state: {{claim: "70002", folder: "2026"}}
keys: {{gate: "70003", ledger: "70004", modelSigning: "70005", scheduler: "70006", vault: "70007", worker: "70008"}}
prefect:
  secret: "70009"
  origin: https://70010
  ingress: {{enabled: true, className: "70011", tlsSecret: "70012"}}
mlflow: {{secret: "70013", hosts: ["70014"], ingress: {{enabled: true, className: "70015", tlsSecret: "70016"}}}}
console:
  secret: "70017"
  claim: "70018"
  origin: https://70019
  ingress: {{enabled: true, className: "70020", tlsSecret: "70021"}}
  proxy: {{secret: "70022", image: "70023@sha256:{"0" * 64}"}}
worker: {{pool: "70024"}}
runs: {{fromChart: true, secret: "70025", priorityClass: "70026"}}
metrics: {{enabled: true, secret: "70027", from: {{ipBlock: {{cidr: 10.0.0.9/32}}}}}}
training:
  namespace: "70028"
  tokenSecret: "70029"
  storageSecret: "70030"
  run: "70031"
  queue: "70032"
  queuePriority: "70033"
  priorityClass: "70034"
  groups: [{{name: "70035", replicas: 1, min: 1, max: 1, cpu: "1", memory: 1Gi, disk: 1Gi}}]
network:
  pages: {{ipBlock: {{cidr: 10.0.0.8/32}}}}
  outside: [{{name: kubernetes, to: {{ipBlock: {{cidr: 10.0.0.1/32}}}}, port: 6443, for: [worker, head]}}]
"""
"""Values that are text, but would be read as numbers or booleans if the chart did not quote them."""
NUMBERS = {*range(70000, 70036), 2026}


def paths(values: dict[str, Any], above: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    for key, value in values.items():
        yield (*above, key)
        if isinstance(value, dict) and (*above, key) not in PARTS_OF_ONE:
            yield from paths(value, (*above, key))


def test_every_value_is_required() -> None:
    """Helm removes a value that is set to null, and leaves out those that an earlier chart did not have."""
    SCHEMA.validate(DEFAULTS)
    accepted = set()
    for path in paths(DEFAULTS):
        values = copy.deepcopy(DEFAULTS)
        section = values
        for key in path[:-1]:
            section = section[key]
        del section[path[-1]]
        if SCHEMA.is_valid(values):
            accepted.add(path)
    assert accepted == OPTIONAL


@pytest.mark.parametrize("path", ["databases.ledger", "state.accessMode", "runs.sandbox.seccompProfile", "keys"])
def test_null_is_refused(path: str) -> None:
    done = helm("template", "hallmark", CHART, "--namespace", NAMESPACE, "--set", f"{path}=null")
    missing = path.rpartition(".")[2]
    assert done.returncode == 1 and f"missing property '{missing}'" in done.stderr, done.stderr


def render_unchecked(*values: str) -> tuple[int, str]:
    """Render the chart without its schema. Return the exit code and the output."""
    given = [word for value in values for word in ("--set", value)]
    example = ("--values", EXAMPLES / "production.yaml")
    done = helm("template", "hallmark", CHART, "--namespace", NAMESPACE, "--skip-schema-validation", *example, *given)
    return done.returncode, done.stdout + done.stderr


def test_without_the_schema_null_opens_nothing() -> None:
    _, expected = render_unchecked()
    databases = [f"databases.{name}=null" for name in DEFAULTS["databases"]]
    code, found = render_unchecked(*databases, "runs.sandbox.seccompProfile=null")
    assert code == 0, found
    assert found == expected
    code, found = render_unchecked("state.accessMode=null", "databases.ledger=sqlite")
    assert code == 1 and "databases.ledger: SQLite on a disk that several nodes share" in found


@pytest.mark.parametrize("name", ["1abc", "team.prod"])
def test_a_name_that_no_service_can_have_is_refused(name: str) -> None:
    done = helm("template", name, CHART, "--namespace", NAMESPACE)
    assert done.returncode == 1 and f'begins with a letter, got "{name}"; give another one as `name`' in done.stderr
    assert helm("template", name, CHART, "--namespace", NAMESPACE, "--set", "name=abc").returncode == 0


def test_without_trainings_a_drain_spares_none() -> None:
    given = "training.enabled=false,keepOnDrain[0]=training,keepOnDrain[1]=watch"
    done = helm("template", "hallmark", CHART, "--namespace", NAMESPACE, "--set", given)
    budgets = of_kind([each for each in yaml.safe_load_all(done.stdout) if each], "PodDisruptionBudget")
    assert [each["metadata"]["name"] for each in budgets] == ["hallmark-watch"]


@pytest.mark.parametrize("sharing", ["storage", "claim"])
def test_text_stays_text(sharing: str, tmp_path: Path) -> None:
    (values := tmp_path / "values.yaml").write_text(UNLIKE_TEXT)
    given = ("--values", values, "--set", f"training.sharing={sharing}")
    done = helm("template", "release", CHART, "--namespace", "70000", *given)
    assert done.returncode == 0, done.stderr
    documents: list[Manifest] = [each for each in yaml.safe_load_all(done.stdout) if each]
    template = template_of(documents)
    assert template
    documents.append(template["job_configuration"]["job_manifest"])
    found = list(leaves(documents))
    assert {each for each in found if isinstance(each, int) and not isinstance(each, bool)} & NUMBERS == set()
    assert template["job_configuration"]["namespace"] == "70000"
    for document in documents:
        if document["apiVersion"] not in OPERATORS:
            known(json.dumps(document, sort_keys=True))


def test_guides_upgrade_with_the_defaults_of_the_new_chart() -> None:
    """Helm leaves out the defaults that an earlier chart did not have if `--reuse-values` is given."""
    texts = [path.read_text() for path in sorted((ROOT / "docs").rglob("*.md"))]
    upgrades = [line for text in texts for line in re.findall(r"helm upgrade .*", text)]
    assert len(upgrades) >= 2 and all(" --reset-then-reuse-values" in line for line in upgrades)
    assert "--reset-then-reuse-values " in helm("upgrade", "--help").stdout
