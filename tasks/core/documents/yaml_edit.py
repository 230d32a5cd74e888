"""Changes of YAML files that keep the comments and the layout of what is not changed."""

from collections.abc import Mapping
from io import StringIO
from operator import itemgetter
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq

from tasks.core.documents import config
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


def replace_scalars(text: str, file: Path, values: Mapping[KeyPath, str]) -> str:
    """Replace texts in a YAML document, each at a path of keys. Every other character stays as it is.

    Args:
        text: YAML text.
        file: File that the text was read from, used in error messages.
        values: New text by the path of keys, which must exist and hold a text on one line.

    Raises:
        InputError: A path does not exist, or its value is written in a form that cannot be replaced, such as an alias.
    """
    if not values:
        return text
    document = config.parse_yaml(text, file)
    lines = text.splitlines(keepends=True)
    positions = sorted(((_position(document, path, file), path) for path in values), key=itemgetter(0), reverse=True)
    for (line, column), path in positions:
        old, after = str(_value_at(document, path)), lines[line][column:]
        written = next((form for form in (old, f'"{old}"', f"'{old}'") if after.startswith(form)), None)
        if written is None:
            raise InputError(
                f"{file}:{line + 1}: {_dotted(path)}: expected {old} written out here, such as `{path[-1]}: {old}`; "
                f"write {values[path]} there yourself"
            )
        lines[line] = lines[line][:column] + values[path] + after[len(written) :]
    changed = "".join(lines)
    if changed != text:
        _require_only_these_changes(document, changed, file, values)
    return changed


def _position(document: Any, path: KeyPath, file: Path) -> tuple[int, int]:
    """Return the line and column of a value, counted from 0. An alias has the position of its key."""
    try:
        above, key = _value_at(document, path[:-1]), path[-1]
        line, column = above.lc.item(key) if isinstance(above, CommentedSeq) else above.lc.value(key)
        if not isinstance(above, CommentedSeq):
            line, column = max((line, column), above.lc.key(key))  # ruamel gives the position of the anchor
    except (AttributeError, KeyError, IndexError, TypeError):
        raise InputError(f"{file}: {_dotted(path)} is missing; write it there") from None
    return line, column


def _value_at(document: Any, path: KeyPath) -> Any:
    for part in path:
        document = document[part]
    return document


def _require_only_these_changes(document: Any, changed: str, file: Path, values: Mapping[KeyPath, str]) -> None:
    """Check that the changed text has the new values, and that all other values are those of the document.

    An anchor at a replaced value would change other places as well.
    """
    wanted = config.to_plain_value(document)
    for path, value in values.items():
        _value_at(wanted, path[:-1])[path[-1]] = value
    if config.parse_plain_yaml(changed, file) != wanted:
        texts = ", ".join(f"{_dotted(path)}: {value}" for path, value in values.items())
        raise InputError(f"{file}: this cannot be written without a change of other values: {texts}")


def _dotted(path: KeyPath) -> str:
    return ".".join(map(str, path))
