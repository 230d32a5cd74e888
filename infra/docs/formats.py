"""The JSON Schemas in docs/formats/, one for each signed or digested document and version."""

import json
from pathlib import Path

from infra.docs.text import table

FORMATS = Path(__file__).parents[2] / "docs" / "formats"
INTRODUCTION = """# Formats

Each document that Hallmark signs or digests has a versioned type and a JSON Schema. Signatures and digests cover the
bytes as they are kept. An old version stays readable for ever.
"""


def page() -> str:
    schemas = {path: json.loads(path.read_text()) for path in sorted(FORMATS.rglob("*.json"))}
    rows = [
        (f"[{path.relative_to(FORMATS).as_posix()}](../formats/{path.relative_to(FORMATS).as_posix()})",
         str(schema.get("title", "")), str(schema.get("description", "")))
        for path, schema in schemas.items()
    ]  # fmt: skip
    return f"{INTRODUCTION}\n{table(('schema', 'document', 'what it says'), rows)}" if rows else INTRODUCTION
