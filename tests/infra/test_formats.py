"""The schemas in docs/formats/ are those of the code, and every document that is signed has one."""

import re
from pathlib import Path

import pytest

from infra import formats
from tasks.core.documents.document import Document

ROOT = Path(__file__).parents[2]
WITHIN = {
    "Policy", "People", "Purpose", "DeclaredSource", "DeclaredCard", "DeclaredSuite", "EvidenceSummary",
    "DatedDocument", "Opening", "Escalation", "Closing",
}  # fmt: skip
"""Documents that stand in others alone."""
OTHERS = {
    "retrain", "release", "installation",  # names in statements of other standards, and of what they are about
    "release-left-out", "backup",  # nobody signs these, and nothing is known by their digest
}  # fmt: skip


def test_the_schemas_are_those_of_the_code() -> None:
    wanted = {f"{each.name}.json": formats.schema_text(each) for each in formats.FORMATS}
    there = {path.name: path.read_text() for path in formats.FORMATS_FOLDER.glob("*.json")}
    assert there == wanted, "run `python -m infra.formats`"


@pytest.mark.parametrize("each", formats.FORMATS, ids=lambda each: each.name)
def test_a_type_is_in_the_bytes(each: formats.Format) -> None:
    """In the document, or in the signed statement whose predicate it is."""
    named = each.schema().get("properties", {}).get("type", {}).get("const")
    assert named == (None if each.signed else each.type)
    assert each.signed or "type" in each.schema()["required"]


def test_every_document_and_every_type_has_a_schema() -> None:
    listed = {each.model.__name__ for each in formats.FORMATS if isinstance(each.model, type)}
    documents = {kind.__name__ for kind in _below(Document) if kind.__module__.startswith("tasks.")}
    public = {name for name in documents if not name.startswith("_")}
    assert public - listed - WITHIN == set()
    types = {each.type for each in formats.FORMATS}
    named = {
        found
        for path in (ROOT / "tasks").rglob("*.py")
        for found in re.findall(r"urn:hallmark:([a-z-]+)[:\"]", path.read_text())
    }
    assert {f"urn:hallmark:{name}:v1" for name in named - OTHERS} <= types


def _below(kind: type[Document]) -> list[type[Document]]:
    return [one for each in kind.__subclasses__() for one in (each, *_below(each))]
