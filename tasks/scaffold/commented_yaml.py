"""YAML in the style of a person: a heading, and a comment beside each guess."""

from collections.abc import Mapping
from io import StringIO
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq

LINE_WIDTH = 118
Comments = Mapping[str, str]
"""Comments by the dotted key of the value that they explain."""
NO_COMMENTS: Comments = {}


def dump(value: Any, heading: str = "", remarks: Comments = NO_COMMENTS) -> str:
    out = StringIO()
    writer = YAML()
    writer.width = LINE_WIDTH
    writer.indent(mapping=2, sequence=4, offset=2)
    writer.dump(_with_comments(value, remarks, ""), out)
    return "".join(f"# {line}\n" for line in heading.splitlines()) + out.getvalue()


def _with_comments(value: Any, remarks: Comments, where: str) -> Any:
    """Convert to ruamel's containers, which can have comments. Lists of plain values are written on one line."""
    if isinstance(value, dict):
        made = CommentedMap(
            (key, _with_comments(item, remarks, f"{where}.{key}".lstrip("."))) for key, item in value.items()
        )
        for key in value:
            if remark := remarks.get(f"{where}.{key}".lstrip(".")):
                made.yaml_add_eol_comment(remark, key)
        return made
    if isinstance(value, list | tuple):
        row = CommentedSeq(_with_comments(item, remarks, where) for item in value)
        if not any(isinstance(item, dict | list) for item in value):
            row.fa.set_flow_style()
        return row
    return value
