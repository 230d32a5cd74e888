"""Pydantic models as Markdown: one table for each section of a file, with type, default and meaning of each key."""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from pydantic import BaseModel

from infra.docs.markdown import anchor, prose, table

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


def page(model: type[BaseModel]) -> str:
    """Return the tables of a model, outermost section first. Objects that occur more than once are described once."""
    known = {section.reference: section for section in sections(model.model_json_schema())}
    return "\n".join(_section(section, known) for section in known.values())


def sections(document: JsonSchema) -> list[Section]:
    """Return the whole document and every object in it, each before the objects inside it."""
    by_reference: dict[str, Section] = {}

    def walk(section: Section) -> None:
        by_reference[section.reference] = section
        for name, value in section.schema.get("properties", {}).items():
            for suffix, reference in _references(value):
                if reference not in by_reference:
                    path = f"{section.path}.{name}".lstrip(".") + suffix
                    walk(Section(reference, path, _resolve(reference, document)))

    walk(Section("", "", document))
    return [*by_reference.values()]


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
            "required" if name in required else default(value),
            meaning(value, known),
        )
        for name, value in section.schema.get("properties", {}).items()
    ]
    if not section.path:
        return table(HEADER, rows)
    return f"## `{section.path}`\n\n{prose(section.schema.get('description', ''))}\n\n{table(HEADER, rows)}"


def meaning(value: JsonSchema, known: SectionsByReference) -> str:
    """Return the description of a key, or that of its section. Pydantic omits a key's description if both are equal."""
    section = known.get(value.get("$ref", ""))
    return str(value.get("description") or (section.schema.get("description", "") if section else ""))


def default(value: JsonSchema) -> str:
    given = value.get("default")
    if "default" not in value:
        return ""
    if given is None:
        return "null"
    if given in ([], {}, ""):
        return "empty"
    return f"`{str(given).lower() if isinstance(given, bool) else given}`" if not isinstance(given, dict) else "below"


def type_in_words(value: JsonSchema, known: SectionsByReference) -> str:
    """Return a type in words, with its bounds, and with a link if its section is known."""
    if "$ref" in value:
        section = known.get(value["$ref"])
        return f"[`{section.path}`](#{anchor(section.path)})" if section else "mapping"
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
