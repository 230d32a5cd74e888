"""Commands whose modules are imported once they are asked for: to list them takes none, to run one takes its own."""

import errno
from collections.abc import Callable, Iterator, Mapping
from functools import wraps
from importlib import import_module
from typing import Any, Literal, NamedTuple, cast

import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command

from tasks.core.errors import InputError

OF_A_PATH = (errno.ENAMETOOLONG, errno.EACCES, errno.EROFS)
"""What a system says of a path that somebody typed, or made of a name that they typed; anything else it says is a
defect of Hallmark's where nothing tells it in words."""
MOST_SHOWN = 100
"""Characters of such a path."""


class Verb(NamedTuple):
    where: str
    """`module:function`, the module below infra.cli."""
    help: str
    """Its line in the list of commands; its own help is the function's docstring."""
    ledger: Literal["reads", "acts", "itself"] = "reads"
    """What it does on a ledger that somebody changed, for which that is looked at first (guard.py). `reads`: it shows
    what it has, under a warning, and exits with 1. `acts`: it refuses. `itself`: it asks no ledger, or looks on its
    own."""


class Verbs(NamedTuple):
    help: str
    verbs: dict[str, Verb]


class Commands(Mapping[str, Any]):
    """Commands by name; each is made, and its module imported, when it is taken out."""

    def __init__(self, verbs: Mapping[str, Verb | Verbs]) -> None:
        self.verbs = verbs
        self._made: dict[str, TyperCommand | TyperGroup] = {}

    def __getitem__(self, name: str) -> TyperCommand | TyperGroup:
        if name not in self._made:
            self._made[name] = _made(name, self.verbs[name])
        return self._made[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.verbs)

    def __len__(self) -> int:
        return len(self.verbs)


class Group(TyperGroup):
    """A group that lists its commands by their lines alone."""

    def __init__(self, verbs: Mapping[str, Verb | Verbs], **given: Any) -> None:
        super().__init__(**given)
        self.commands = cast(Any, Commands(verbs))

    def list_commands(self, ctx: Any) -> list[str]:
        return list(self.commands)

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        verbs = cast(Commands, self.commands).verbs
        with formatter.section("Commands"):
            formatter.write_dl([(name, verb.help) for name, verb in verbs.items()])


def whole(verbs: Mapping[str, Verb | Verbs]) -> type[TyperGroup]:
    """A class as `typer.Typer(cls=…)` takes one, of a group with these commands."""

    class Whole(Group):
        def __init__(self, **given: Any) -> None:
            super().__init__(verbs, **given)

    return Whole


def _made(name: str, declared: Verb | Verbs) -> TyperCommand | TyperGroup:
    if isinstance(declared, Verbs):
        return Group(declared.verbs, name=name, help=declared.help, no_args_is_help=True, rich_markup_mode=None)
    module, _, function = declared.where.partition(":")
    alone = typer.Typer(add_completion=False, rich_markup_mode=None)
    verb = _reached(getattr(import_module(f"infra.cli.{module}"), function))
    alone.command(name)(verb if declared.ledger == "itself" else _looked_at(verb, declared.ledger == "acts"))
    return cast(TyperCommand, get_command(alone))


def _reached(verb: Callable[..., None]) -> Callable[..., None]:
    """The verb, whose caller is told in words of a path that nothing can be at, or that is not theirs."""

    @wraps(verb)
    def tell(**given: Any) -> None:
        try:
            verb(**given)
        except OSError as error:
            if error.errno not in OF_A_PATH or not error.filename:
                raise
            path = str(error.filename)
            short = path if len(path) <= MOST_SHOWN else f"{path[:MOST_SHOWN]}… ({len(path):,} characters)"
            raise InputError(f"{short}: this path cannot be used ({error.strerror}); give another one") from None

    return tell


def _looked_at(verb: Callable[..., None], acts: bool) -> Callable[..., None]:
    """The verb, with a look at the ledger before it."""

    @wraps(verb)
    def look_first(**given: Any) -> None:
        from infra.cli import guard  # takes a database

        guard.run(lambda: verb(**given), acts)

    return look_first
