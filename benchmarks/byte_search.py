"""Search of every byte that a run writes for planted identifiers of people.

    python benchmarks/byte_search.py [--each 4] [--seed 23] [--out benchmarks/results/byte_search.json]

The benchmark makes a project of its own. It does a real run from sources to a release, four more runs that end in an
error in the data, and then `hallmark data`, `gates`, `releases` and `status`. The sources are outside the project.

The search covers the project with its worktrees, caches, databases, logs and git objects, the home folder, the folder
for temporary files, Ray's session folders while they exist, and the output of the commands. It leaves out the vault and
its key, and values that are in the code before anything runs: a name may be two neighbours in a list of names. It also
leaves out the output of `hallmark data show`, which shows a row as it is to people who may see it. No other tool was
found that does this, so the figures have goals but no peer.

Identifiers in texts are masked if the recognisers find them, and missed ones are counted. The lists of names contain
those of faker, so recall is higher here than in benchmarks/protect.py. A lower-case name in place of a region is
counted separately, since only `labels` in sources.yaml tells it from a region. Names of files and of mapped columns are
an owner's own words and are not masked.
"""

import argparse
import contextlib
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import yaml

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from tasks.stages.cluster.connection import SESSION_FOLDER_PREFIX  # noqa: E402
from tests import planted_identifiers, tiny_project  # noqa: E402
from tests.byte_search import Findings, Planted, search_folder  # noqa: E402
from tests.planted_identifiers import UNLISTED, Identifier  # noqa: E402
from tests.stages.data.build import INVENTORY  # noqa: E402

MISSED_GOAL = 0.05
"""1 minus the recall that the recognisers should have."""
DATA = "data: {test_share: 0.2, seed: 1, max_malformed_share: 0.9, near_duplicates: {jaccard: 0.9}}"


class RaySessions(threading.Thread):
    """Thread that copies the files in Ray's session folders of a project, which are deleted when its training ends."""

    def __init__(self, base: Path) -> None:
        super().__init__(daemon=True)
        self.base, self.ended = base, threading.Event()

    def run(self) -> None:
        while not self.ended.wait(2):
            for folder in Path("/tmp").glob(f"{SESSION_FOLDER_PREFIX}*"):
                if self._is_ours(folder):
                    for path in folder.rglob("*"):
                        self._copy(path)

    def _is_ours(self, folder: Path) -> bool:
        pid = folder.name.removeprefix(SESSION_FOLDER_PREFIX).partition("-")[0]
        try:
            return pid.isdigit() and Path(psutil.Process(int(pid)).cwd()).is_relative_to(self.base)
        except psutil.Error:
            return False

    def _copy(self, path: Path) -> None:
        with contextlib.suppress(OSError):  # Ray may delete the file at any time
            if path.is_file() and not path.is_symlink():
                target = self.base / "ray" / path.relative_to("/tmp")
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(path, target)


def inventory(folder: Path) -> dict[str, Any]:
    common = INVENTORY | {"constants": {"task": "triage"}, "retention_days": 3650}
    messages = {
        "id": "messages", "kind": "csv", "location": str(folder / "messages.csv"),
        "mapping": planted_identifiers.CSV_MAPPING, "labels": planted_identifiers.CSV_LABELS,
        "suite": "expectations/messages.yaml",
    }  # fmt: skip
    chats = {
        "id": "chats", "kind": "jsonl", "location": str(folder / "chats.jsonl"),
        "mapping": planted_identifiers.JSONL_MAPPING,
    }  # fmt: skip
    return {"sources": [common | messages, common | chats], "terms": planted_identifiers.TERMS}


def make(base: Path, sources: planted_identifiers.Sources) -> Path:
    folder, governance = base / "sources", base / "project" / "infra" / "governance"
    folder.mkdir()
    (folder / "messages.csv").write_bytes(sources.messages)
    (folder / "chats.jsonl").write_bytes(sources.chats)
    (folder / "without_header.csv").write_bytes(without_header(sources))
    project = tiny_project.make_project(base / "project")
    params = project / "params.yaml"
    params.write_text(params.read_text().replace("data: {test_share: 0.2, seed: 1}", DATA))
    (governance / "sources.yaml").write_text(yaml.safe_dump(inventory(folder), sort_keys=False))
    tiny_project.commit(project, "The planted sources")
    return project


def not_in_code(identifiers: list[Identifier], project: Path) -> list[Identifier]:
    chance = Findings()
    search_folder(project, Planted(item.value for item in identifiers), chance)
    return [item for item in identifiers if item.value not in chance.places]


def without_header(sources: planted_identifiers.Sources) -> bytes:
    """Return messages.csv with a row in place of its header. The row contains an identifier of each class."""
    row = ["I am {} and this is about me", "card_lost", "cards"]
    values = [item.value.replace(",", " ") for item in sources.identifiers if item.place == "customer"]
    return (",".join([row[0].format(values[0]), *row[1:], *values]) + "\n").encode()


def failing_run_options(base: Path, project: Path) -> dict[str, list[str]]:
    """Return the options of `hallmark run` for runs that end in an error in the data, by the kind of error."""
    changed: dict[str, dict[str, Any]] = {
        "what must not come": {"protect": {"email": "stop"}},
        "no header": {"location": str(base / "sources" / "without_header.csv")},
        "wrong encoding": {"encoding": "utf-16"},
    }
    options = {"too many malformed rows": ["--set", "data.max_malformed_share=0.01"]}
    for name, changes in changed.items():
        folder = project / ".hallmark" / name.replace(" ", "_")
        shutil.copytree(project / "infra" / "governance", folder)
        document = inventory(base / "sources")
        document["sources"][0] |= changes
        (folder / "sources.yaml").write_text(yaml.safe_dump(document, sort_keys=False))
        options[name] = ["--governance", str(folder.relative_to(project))]
    return options


def run_commands(base: Path, project: Path, someone: str) -> bytes:
    printed: list[str] = []

    def hallmark(*args: str, code: int = 0) -> str:
        printed.append(tiny_project.hallmark(project, *args, code=code))
        return printed[-1]

    hallmark("init")
    try:
        hallmark("run", "--as", "ml-engineer", "--demo-approvals")
        for words in failing_run_options(base, project).values():
            hallmark("run", "--as", "ml-engineer", "--demo-approvals", *words, code=2)
        listed = tiny_project.hallmark_json(project, "releases", "list")
        release, run = f"{listed[0]['name']}-{listed[0]['version']}", listed[0]["run"]
        behind = tiny_project.hallmark_json(project, "data", "records", release)
        for words in (
            ["status"], ["runs", "show", run, "--json"], ["gates", "list"], ["gates", "show", run, "data", "--json"],
            ["releases", "list"], ["releases", "show", release], ["data", "list"], ["data", "records", release],
            ["data", "find", "--record", behind[0]["record"]],
            ["data", "find", "--subject", someone, "--reason", "to look at it", "--as", "data-owner"],
            ["data", "conflicts", run, "--as", "data-owner"],
        ):  # fmt: skip
            hallmark(*words)
        why = ["--run", run, "--reason", "to look at it", "--as", "data-owner"]
        tiny_project.hallmark(project, "data", "show", behind[0]["record"], *why)
    finally:
        hallmark("down")
    return "\n".join(printed).encode()


def searched(base: Path, project: Path, printed: bytes, planted: Planted) -> Findings:
    findings = Findings()
    findings.look("output", printed, planted)
    command = ["git", "cat-file", "--batch-all-objects", "--batch", "--unordered"]
    objects = subprocess.run(command, cwd=project, check=True, capture_output=True).stdout
    findings.look("git objects, unpacked", objects, planted)
    search_folder(base, planted, findings, exclusion(base, project))
    return findings


def exclusion(base: Path, project: Path) -> Callable[[Path], bool]:
    state = project / ".hallmark"

    def is_left_out(path: Path) -> bool:
        vault = path.parent == state / "vault"
        return vault or path.parent == state / "keys" or path.is_relative_to(base / "sources")

    return is_left_out


def figures(identifiers: list[Identifier], missed: set[str], findings: Findings) -> list[dict[str, Any]]:
    texts = [item for item in identifiers if item.place == "text"]
    readable = [item for item in identifiers if item.value in findings.places]
    leaked = [item for item in readable if item.place == "text" and item.value not in missed]
    outside = [item for item in readable if item.place not in ("text", UNLISTED)]
    unlisted = [item for item in readable if item.place == UNLISTED]
    unseen = len(readable) - len(outside) - len(unlisted)
    return [
        row("planted identifiers", len(identifiers), None),
        row("files searched", findings.files, None, "files"),
        row("bytes searched", findings.bytes, None, "bytes"),
        row("found readable, of those that recognisers find", len(leaked), 0),
        row("found readable, of those outside texts", len(outside), 0),
        row("found readable, share of those in texts", unseen / len(texts), MISSED_GOAL, "share"),
        row(f"found readable, {UNLISTED}", len(unlisted), None),
    ]


def row(metric: str, ours: float, goal: float | None, unit: str = "identifiers") -> dict[str, Any]:
    return {
        "metric": metric, "ours": round(ours, 4), "peer": None, "peer_value": None, "ratio": None, "goal": goal,
        "met": None if goal is None else ours <= goal, "unit": unit,
    }  # fmt: skip


def print_figures(identifiers: list[Identifier], missed: set[str], findings: Findings) -> None:
    """Print the figures of each class, and the place and file of each identifier that was found."""
    planted = Counter(item.category for item in identifiers)
    readable = Counter(item.category for item in identifiers if item.value in findings.places)
    unseen = Counter(item.category for item in identifiers if item.value in missed)
    print(f"{'class':<14}{'planted':>9}{'missed':>9}{'readable':>10}")
    for category, count in sorted(planted.items()):
        print(f"{category:<14}{count:>9}{unseen[category]:>9}{readable[category]:>10}")
    kinds: dict[tuple[str, str, str], set[str]] = defaultdict(set)
    for item in identifiers:
        for name in findings.places.get(item.value, ()):
            verdict = "missed" if item.value in missed or item.place == UNLISTED else "LEAKED"
            kinds[verdict, f"{item.category} in {item.place}", path_pattern(name)].add(item.value)
    for (verdict, what, where), values in sorted(kinds.items()):
        print(f"{verdict}: {len(values)} {what}, found in {where}")


def path_pattern(name: str) -> str:
    """Return the kind of a file: its path with run ids and digests replaced by `*`."""
    parts = [part if len(part) < 40 and not part[:8].isdigit() else "*" for part in Path(name).parts]
    return "/".join("*" if len(part) == 2 else part for part in parts)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--each", type=int, default=4, help="identifiers of each class for each place")
    parser.add_argument("--seed", type=int, default=23)
    parser.add_argument("--keep", action="store_true", help="leave everything where it was searched, and say where")
    parser.add_argument("--out", type=Path, default=ROOT / "benchmarks" / "results" / "byte_search.json")
    given = parser.parse_args()
    sources = planted_identifiers.make(given.each, given.seed)
    base = Path(tempfile.mkdtemp(prefix="hm-", dir="/tmp"))  # short, since paths of Ray's sockets begin with it
    began = time.monotonic()
    try:
        for name, variable in (("home", "HOME"), ("t", "TMPDIR")):
            (base / name).mkdir()
            os.environ[variable] = str(base / name)
        project = make(base, sources)
        identifiers = not_in_code(sources.identifiers, project)
        texts = [item for item in identifiers if item.place == "text"]
        sessions = RaySessions(base)
        sessions.start()
        printed = run_commands(base, project, next(item.value for item in texts if item.category == "name"))
        sessions.ended.set()
        sessions.join()
        print(f"ran in {time.monotonic() - began:.0f} s, searching")
        findings = searched(base, project, printed, Planted(item.value for item in identifiers))
    finally:
        if given.keep:
            print(f"left in {base}")
        else:
            shutil.rmtree(base, ignore_errors=True)
    missed = planted_identifiers.missed(texts)
    print_figures(identifiers, missed, findings)
    lines = figures(identifiers, missed, findings)
    for line in lines:
        verdict = "" if line["goal"] is None else f"goal {line['goal']:g}  {'met' if line['met'] else 'NOT met'}"
        print(f"{line['metric']:<50} {line['ours']:>12,} {line['unit']:<12} {verdict}")
    machine = {"machine": platform.machine(), "cores": os.cpu_count(), "python": platform.python_version()}
    given.out.parent.mkdir(parents=True, exist_ok=True)
    given.out.write_text(json.dumps([line | machine for line in lines], indent=2) + "\n")


if __name__ == "__main__":
    main()
