"""YAML as a person would write it, with a heading and with a comment after each guessed value."""

from collections.abc import Mapping
from io import StringIO
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq

LINE_WIDTH = 118
Comments = Mapping[str, str]
"""Comments by the dotted key of the value that they explain."""
NO_COMMENTS: Comments = {}


def dump_with_comments(value: Any, heading: str = "", comments: Comments = NO_COMMENTS) -> str:
    out = StringIO()
    writer = YAML()
    writer.width = LINE_WIDTH
    writer.indent(mapping=2, sequence=4, offset=2)
    writer.dump(_add_comments(value, comments, ""), out)
    return "".join(f"# {line}\n" for line in heading.splitlines()) + out.getvalue()


def _add_comments(value: Any, comments: Comments, key_prefix: str) -> Any:
    """Convert a value to ruamel's containers, which can have comments. Lists of plain values are put on one line."""
    if isinstance(value, dict):
        made = CommentedMap(
            (key, _add_comments(item, comments, f"{key_prefix}.{key}".lstrip("."))) for key, item in value.items()
        )
        for key in value:
            if remark := comments.get(f"{key_prefix}.{key}".lstrip(".")):
                made.yaml_add_eol_comment(remark, key)
        return made
    if isinstance(value, list | tuple):
        row = CommentedSeq(_add_comments(item, comments, key_prefix) for item in value)
        if not any(isinstance(item, dict | list) for item in value):
            row.fa.set_flow_style()
        return row
    return value
