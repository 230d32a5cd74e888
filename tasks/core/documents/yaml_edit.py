"""Changes of YAML files that keep the comments and the layout of what is not changed."""

from collections.abc import Mapping, Sequence
from io import StringIO
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap

from tasks.core.documents import config, yaml_text
from tasks.core.errors import InputError

KeyPath = tuple[str | int, ...]
LINE_WIDTH = 4096
"""Maximum width of a line in characters, so that a public key is not wrapped."""


def render_document(document: Any) -> str:
    """Return the YAML text of a document that ruamel's round-trip parser has read."""
    text = StringIO()
    writer = YAML()
    writer.width = LINE_WIDTH
    writer.indent(mapping=2, sequence=4, offset=2)
    writer.dump(document, text)
    return text.getvalue()


def inline_mapping(**values: Any) -> CommentedMap:
    return with_flow_style(CommentedMap(values))


def with_flow_style(value: Any) -> Any:
    value.fa.set_flow_style()
    return value


def replace_scalars(text: str, document_name: str, values: Mapping[KeyPath, str]) -> str:
    """Replace texts in a YAML document, each at a path of keys. Every other character stays as it is.

    Args:
        text: YAML text.
        document_name: Name of the document, used at the start of error messages.
        values: New text by the path of keys, which must exist and hold a text on one line.

    Raises:
        InputError: A path does not exist, or its value is written in a form that cannot be replaced, such as an alias.
    """
    if not values:
        return text
    document = yaml_text.parse_with_limits(text, document_name)
    lines = text.splitlines(keepends=True)
    paths_by_position = {_position(document, path, document_name): path for path in values}
    for (line, column), path in sorted(paths_by_position.items(), reverse=True):
        old, after = str(_value_at(document, path)), lines[line][column:]
        written = next((form for form in (old, f'"{old}"', f"'{old}'") if after.startswith(form)), None)
        if written is None:
            raise InputError(
                f"{document_name}:{line + 1}: {'.'.join(map(str, path))}: expected {old} written out here, such as "
                f"`{path[-1]}: {old}`; write {values[path]} there yourself"
            )
        lines[line] = lines[line][:column] + values[path] + after[len(written) :]
    changed = "".join(lines)
    if changed == text:
        return text
    _require_only_these_changes(document, changed, document_name, values)
    return changed


def _position(document: Any, path: KeyPath, document_name: str) -> tuple[int, int]:
    try:
        line, column = _value_at(document, path[:-1]).lc.value(path[-1])
    except (AttributeError, KeyError, IndexError, TypeError):
        raise InputError(f"{document_name}: {'.'.join(map(str, path))} is missing; write it there") from None
    return line, column


def _value_at(document: Any, path: Sequence[str | int]) -> Any:
    for part in path:
        document = document[part]
    return document


def _require_only_these_changes(document: Any, changed: str, document_name: str, values: Mapping[KeyPath, str]) -> None:
    """Check that the changed text has the new values and otherwise those of the document before.

    An anchor at a replaced value would change other places as well.
    """
    wanted = config.to_plain_value(document)
    for path, value in values.items():
        _value_at(wanted, path[:-1])[path[-1]] = value
    if config.to_plain_value(yaml_text.parse_with_limits(changed, document_name)) != wanted:
        wanted_texts = ", ".join(f"{'.'.join(map(str, path))}: {value}" for path, value in values.items())
        raise InputError(f"{document_name}: this cannot be written without a change of other values: {wanted_texts}")
