"""Attack suite: all tests marked `attack`. Each is written from an attacker's rights and names what stops the attack.

    python -m tests.attack_suite
    python -m tests.attack_suite --document docs/attacks.md | --check docs/attacks.md

An attack got through if its test fails: a model was admitted, a gate opened or a rewritten ledger was not noticed. The
exit code is 1 if any attack got through. For comparison, the attacks of a registry's owner also run against an MLflow
registry without Hallmark, from which `models:/triage@champion` is loaded after each attack. `--document` writes the
table of attacks into a document without running them, and `--check` verifies that the document's table is current.
"""

import argparse
import os
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.registry.registry_attacks import ATTACKS, CHAMPION

ROOT = Path(__file__).parents[1]
RIGHTS = {
    "stage": "the code of a run, inside its sandbox",
    "worker": "whoever runs stages and flows",
    "commit": "code and files that a run's own commit brings along",
    "approver": "a person with a key and a role of their own",
    "orchestrator": "Prefect's API",
    "visitor": "whoever reaches the address of console or gateway, or writes what their pages show",
    "registry": "MLflow's API and store",
    "database": "the ledger's database, its triggers dropped",
    "disk": "the files of releases, base models and state",
    "gate key": "the private key of the gate, of one installation",
}
"""Rights of the attackers, in the order of the table."""
BEGIN, END = "<!-- attacks -->\n", "<!-- end of attacks -->\n"


@dataclass
class Row:
    attack: str
    rights: str
    stopped: str
    outcome: str = "not run"


class Suite:
    """Pytest plugin that collects a row for each marked test."""

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
        """Return the rows by rights, file and position in the file. Pytest has run the slow files first."""
        order = list(RIGHTS)
        by_file = sorted(self.rows.items(), key=lambda item: item[0].partition("::")[0])
        return sorted((row for _, row in by_file), key=lambda row: order.index(row.rights))


def words(nodeid: str) -> str:
    """Return a test's name as a sentence: its class, its own words, its case."""
    _, *classes, name = nodeid.replace("|", "/").split("::", maxsplit=nodeid.split("[")[0].count("::"))
    name, _, case = name.removeprefix("test_").partition("[")
    parts = [c.removeprefix("Test").lower() for c in classes] + [name.replace("_", " ")]
    case = case.removesuffix("]")
    return ": ".join([*parts, *([case] if case else [])])


def suite(*options: str) -> tuple[Suite, int]:
    """Run or collect the marked tests. Only files with marked tests are imported."""
    collected = Suite()
    files = sorted(str(path) for path in (ROOT / "tests").rglob("test_*.py") if "mark.attack(" in path.read_text())
    chosen = ["--soak", "too", "-m", "attack"]
    arguments = ["-q", "--no-header", "-p", "no:cacheprovider", "--rootdir", str(ROOT), *chosen]
    return collected, int(pytest.main([*arguments, *options, *files], plugins=[collected]))


def against_mlflow() -> list[str]:
    """Return the attacks of the registry's owner after which MLflow without Hallmark does not serve the champion."""
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
    """Render the rows as Markdown with a heading for each attacker."""
    lines = []
    for rights, what in RIGHTS.items():
        mine = [row for row in rows if row.rights == rights]
        if mine:
            lines.append(f"### With the rights of: {rights} ({what}), {len(mine)}\n")
            lines.append("| attack | what stopped it |" + " outcome |" * outcome + "\n|---|---|" + "---|" * outcome)
            lines += [f"| {r.attack} | {r.stopped} |" + f" {r.outcome} |" * outcome for r in mine]
            lines.append("")
    return "\n".join(lines) + "\n"


def document(path: Path, text: str) -> str:
    """Return the text of the document with its table replaced by `text`."""
    before, _, rest = path.read_text().partition(BEGIN)
    return f"{before}{BEGIN}{text}{END}{rest.partition(END)[2]}"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--document", type=Path)
    parser.add_argument("--check", type=Path)
    args = parser.parse_args()
    if path := args.document or args.check:
        return describe(path, write=args.document is not None)
    attacks, code = suite()
    rows = attacks.sorted()
    print(table(rows, outcome=True))
    through = [row for row in rows if row.outcome == "BROKE"]
    print(f"attacks tried: {len(rows)}; got through: {len(through)}")
    of_registry = [row for row in through if row.rights == "registry" and row.attack.split(": ")[-1] in ATTACKS]
    peer = f"an MLflow registry without Hallmark: {len(against_mlflow())}"
    print(f"of the {len(ATTACKS)} attacks of the registry's owner, got through: {len(of_registry)}; {peer}")
    return int(bool(code) or any(row.outcome != "held" for row in rows))


def describe(path: Path, write: bool) -> int:
    """Write the table into the document, or only check it. Return the exit code: 1 if the document is stale."""
    collected, code = suite("--collect-only", "-q")
    if code:
        print(f"the tests could not be collected, so {path} stays as it is", file=sys.stderr)
        return code
    wanted = document(path, table(collected.sorted(), outcome=False))
    stale = wanted != path.read_text()
    if write:
        path.write_text(wanted)
    elif stale:
        print(f"{path} is stale; write it: python -m tests.attack_suite --document {path}")
    return int(stale and not write)


if __name__ == "__main__":
    sys.exit(main())
