"""Command `hallmark`, with one file for each command or group of commands.

command_table.py         table of all commands, with the module of each and its section of `--help`
old_spellings.py         earlier spellings of commands
lazy_commands.py         lazy import of a command's module, which happens when the command is called
shared.py                code that many commands share: the checkout, the person who acts, output
checked_output.py        standard output that reports its write errors
terminal.py              console that prints any text literally
table_layout.py          layout of tables
progress_display.py      progress display: a line for each finished step, and one for the step in progress
ledger_check.py          checks before a command that reads the ledger
run_argument.py          argument of commands that name a run
run_progress.py          progress of a run on the screen
teams.py                 `hallmark teams`, and the option --team of other commands
summary.py               summary of a run
dataset_table.py         table of a dataset
difference_tables.py     tables of the differences between two runs or releases
declaration_adoption.py  adoption of a declaration, with `hallmark data adopt`, `suites adopt` and `card adopt`
occasion_context.py      code that `hallmark deploy`, `hallmark schedule` and `hallmark trigger` share
release_context.py       ledger and governance for the commands about releases
environment_setup/       `hallmark init --environment NAME`
data/                    command group `hallmark data`
erase/                   command group `hallmark erase`
evaluate/                command group `hallmark evaluate`
gates/                   command group `hallmark gates`
labels/                  command group `hallmark labels`
review/                  command group `hallmark review`
releases/                command group `hallmark releases`

The exit code is 0 for success, 1 if the answer is no, 2 for wrong input, and 3 if something that the command needs is
unavailable. Errors that a user can fix are printed without a traceback.
"""

import gc
import os
import sys

import typer

from infra import loopback
from infra.cli import checked_output, command_table, lazy_commands
from tasks.core import escaping, files, own_packages
from tasks.core.errors import HallmarkError, InputError, Unavailable, is_disk_full

GC_THRESHOLDS = (20_000, 20, 20)
"""Thresholds of Python's garbage collector. With the default thresholds, garbage collection takes a fifth of the time
of a command's imports."""
DISK_FULL = "no space is left on a disk: on that of .hallmark/, or of /tmp; free some, and say the command again"

app = typer.Typer(
    name="hallmark",
    help="Fine-tune language models so that only what passed its gates reaches production.",
    cls=lazy_commands.make_group_class(command_table.SECTIONS),
    callback=lambda: None,  # typer needs one to make an app without commands a group
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


def main() -> None:
    """Run the command in `sys.argv`, and turn errors into a message and an exit code."""
    gc.set_threshold(*GC_THRESHOLDS)
    os.umask(files.STATE_UMASK)
    checked_output.install_checked_stdout()
    escaping.escape_output()
    loopback.bypass_proxy()
    try:
        try:
            app()
        finally:
            sys.stdout.flush()
    except BrokenPipeError:  # the reader of the output has ended, as in `| head`
        sys.exit(1)
    except Exception as error:
        known = error if isinstance(error, HallmarkError) else _to_hallmark_error(error)
        if known is None:
            raise
        print(f"hallmark: {known}", file=sys.stderr)
        sys.exit(known.exit_code)


def _to_hallmark_error(error: Exception) -> HallmarkError | None:
    if isinstance(error, ValueError) and (wrong := next(filter(_is_undecodable, sys.argv[1:]), None)):
        return InputError(f"{wrong}: this argument is not UTF-8, as all text is here; type it in UTF-8")
    if isinstance(error, OSError) and is_disk_full(error):
        return Unavailable(DISK_FULL)
    if isinstance(error, ModuleNotFoundError) and (why := own_packages.describe_missing_module(error, "this command")):
        return Unavailable(why)
    return None


def _is_undecodable(text: str) -> bool:
    """Return whether a string contains bytes that could not be decoded, which Python represents as surrogates."""
    return any("\ud800" <= character <= "\udfff" for character in text)
