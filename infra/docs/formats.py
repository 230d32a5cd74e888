"""Reference page of the JSON Schemas in docs/formats/, one for each version of a signed or digested document."""

from pathlib import Path

from infra.docs import schema
from infra.docs.markdown import markdown_table
from tasks.core.files import read_json

FORMATS = Path(__file__).parents[2] / "docs" / "formats"
INTRODUCTION = """# Formats

Each document that Hallmark signs or digests has a versioned type and a JSON Schema. Signatures and digests cover the
bytes as they are kept. An old version stays readable for ever.
"""


def render_page() -> str:
    return "\n".join([INTRODUCTION, *map(_document, sorted(FORMATS.rglob("*.json")))])


def _document(path: Path) -> str:
    document, place = read_json(path), path.relative_to(FORMATS).as_posix()
    required = document.get("required", [])
    properties = {
        key: value if isinstance(value, dict) else {} for key, value in document.get("properties", {}).items()
    }
    rows = [
        (
            f"`{key}`",
            schema.type_in_words(value, {}),
            "required" if key in required else "",
            schema.key_description(value, {}),
        )
        for key, value in properties.items()
    ]
    fields = markdown_table(("field", "type", "", "meaning"), rows) if rows else ""
    said = f"{document.get('description', '')} [{place}](../formats/{place})".strip()
    return f"## {document.get('title', place)}\n\n{said}\n\n{fields}"
