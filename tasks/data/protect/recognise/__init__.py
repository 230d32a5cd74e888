"""Finds what is about people, and keys, in short English and German texts.

Read `span` (what is found), `fold` (how a text is made plain first), `engine` (which recogniser sees which text), then
any recogniser in `numbers/`, `credentials/` or `names/`: each has one `find(text) -> list[Span]`.
"""

from tasks.data.protect.recognise.engine import find, find_all
from tasks.data.protect.recognise.span import Span

__all__ = ["Span", "find", "find_all"]
