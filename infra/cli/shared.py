"""Code that many commands share: the checkout, the person who acts, and the output of documents and tables."""

import errno
import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from infra.checkout_folder import find_checkout_root
from infra.cli import table_layout
from infra.cli.table_layout import TableConsole
from tasks.core.errors import InputError, Unavailable, is_disk_full
from tasks.core.escaping import escape_to_one_line, escaped_json
from tasks.core.files import open_regular_file
from tasks.core.machine import locks
from tasks.core.params.values import NAME_PATTERN

if TYPE_CHECKING:
    from tasks.runs.checkout import Checkout

Json = Annotated[bool, typer.Option("--json", help="Print one JSON document and nothing else.")]
ActAs = Annotated[
    str | None, typer.Option("--as", metavar="ID", help="Person in people.yaml who acts. [env: HALLMARK_IDENTITY]")
]
Reason = Annotated[str, typer.Option(help="Why. The ledger keeps it.")]
Governance = Annotated[Path | None, typer.Option("--governance", metavar="DIR", help="Other governance files.")]
Changes = Annotated[
    list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Override a parameter. May be repeated.")
]

console = TableConsole(width=None if sys.stdout.isatty() else 160)
"""Console for all output. If the output is not a terminal, lines are 160 columns wide, so that tables fit."""


def checkout_root() -> Path:
    """Return the root folder of the checkout. The search starts at HALLMARK_ROOT, by default at the current folder."""
    return find_checkout_root(Path(os.environ.get("HALLMARK_ROOT", ".")), lambda text: print(text, file=sys.stderr))


def hold_editing_lock() -> AbstractContextManager[None]:
    """Hold the lock that a command needs to change files that people edit, such as people.yaml."""
    return locks.hold_exclusive_lock(
        checkout_root() / ".hallmark" / "editing.lock", "another command changes files of this checkout"
    )


def open_checkout(governance: Path | None = None) -> "Checkout":
    """Return the checkout with its ledger and governance. `governance` is the value of --governance."""
    from tasks.runs.checkout import Checkout  # needs the whole platform; verifying a release or an export does not

    return Checkout(checkout_root(), governance)


def print_table(header: list[str], rows: list[list[str]], empty_text: str) -> None:
    """Print a table, or the text `empty_text` if there are no rows.

    Lines are wrapped only if the terminal is too narrow, because wrapping 1,000 rows takes a third of a second.
    """
    if not rows:
        console.print(empty_text)
        return
    rows = [list(map(escape_to_one_line, row)) for row in rows]
    widths = [max(map(len, column)) for column in zip(header, *rows, strict=True)]
    if console.is_terminal and sum(widths) + table_layout.COLUMN_GAP * (len(widths) - 1) > console.width:
        table = Table(*header, box=None)
        for row in rows:
            table.add_row(*row)
        console.print(table)
        return

    def line(cells: list[str]) -> str:
        return "  ".join(cell.ljust(width) for cell, width in zip(cells, widths, strict=True)).rstrip()

    console.print(line(header), style="bold")
    print("\n".join(map(line, rows)))


def acting_person(option_value: str | None) -> str:
    """Return the id of the acting person, from --as or HALLMARK_IDENTITY.

    Raises:
        InputError: Neither is given, or it is not an id.
    """
    who = os.environ.get("HALLMARK_IDENTITY") if option_value is None else option_value
    if not who:
        raise InputError("who are you? Say --as ID, or set HALLMARK_IDENTITY, with an id of people.yaml")
    if not NAME_PATTERN.fullmatch(who):
        raise InputError(f"{who!r} is nobody in people.yaml; an id has lower-case letters, digits, - and _")
    return who


@contextmanager
def writable_path(path: Path, expected_start: bytes | None, in_state: bool = False) -> Iterator[Path]:
    """Yield the resolved path of a file to write, and raise write errors as InputError or Unavailable.

    Args:
        path: File to write.
        expected_start: First bytes of every file in its format. An existing file that begins differently is not
            replaced. None if the caller replaces no file.
        in_state: Whether the file may be in the checkout's .hallmark folder.

    Raises:
        InputError: The file cannot be written, or an existing file must not be replaced.
        Unavailable: The disk is full.
    """
    try:
        target = _resolve(path)
        if not in_state:
            require_outside_state(path)
        if target.exists() and not target.is_file():
            raise InputError(f"{path} is no file; give the path of one")
        if expected_start and target.exists() and not _begins_with(target, expected_start):
            raise InputError(f"{path} is there and is another kind of file; move it away, or name another")
        yield target
    except OSError as error:
        disk_full = is_disk_full(error)
        raise (Unavailable if disk_full else InputError)(
            f"{path}: cannot be written ({error.strerror or error})"
        ) from None


def require_outside_state(path: Path) -> None:
    """Raise InputError if a path from the command line leads into the checkout's .hallmark or .git folder."""
    target = _resolve(path)
    try:
        root = checkout_root()
    except InputError:  # there is no checkout, and so no state
        return
    for folder in (root / ".hallmark", root / ".git"):
        if target.is_relative_to(folder.resolve()):
            raise InputError(f"{path} lies in {folder}, which is not written by hand; name another place")


def _begins_with(path: Path, expected_start: bytes) -> bool:
    with open_regular_file(path) as file:
        first = file.read(100).lstrip()
    return not first or first.startswith(expected_start)


def _resolve(path: Path) -> Path:
    try:
        return path.resolve()
    except RuntimeError:  # raised for a loop of symbolic links before Python 3.13
        raise OSError(errno.ELOOP, os.strerror(errno.ELOOP)) from None


def print_notice(text: str, as_json: bool) -> None:
    """Print a notice. With --json it goes to stderr, so that stdout contains only the JSON document."""
    print(text, file=sys.stderr) if as_json else console.print(text, style="dim")


def parse_changes(changes: list[str] | None) -> dict[str, str]:
    """Return the values of --set KEY=VALUE by key.

    Raises:
        InputError: An argument of --set is not a key and a value.
    """
    return parse_pairs("--set", changes or [], "KEY=VALUE, e.g. --set training.epochs=2")


def parse_pairs(option: str, texts: Iterable[str], expected: str) -> dict[str, str]:
    """Return the values of an option whose arguments are `KEY=VALUE`, by key.

    Args:
        option: Name of the option, used in the error message.
        texts: Arguments of the option.
        expected: Description of an argument, used in the error message.

    Raises:
        InputError: An argument is not a key and a value.
    """
    pairs = {}
    for text in texts:
        key, equals, value = text.partition("=")
        if not equals or not key:
            raise InputError(f"{option} {text}: expected {expected}")
        pairs[key] = value
    return pairs


def print_json(value: Any) -> None:
    print(escaped_json(value, indent=2, default=str))
