"""Pydantic models as Markdown. Each section of a file is a table with the type, default and meaning of each key."""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from pydantic import BaseModel

from infra.docs.markdown import heading_anchor, markdown_table, unwrap_paragraphs

TYPE_WORDS = {
    "string": "text",
    "integer": "whole number",
    "number": "number",
    "boolean": "true or false",
    "null": "null",
}
BOUNDS = {"minimum": "≥", "exclusiveMinimum": ">", "maximum": "≤", "exclusiveMaximum": "<"}
HEADER = ("key", "type", "default", "meaning")
JsonSchema = Mapping[str, Any]


class Section(NamedTuple):
    """Object in a settings file, with the path at which it first occurs."""

    reference: str
    path: str
    schema: JsonSchema


SectionsByReference = Mapping[str, Section]


def render_model(model: type[BaseModel]) -> str:
    """Return the tables of a model, outermost section first. A section that occurs more than once is described once."""
    known = {section.reference: section for section in list_sections(model.model_json_schema())}
    return "\n".join(_section(section, known) for section in known.values())


def list_sections(document: JsonSchema) -> list[Section]:
    """Return the sections of a document: the document itself and every object in it, outer objects first."""
    by_reference: dict[str, Section] = {}

    def walk(section: Section) -> None:
        by_reference[section.reference] = section
        for name, value in section.schema.get("properties", {}).items():
            for suffix, reference in _references(value):
                if reference not in by_reference:
                    schema = _resolve(reference, document)
                    path = f"{section.path}.{name}".lstrip(".") + suffix + _kind_suffix(schema)
                    walk(Section(reference, path, schema))

    walk(Section("", "", document))
    return [*by_reference.values()]


def _kind_suffix(schema: JsonSchema) -> str:
    """Return the part of a section's path that tells it from the alternatives that its key `kind` selects."""
    kind = schema.get("properties", {}).get("kind", {}).get("const")
    return f" (kind {kind})" if kind else ""


def _references(value: JsonSchema, suffix: str = "") -> Iterator[tuple[str, str]]:
    if "$ref" in value:
        yield suffix, value["$ref"]
    for each in (*value.get("anyOf", ()), *value.get("oneOf", ()), *value.get("allOf", ())):
        yield from _references(each, suffix)
    if "items" in value:
        yield from _references(value["items"], f"{suffix}[]")
    for each in _values_of_mapping(value):
        yield from _references(each, f"{suffix}.NAME")


def _values_of_mapping(value: JsonSchema) -> list[JsonSchema]:
    more = value.get("additionalProperties")
    return [*([more] if isinstance(more, Mapping) else []), *value.get("patternProperties", {}).values()]


def _resolve(reference: str, document: JsonSchema) -> JsonSchema:
    schema: JsonSchema = document["$defs"][reference.rpartition("/")[2]]
    return schema


def _section(section: Section, known: SectionsByReference) -> str:
    required = section.schema.get("required", [])
    rows = [
        (
            f"`{name}`",
            type_in_words(value, known),
            "required" if name in required else default_in_words(value),
            key_description(value, known),
        )
        for name, value in section.schema.get("properties", {}).items()
    ]
    if not section.path:
        return markdown_table(HEADER, rows)
    return (
        f"## `{section.path}`\n\n{unwrap_paragraphs(section.schema.get('description', ''))}\n\n"
        f"{markdown_table(HEADER, rows)}"
    )


def key_description(value: JsonSchema, known: SectionsByReference) -> str:
    """Return the description of a key, or the description of its section if the key has none.

    Pydantic omits the description of a key if it equals that of the section.
    """
    section = known.get(value["$ref"]) if "$ref" in value else None
    return str(value.get("description") or (section.schema.get("description", "") if section else ""))


def default_in_words(value: JsonSchema) -> str:
    given = value.get("default")
    if "default" not in value:
        return ""
    if given is None:
        return "null"
    if given in ([], {}, ""):
        return "empty"
    return f"`{str(given).lower() if isinstance(given, bool) else given}`" if not isinstance(given, dict) else "below"


def type_in_words(value: JsonSchema, known: SectionsByReference) -> str:
    """Return a type in words, with its bounds. If the type is a known section, the result links to it."""
    if "$ref" in value:
        section = known.get(value["$ref"])
        return f"[`{section.path}`](#{heading_anchor(section.path)})" if section else "mapping"
    kinds = value.get("type")
    alternatives = [{**value, "type": kind} for kind in kinds] if isinstance(kinds, list) else []
    if each := [*alternatives, *value.get("anyOf", ()), *value.get("oneOf", ()), *value.get("allOf", ())]:
        return " or ".join(dict.fromkeys(type_in_words(kind, known) for kind in each))
    if "enum" in value:
        return ", ".join(f"`{choice}`" for choice in value["enum"])
    if "const" in value:
        return f"`{value['const']}`"
    if value.get("type") == "array":
        return f"list of {type_in_words(value.get('items', {}), known)}"
    if value.get("type") == "object":
        inner = " or ".join(type_in_words(kind, known) for kind in _values_of_mapping(value))
        return f"mapping of names to {inner}" if inner else "mapping"
    bounds = [f"{sign} {value[bound]:g}" for bound, sign in BOUNDS.items() if bound in value]
    return ", ".join([TYPE_WORDS.get(value.get("type", ""), "any value"), *bounds])
