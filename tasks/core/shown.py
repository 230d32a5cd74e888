"""Text as it may be shown: every character that a reader does not see, or that moves what they see, is spelled out.

A terminal obeys control characters, a browser or an editor those that turn the direction of writing, and some have no
width at all. In data, in a params file or in what a person signed they could rewrite the screen of whoever decides. So
whatever is shown goes through here, at the place where it leaves the program, and no caller has to think of it:

    terminal    infra/cli/terminal.py, for every command
    log         infra/prefect/runner.py and flows/lifecycle.py; a stage's own lines in tasks/runs/dvc.py
    error       tasks/core/errors.py, whose text reaches all of these and Prefect's pages
    page        tasks/core/pages.py, for every template
    JSON        `json_text`, for every document that is printed or written

What people write for others to read (params, sources, policy, people, reasons) is refused where it holds such
characters at all: tasks/core/config.py, tasks/gates/decisions.py.
"""

import json
import logging
import os
import re
import sys
from collections.abc import Iterable
from typing import IO, Any

HIDDEN = (
    "\x00-\x08\x0b-\x1f"  # control characters but tab and newline; \x1b begins what a terminal obeys
    "\x7f-\x9f"  # more of them
    "\xad"  # soft hyphen
    "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"  # which way text runs
    "\u180e\u200b-\u200d\u2060-\u2065\ufeff"  # no width
    "\u034f\u115f\u1160\u17b4\u17b5\u3164\uffa0"  # letters and marks that show as nothing, as in a name that is not one
    "\u2028\u2029"  # line and paragraph separators
    "\u206a-\u206f\ufff9-\ufffb"  # deprecated or for software alone
    "\ud800-\udfff"  # half a character: bytes that were no text
    "\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff"  # of shorthand and music; tags and selectors
)
_HIDDEN = re.compile(f"[{HIDDEN}]")
JOINERS = "\u200c\u200d"
"""Without width, but scripts and emoji need them: shown by their names, and allowed in what people write."""


def visible(text: str) -> str:
    """`text` with each hidden character by its name, `<U+001B>`. Newlines and tabs stay."""
    return _HIDDEN.sub(lambda match: _named(match[0]), text)


def one_line(text: str) -> str:
    r"""As `visible`, with newlines and tabs as `\n` and `\t`: a line of a log, a name, the subject of a message."""
    return visible(text).replace("\n", "\\n").replace("\t", "\\t")


def hidden(text: str) -> str | None:
    """The name of the first hidden character, joiners apart; None where `text` shows as it is."""
    match = _HIDDEN.search(text.translate(dict.fromkeys(map(ord, JOINERS))))
    return _named(match[0]) if match else None


def json_text(value: Any, **how: Any) -> str:
    """JSON with readable letters, and hidden characters by JSON's own escapes: it reads back as what it was."""
    text = json.dumps(value, ensure_ascii=False, **how)
    return _HIDDEN.sub(lambda match: json.dumps(match[0])[1:-1] if match[0] != "\x7f" else "\\u007f", text)


_MARKDOWN = re.compile(
    r"[\\`*|]"  # escapes, code, emphasis, cells of a table
    r"|(?<!\w)_|_(?!\w)|~(?=~)"  # emphasis too, but not within a word: the name of a figure stays as it is
    r"|\](?=[\[(:])"  # a link, an image, what a link refers to
    r"|<(?=[A-Za-z/!?])|&(?=#?\w+;)"  # HTML
    r"|^\s*(?:\d+(?=[.)]\s)|(?=[-+=#>~]))"  # a list, a heading, a quote
)


def markdown(text: str) -> str:
    """`text` as Markdown shows it literally, on one line: no heading, link, image or HTML comes of it."""
    line = " ".join(visible(text).split())
    return _MARKDOWN.sub(lambda match: f"{match[0]}\\" if match[0].isdigit() else f"\\{match[0]}", line)


def code(text: str) -> str:
    """`text` as a piece of code in Markdown, literally and on one line."""
    text = one_line(text)
    fence = "`" * (1 + max(map(len, re.findall("`+", text)), default=0))
    return f"{fence} {text} {fence}" if len(fence) > 1 else f"{fence}{text}{fence}"


class Stream:
    """A stream of text that shows what is written to it. Rich, which writes colours, finds what is beneath by name."""

    def __init__(self, beneath: IO[str]) -> None:
        self.rich_proxied_file = beneath

    def write(self, text: str) -> int:
        self.rich_proxied_file.write(visible(text))
        return len(text)

    def writelines(self, lines: Iterable[str]) -> None:
        self.rich_proxied_file.writelines(map(visible, lines))

    def __getattr__(self, name: str) -> Any:
        return getattr(self.rich_proxied_file, name)


class Record(logging.LogRecord):
    """A line of a log whose text, and whose traceback, may be shown."""

    def __init__(self, *args: Any, **more: Any) -> None:
        super().__init__(*args, **more)
        if self.exc_info:
            self.exc_text = visible(logging.Formatter().formatException(self.exc_info))

    def getMessage(self) -> str:  # noqa: N802
        return visible(super().getMessage())


def guard() -> None:
    """From now on this process prints and logs text as it may be shown, whatever code does it."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if not isinstance(stream, Stream):
            setattr(sys, name, Stream(stream or _nowhere()))
    guard_logs()


def _nowhere() -> IO[str]:
    """Where a program prints that was started with its stream closed."""
    return os.fdopen(os.open(os.devnull, os.O_WRONLY), "w")


def guard_logs() -> None:
    """The same of what it logs alone."""
    logging.setLogRecordFactory(Record)


def _named(character: str) -> str:
    return f"<U+{ord(character):04X}>"
