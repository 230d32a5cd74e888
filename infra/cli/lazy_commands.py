"""Lazy import of commands: listing them imports none of their modules, and running one imports only its own."""

import errno
from collections.abc import Callable, Iterator, Mapping
from functools import wraps
from importlib import import_module
from typing import Any, Literal, NamedTuple, cast

import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command

from infra.cli import old_spellings
from tasks.core.errors import InputError
from tasks.core.formatting import format_path
from tasks.core.own_packages import installed_module_name

PATH_ERRORS = (errno.ENAMETOOLONG, errno.EACCES, errno.EROFS)
"""Operating-system error codes that a path from the command line can cause.

They are reported as InputError. All other operating-system errors count as defects of Hallmark, unless the command
handles them.
"""


class Command(NamedTuple):
    target: str
    """Location of the command's function as `module:function`, with the module relative to infra.cli."""
    help: str
    """Help text in the list of commands. The command's own `--help` is the docstring of its function."""
    ledger: Literal["reads", "acts", "itself"] = "reads"
    """Behaviour if the ledger was tampered with. ledger_check.py checks the ledger before the command runs.

    `reads`: the command shows the ledger's content below a warning and exits with code 1. `acts`: the command is
    refused. `itself`: there is no check, because the command needs no ledger or checks the ledger itself.
    """


class CommandGroup(NamedTuple):
    help: str
    commands: dict[str, Command]


Commands = Mapping[str, Command | CommandGroup]
"""Commands and command groups by name."""


class LazyCommands(Mapping[str, Any]):
    """Mapping from names to commands. It imports a command's module when the command is first looked up."""

    def __init__(self, declarations: Commands) -> None:
        self.declarations = declarations
        self._made: dict[str, TyperCommand | TyperGroup] = {}

    def __getitem__(self, name: str) -> TyperCommand | TyperGroup:
        if name not in self._made:
            self._made[name] = _make_command(name, self.declarations[name])
        return self._made[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.declarations)

    def __len__(self) -> int:
        return len(self.declarations)


class LazyGroup(TyperGroup):
    """Command group that lists its commands with their help texts, without importing their modules.

    The list has a section for each key of `sections`.
    """

    def __init__(self, sections: Mapping[str, Commands], **given: Any) -> None:
        super().__init__(**given)
        self.sections = sections
        self.commands = cast(
            Any, LazyCommands({name: command for each in sections.values() for name, command in each.items()})
        )

    def list_commands(self, ctx: Any) -> list[str]:
        return list(self.commands)

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        width = max(map(len, self.commands))  # of all names, so that the help texts of all sections are aligned
        for title, commands in self.sections.items():
            with formatter.section(title):
                formatter.write_dl([(name.ljust(width), command.help) for name, command in commands.items()])


def make_group_class(sections: Mapping[str, Commands]) -> type[TyperGroup]:
    class Whole(LazyGroup):
        def __init__(self, **given: Any) -> None:
            super().__init__(sections, **given)

        def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
            return super().parse_args(ctx, old_spellings.replace_old_spelling(args))

    return Whole


def _make_command(name: str, declared: Command | CommandGroup) -> TyperCommand | TyperGroup:
    if isinstance(declared, CommandGroup):
        sections = {"Commands": declared.commands}
        return LazyGroup(sections, name=name, help=declared.help, no_args_is_help=True, rich_markup_mode=None)
    module, _, function = declared.target.partition(":")
    alone = typer.Typer(add_completion=False, rich_markup_mode=None)
    verb = _with_path_errors_reported(getattr(import_module(installed_module_name(f"infra.cli.{module}")), function))
    alone.command(name)(verb if declared.ledger == "itself" else _with_ledger_check(verb, declared.ledger == "acts"))
    return cast(TyperCommand, get_command(alone))


def _with_path_errors_reported(command: Callable[..., None]) -> Callable[..., None]:
    @wraps(command)
    def tell(**given: Any) -> None:
        try:
            command(**given)
        except OSError as error:
            if error.errno not in PATH_ERRORS or not error.filename:
                raise
            short = format_path(error.filename)
            raise InputError(f"{short}: this path cannot be used ({error.strerror}); give another one") from None

    return tell


def _with_ledger_check(command: Callable[..., None], acts: bool) -> Callable[..., None]:
    @wraps(command)
    def look_first(**given: Any) -> None:
        from infra.cli import ledger_check  # slow: imports the database library

        ledger_check.run_after_ledger_check(lambda: command(**given), acts)

    return look_first
