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
from tasks.core.own_packages import module_name

PATH_ERRORS = (errno.ENAMETOOLONG, errno.EACCES, errno.EROFS)
"""Operating-system error codes about a path that the user has typed.

They are reported as InputError. All other operating-system errors count as defects of Hallmark, unless the command
handles them.
"""


class Command(NamedTuple):
    target: str
    """Location of the command's function as `module:function`, with the module relative to infra.cli."""
    help: str
    """Help text in the list of commands. The command's own `--help` is the docstring of its function."""
    ledger: Literal["reads", "acts", "itself"] = "reads"
    """Behaviour if the ledger was tampered with, which ledger_check.py checks before the command runs.

    `reads`: the command shows the ledger's content below a warning and exits with code 1. `acts`: the command is
    refused. `itself`: there is no check, because the command needs no ledger or checks the ledger itself.
    """


class CommandGroup(NamedTuple):
    help: str
    commands: dict[str, Command]


class LazyCommands(Mapping[str, Any]):
    """Mapping of names to commands that imports a command's module on the first lookup."""

    def __init__(self, verbs: Mapping[str, Command | CommandGroup]) -> None:
        self.verbs = verbs
        self._made: dict[str, TyperCommand | TyperGroup] = {}

    def __getitem__(self, name: str) -> TyperCommand | TyperGroup:
        if name not in self._made:
            self._made[name] = _make_command(name, self.verbs[name])
        return self._made[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.verbs)

    def __len__(self) -> int:
        return len(self.verbs)


class LazyGroup(TyperGroup):
    """Command group that lists its commands with their help texts, without importing their modules."""

    def __init__(self, verbs: Mapping[str, Command | CommandGroup], **given: Any) -> None:
        super().__init__(**given)
        self.commands = cast(Any, LazyCommands(verbs))

    def list_commands(self, ctx: Any) -> list[str]:
        return list(self.commands)

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        verbs = cast(LazyCommands, self.commands).verbs
        with formatter.section("Commands"):
            formatter.write_dl([(name, verb.help) for name, verb in verbs.items()])


def group_class(verbs: Mapping[str, Command | CommandGroup]) -> type[TyperGroup]:
    class Whole(LazyGroup):
        def __init__(self, **given: Any) -> None:
            super().__init__(verbs, **given)

        def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
            return super().parse_args(ctx, old_spellings.replace_old(args))

    return Whole


def _make_command(name: str, declared: Command | CommandGroup) -> TyperCommand | TyperGroup:
    if isinstance(declared, CommandGroup):
        return LazyGroup(declared.commands, name=name, help=declared.help, no_args_is_help=True, rich_markup_mode=None)
    module, _, function = declared.target.partition(":")
    alone = typer.Typer(add_completion=False, rich_markup_mode=None)
    verb = _reporting_path_errors(getattr(import_module(module_name(f"infra.cli.{module}")), function))
    alone.command(name)(verb if declared.ledger == "itself" else _checking_ledger(verb, declared.ledger == "acts"))
    return cast(TyperCommand, get_command(alone))


def _reporting_path_errors(verb: Callable[..., None]) -> Callable[..., None]:
    @wraps(verb)
    def tell(**given: Any) -> None:
        try:
            verb(**given)
        except OSError as error:
            if error.errno not in PATH_ERRORS or not error.filename:
                raise
            short = format_path(error.filename)
            raise InputError(f"{short}: this path cannot be used ({error.strerror}); give another one") from None

    return tell


def _checking_ledger(verb: Callable[..., None], acts: bool) -> Callable[..., None]:
    @wraps(verb)
    def look_first(**given: Any) -> None:
        from infra.cli import ledger_check  # slow: imports the database library

        ledger_check.run_checked(lambda: verb(**given), acts)

    return look_first
