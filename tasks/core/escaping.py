"""Escaping of hidden characters, which are invisible or change how other text is displayed.

Terminals execute control characters, browsers and editors apply characters that change the direction of writing, and
some characters have no width. In data, in a params file or in a signed text, such characters could change what an
approver sees. So all output is escaped at the point where it leaves the program, and other code need not escape it:

    terminal    infra/cli/terminal.py, for every command
    log         infra/prefect/runner.py and flows/lifecycle.py; lines of a stage in tasks/runs/outputs/dvc.py
    error       tasks/core/errors.py, whose messages appear in all of these and on Prefect's pages
    page        tasks/core/pages.py, for every template
    JSON        `escaped_json`, for every document that is printed or written

Files and texts that people write for others (params, sources, policy, people, reasons) are refused if they contain
hidden characters: tasks/core/documents/config.py, tasks/gates/decisions.py.
"""

import json
import logging
import os
import re
import sys
from collections.abc import Iterable
from typing import IO, Any

HIDDEN_CHARACTERS = (
    "\x00-\x08\x0b-\x1f"  # control characters except tab and newline; \x1b starts a terminal's escape sequences
    "\x7f-\x9f"  # more control characters
    "\xad"  # soft hyphen
    "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"  # direction of text
    "\u180e\u200b-\u200d\u2060-\u2065\ufeff"  # zero width
    "\u034f\u115f\u1160\u17b4\u17b5\u3164\uffa0"  # letters and marks without a glyph
    "\u2028\u2029"  # line and paragraph separators
    "\u206a-\u206f\ufff9-\ufffb"  # deprecated format characters, interlinear annotation
    "\ud800-\udfff"  # surrogates, which stand for bytes that could not be decoded
    "\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff"  # shorthand, music, tags, variation selectors
)
_HIDDEN_PATTERN = re.compile(f"[{HIDDEN_CHARACTERS}]")
JOINERS = "\u200c\u200d"
"""Zero-width joiner and non-joiner. They are escaped in output but allowed in settings, because some scripts and emoji
require them."""


def escape_hidden(text: str) -> str:
    """Replace each hidden character with its code point, for example `<U+001B>`. Newlines and tabs are kept."""
    return _HIDDEN_PATTERN.sub(lambda match: _format_code_point(match[0]), text)


def escape_to_one_line(text: str) -> str:
    """Escape hidden characters, newlines and tabs, so that the text fits on one line."""
    return escape_hidden(text).replace("\n", "\\n").replace("\t", "\\t")


def first_hidden_character(text: str) -> str | None:
    """Return the code point of the first hidden character, for example `<U+001B>`. Return None if there is none.

    JOINERS are not counted as hidden characters here.
    """
    match = _HIDDEN_PATTERN.search(text.translate(dict.fromkeys(map(ord, JOINERS))))
    return _format_code_point(match[0]) if match else None


def escaped_json(value: Any, **how: Any) -> str:
    """Serialise a value as JSON. Non-ASCII letters are kept, and hidden characters become JSON escapes.

    Args:
        value: JSON value.
        **how: Further arguments of `json.dumps`.
    """
    text = json.dumps(value, ensure_ascii=False, **how)
    return _HIDDEN_PATTERN.sub(lambda match: json.dumps(match[0])[1:-1] if match[0] != "\x7f" else "\\u007f", text)


_MARKDOWN_SYNTAX = re.compile(
    r"[\\`*|]"  # escapes, code, emphasis, cells of a table
    r"|(?<!\w)_|_(?!\w)|~(?=~)"  # emphasis too, but not within a word such as `exact_match`
    r"|\](?=[\[(:])"  # a link, an image, a link definition
    r"|<(?=[A-Za-z/!?])|&(?=#?\w+;)"  # HTML
    r"|^\s*(?:\d+(?=[.)]\s)|(?=[-+=#>~]))"  # a list, a heading, a quote
)


def escape_markdown(text: str) -> str:
    """Escape a text for one line of Markdown, so that it is displayed literally and not as a heading, link or HTML."""
    line = " ".join(escape_hidden(text).split())
    return _MARKDOWN_SYNTAX.sub(lambda match: f"{match[0]}\\" if match[0].isdigit() else f"\\{match[0]}", line)


def format_inline_code(text: str) -> str:
    text = escape_to_one_line(text)
    fence = "`" * (1 + max(map(len, re.findall("`+", text)), default=0))
    return f"{fence} {text} {fence}" if len(fence) > 1 else f"{fence}{text}{fence}"


class EscapingStream:
    """Text stream that escapes hidden characters.

    Rich writes control characters for its colours. It must write them directly to the wrapped stream, which it finds in
    the attribute `rich_proxied_file`.
    """

    def __init__(self, wrapped_stream: IO[str]) -> None:
        self.rich_proxied_file = wrapped_stream

    def write(self, text: str) -> int:
        self.rich_proxied_file.write(escape_hidden(text))
        return len(text)

    def writelines(self, lines: Iterable[str]) -> None:
        self.rich_proxied_file.writelines(map(escape_hidden, lines))

    def __getattr__(self, name: str) -> Any:
        return getattr(self.rich_proxied_file, name)


class EscapingLogRecord(logging.LogRecord):
    def __init__(self, *args: Any, **more: Any) -> None:
        super().__init__(*args, **more)
        if self.exc_info:
            self.exc_text = escape_hidden(logging.Formatter().formatException(self.exc_info))

    def getMessage(self) -> str:  # noqa: N802
        return escape_hidden(super().getMessage())


def escape_output() -> None:
    """Escape hidden characters in everything that this process prints or logs from now on."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if not isinstance(stream, EscapingStream):
            setattr(sys, name, EscapingStream(stream or _null_stream()))
    escape_logs()


def _null_stream() -> IO[str]:
    """Open /dev/null for writing, because a program can be started with stdout or stderr closed."""
    return os.fdopen(os.open(os.devnull, os.O_WRONLY), "w")


def escape_logs() -> None:
    logging.setLogRecordFactory(EscapingLogRecord)


def _format_code_point(character: str) -> str:
    return f"<U+{ord(character):04X}>"
