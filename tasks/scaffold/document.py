"""YAML as a person would write it: a heading, and a comment beside each guess."""

from collections.abc import Mapping
from io import StringIO
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq

WIDTH = 118
Remarks = Mapping[str, str]
"""Comment for a value, by its dotted key."""
NONE: Remarks = {}


def text(value: Any, heading: str = "", remarks: Remarks = NONE) -> str:
    """Return the YAML document. Each line of the heading becomes a comment."""
    out = StringIO()
    writer = YAML()
    writer.width = WIDTH
    writer.indent(mapping=2, sequence=4, offset=2)
    writer.dump(_made(value, remarks, ""), out)
    return "".join(f"# {line}\n" for line in heading.splitlines()) + out.getvalue()


def _made(value: Any, remarks: Remarks, where: str) -> Any:
    """Convert to ruamel's containers, which hold comments. Lists of plain values are written on one line."""
    if isinstance(value, dict):
        made = CommentedMap((key, _made(item, remarks, f"{where}.{key}".lstrip("."))) for key, item in value.items())
        for key in value:
            if remark := remarks.get(f"{where}.{key}".lstrip(".")):
                made.yaml_add_eol_comment(remark, key)
        return made
    if isinstance(value, list | tuple):
        row = CommentedSeq(_made(item, remarks, where) for item in value)
        if not any(isinstance(item, dict | list) for item in value):
            row.fa.set_flow_style()
        return row
    return value
