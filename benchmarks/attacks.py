"""The attack suite: every test marked `attack`, written as somebody with the rights named would, and what stopped it.

    python benchmarks/attacks.py [--quick] [--out benchmarks/results/attacks.json]
    python benchmarks/attacks.py --document docs/attacks.md | --check docs/attacks.md

An attack got through when its test fails: a model was admitted, a gate opened or a rewritten ledger went unnoticed.
Exits with 1 where one did. The peer is an MLflow registry without Hallmark, of which `models:/triage@champion` is
loaded after each attack of its owner. `--quick` leaves out those that take more than some seconds. Running none,
`--document` writes the table into a document, and `--check` says whether it still has the attacks that there are.
"""

import argparse
import json
import os
import platform
import sys
import tempfile
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from tests.registry.registry_attacks import ATTACKS, CHAMPION  # noqa: E402

GOAL = 60
RIGHTS = {
    "stage": "the code of a run, inside its sandbox",
    "worker": "whoever runs stages and flows",
    "commit": "code and files that a run's own commit brings along",
    "approver": "a person with a key and a role of their own",
    "orchestrator": "Prefect's API",
    "visitor": "whoever reaches the console's address, or writes what its pages show",
    "registry": "MLflow's API and store",
    "database": "the ledger's database, its triggers dropped",
    "disk": "the files of releases, base models and state",
    "gate key": "the private key of the gate, of one installation",
}
"""What each attacker has; in the order of the table."""
BEGIN, END = "<!-- attacks -->\n", "<!-- end of attacks -->\n"


@dataclass
class Row:
    attack: str
    rights: str
    stopped: str
    outcome: str = "not run"


class Suite:
    """A pytest plugin that keeps a row for each marked test."""

    def __init__(self) -> None:
        self.rows: dict[str, Row] = {}

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        for item in items:
            mark = item.get_closest_marker("attack")
            if mark:
                self.rows[item.nodeid] = Row(words(item.nodeid), mark.kwargs["rights"], mark.kwargs["stopped"])

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        row = self.rows.get(report.nodeid)
        if row and (report.when == "call" or report.failed):
            row.outcome = {"passed": "held", "failed": "BROKE"}.get(report.outcome, "not run")

    def sorted(self) -> list[Row]:
        """By rights in their order, then by file, then as they stand there; pytest takes slow files first."""
        order = list(RIGHTS)
        by_file = sorted(self.rows.items(), key=lambda item: item[0].partition("::")[0])
        return sorted((row for _, row in by_file), key=lambda row: order.index(row.rights))


def words(nodeid: str) -> str:
    """A test's name as a sentence: its class, its own words, its case."""
    _, *classes, name = nodeid.replace("|", "/").split("::", maxsplit=nodeid.split("[")[0].count("::"))
    name, _, case = name.removeprefix("test_").partition("[")
    parts = [c.removeprefix("Test").lower() for c in classes] + [name.replace("_", " ")]
    case = case.removesuffix("]")
    return ": ".join([*parts, *([case] if case else [])])


def suite(*options: str, expression: str = "attack") -> tuple[Suite, int]:
    """Run or collect the marked tests. Only files that have one are imported."""
    collected = Suite()
    files = sorted(str(path) for path in (ROOT / "tests").rglob("test_*.py") if "mark.attack(" in path.read_text())
    chosen = ["--soak", "too", "-m", expression]
    arguments = ["-q", "--no-header", "-p", "no:cacheprovider", "--rootdir", str(ROOT), *chosen]
    return collected, int(pytest.main([*arguments, *options, *files], plugins=[collected]))


def against_mlflow() -> list[str]:
    """The attacks of the registry's owner after which plain MLflow serves something else than the champion."""
    from mlflow import MlflowClient, artifacts, set_registry_uri, set_tracking_uri

    os.environ["MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR"] = "false"
    through = []
    for name, attack in ATTACKS.items():
        with tempfile.TemporaryDirectory() as folder:
            root = Path(folder)
            uri = f"sqlite:///{root}/mlflow.db"
            set_tracking_uri(uri)
            set_registry_uri(uri)
            client = MlflowClient(uri, uri)
            client.create_registered_model("triage")
            for weights in ("adapter", "better", "evil"):
                place = root / weights / "model" / "adapter_model.safetensors"
                place.parent.mkdir(parents=True)
                place.write_text(weights)
                if weights != "evil":
                    client.create_model_version("triage", (root / weights).as_uri(), await_creation_for=0)
            client.set_registered_model_alias("triage", CHAMPION, "2")
            assert served(artifacts, root) == "better"
            attack(client, "triage", root / "evil")
            if served(artifacts, root) != "better":
                through.append(name)
    return through


def served(artifacts: Any, root: Path) -> str:
    with tempfile.TemporaryDirectory(dir=root) as target:
        loaded = artifacts.download_artifacts(f"models:/triage@{CHAMPION}", dst_path=target)
        return (Path(loaded) / "model" / "adapter_model.safetensors").read_text()


def table(rows: list[Row], outcome: bool) -> str:
    """In Markdown, a heading for each attacker."""
    lines = []
    for rights, what in RIGHTS.items():
        mine = [row for row in rows if row.rights == rights]
        if mine:
            lines.append(f"### With the rights of: {rights} ({what}), {len(mine)}\n")
            lines.append(
                "| attack | what stopped it |" + (" outcome |" if outcome else "") + "\n|---|---|" + "---|" * outcome
            )
            lines += [f"| {r.attack} | {r.stopped} |" + (f" {r.outcome} |" if outcome else "") for r in mine]
            lines.append("")
    return "\n".join(lines) + "\n"


def document(path: Path, text: str) -> str:
    """What the document is with this table in it."""
    before, _, rest = path.read_text().partition(BEGIN)
    return f"{before}{BEGIN}{text}{END}{rest.partition(END)[2]}"


def figures(rows: list[Row], through: int, of_registry: int, mlflow: list[str]) -> list[dict[str, Any]]:
    name = "an MLflow registry without Hallmark"
    shared = len(ATTACKS)
    return [
        {
            "metric": "attacks tried", "ours": len(rows), "peer": None, "peer_value": None, "ratio": None,
            "goal": GOAL, "met": len(rows) >= GOAL, "unit": "attacks",
            "by_rights": dict(Counter(r.rights for r in rows)),
        },
        {
            "metric": "attacks that got through", "ours": through, "peer": None, "peer_value": None, "ratio": None,
            "goal": 0, "met": through == 0, "unit": "attacks",
        },
        {
            "metric": f"of the {shared} attacks of the registry's owner, got through", "ours": of_registry,
            "peer": name, "peer_value": len(mlflow), "ratio": round(of_registry / len(mlflow), 3) if mlflow else None,
            "goal": 0, "met": of_registry == 0, "unit": "attacks", "through_at_peer": mlflow,
        },
    ]  # fmt: skip


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--document", type=Path)
    parser.add_argument("--check", type=Path)
    parser.add_argument("--out", type=Path, default=ROOT / "benchmarks" / "results" / "attacks.json")
    args = parser.parse_args()
    if path := args.document or args.check:
        collected, code = suite("--collect-only", "-q")
        if code:
            print(f"the tests could not be collected, so {path} stays as it is", file=sys.stderr)
            return code
        wanted = document(path, table(collected.sorted(), outcome=False))
        stale = wanted != path.read_text()
        if args.document:
            path.write_text(wanted)
        elif stale:
            print(f"{path} is stale; write it: python benchmarks/attacks.py --document {path}")
        return int(stale and not args.document)
    attacks, code = suite(expression="attack and not slow" if args.quick else "attack")
    rows = [row for row in attacks.sorted() if not (args.quick and row.outcome == "not run")]
    print(table(rows, outcome=True))
    through = sum(row.outcome == "BROKE" for row in rows)
    of_registry = sum(
        row.outcome == "BROKE" for row in rows if row.rights == "registry" and row.attack.split(": ")[-1] in ATTACKS
    )
    lines = figures(rows, through, of_registry, against_mlflow())
    for line in lines:
        peer = f"; {line['peer']}: {line['peer_value']}" if line["peer"] else ""
        print(f"{line['metric']}: {line['ours']}{peer} (goal {line['goal']}, {'met' if line['met'] else 'NOT met'})")
    machine = {"machine": platform.machine(), "cores": os.cpu_count(), "python": platform.python_version()}
    args.out.parent.mkdir(parents=True, exist_ok=True)
    args.out.write_text(json.dumps([line | machine for line in lines], indent=2) + "\n")
    return int(bool(code) or any(row.outcome != "held" for row in rows) or not all(line["met"] for line in lines))


if __name__ == "__main__":
    sys.exit(main())
