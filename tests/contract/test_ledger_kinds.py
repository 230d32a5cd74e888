"""The reference has every kind of entry that the code can record, and no other, with the fields of its body."""

import ast
import re
from pathlib import Path
from typing import get_args

from tasks.inquiry import access_entries
from tasks.ledger import kinds

ROOT = Path(__file__).parents[2]


def documented() -> dict[str, set[str]]:
    """By kind, the fields of its body."""
    return {kind.kind: set(re.findall(r"`(\w+)`", kind.body)) for kind in kinds.KINDS}


def constants(path: Path) -> set[str]:
    """What a module's own constants say: `READ = "vault.read"`, `OPENED, CLOSED = "…", "…"`, `TYPE: Final = "…"`."""
    found = set()
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.Assign | ast.AnnAssign):
            values = node.value.elts if isinstance(node.value, ast.Tuple) else [node.value]
            found |= {str(value.value) for value in values if isinstance(value, ast.Constant)}
    return found


FILES = ("bin", "json", "jsonl", "txt", "html", "db", "lock", "yaml", "bundle", "sig", "parquet", "gguf")
OTHERS = {
    "hallmark.process", "hallmark.release", "hallmark.run", "hallmark.sweep", "hallmark.trial",
    "table.records_with_protected_text", "planted.recall_", "split.near_equal_labels",
    "coverage.gaps", "detectors.missing",
}  # fmt: skip
"""Texts that look like a kind: a module, a subject of statements, tags in MLflow, an expectation, a metric, and how
a metric begins."""


def recorded() -> set[str]:
    """Every text of a module's constant that is `NOUN.VERB`, whatever the verb, and no file's name."""
    paths = [path for room in ("tasks", "infra", "flows") for path in (ROOT / room).rglob("*.py")]
    every = set[str]().union(*map(constants, paths))
    kinds = {text for text in every if re.fullmatch(r"[a-z]+\.[a-z_]+", text) and not text.endswith(FILES)}
    return kinds - OTHERS


def test_every_kind_is_in_the_document() -> None:
    assert recorded() == documented().keys(), "KINDS in tasks/ledger/kinds.py describes each kind of entry"


def test_every_look_at_personal_data_is_found_as_one() -> None:
    """A look has its person and reason in its body; what somebody signs has them in its envelope."""
    fields = documented()
    looked_at = {kind for kind, named in fields.items() if {"person", "reason"} <= named and "envelope" not in named}
    assert looked_at == set(kinds.kinds_in_group(kinds.DATA_ACCESS_GROUP)) == set(get_args(access_entries.AccessKind))


def test_what_appends_names_its_kind_by_a_constant() -> None:
    """So that the test before this one sees it."""
    for room in ("tasks", "infra", "flows"):
        for path in (ROOT / room).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text())):
                if (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "append"
                        and len(node.args) >= 3):  # fmt: skip
                    assert not isinstance(node.args[0], ast.Constant), f"{path}:{node.lineno}"
