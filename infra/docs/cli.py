"""Reference page of the commands of `hallmark`, generated from their `--help`."""

from collections.abc import Iterable, Iterator
from typing import Any

from typer.core import TyperCommand
from typer.main import get_command

from infra.cli import app, command_table
from infra.docs.markdown import markdown_table


def list_commands() -> Iterator[tuple[str, TyperCommand]]:
    """Yield each command with its name, for example "gates approve". The order is that of `--help`."""
    for name, command in get_command(app).commands.items():  # type: ignore[attr-defined]
        below = getattr(command, "commands", None)
        if below is None:
            yield name, command
        else:
            yield from ((f"{name} {sub}", each) for sub, each in below.items())


def render_page() -> str:
    every = [*list_commands()]
    overview = [
        f"### {title}\n\n{_overview([each for each in every if each[0].split()[0] in commands])}"
        for title, commands in command_table.SECTIONS.items()
    ]
    return "\n".join([INTRODUCTION, *overview, *(_command(name, command) for name, command in every)])


def _overview(commands: Iterable[tuple[str, TyperCommand]]) -> str:
    return markdown_table(
        ("command", "what it does"),
        ((f"[`hallmark {name}`](#hallmark-{name.replace(' ', '-')})", _summary(command)) for name, command in commands),
    )


INTRODUCTION = """# Commands

Every command that shows something takes `--json`. It then prints one JSON document and asks no question.

| exit code | meaning |
|---|---|
| 0 | done |
| 1 | the answer is no |
| 2 | the input is wrong |
| 3 | something that the command needs is away |

| verb | what it does |
|---|---|
| `list` | shows all of a kind |
| `show` | shows one |
| `find` | shows where something is |
| `diff` | shows the differences between two |
| `check` | says whether a file is valid |
| `verify` | computes digests and signatures again |
| `start`, `stop` | of servers and runs; `up` and `down` are for all servers of a checkout |
| `adopt` | signs something, so that it is in force |
| `withdraw` | takes back what was signed |
| `revoke` | ends a key, or the access of a person |

A noun in place of a verb, as in `data manifest`, shows what it names.

## Overview

The sections are those of `hallmark --help`.
"""


def _summary(command: TyperCommand) -> str:
    return (command.help or "").split("\n\n")[0]


def _command(name: str, command: TyperCommand) -> str:
    text, _, example = (command.help or "").partition("Example: ")
    parts = [f"## hallmark {name}\n", " ".join(text.split()) if "\n\n" not in text.strip() else text.strip(), ""]
    parts += [f"```\n{' '.join(example.split())}\n```\n"] if example else []
    rows = [_parameter(each) for each in command.params]
    return "\n".join([*parts, markdown_table(("argument or option", "what it says"), rows) if rows else ""])


def negative_option(option: Any) -> str:
    """Return the option that turns off a switch which is on by default, or an empty string for any other option."""
    return str(option.secondary_opts[0]) if option.default is True and option.secondary_opts else ""


def _parameter(each: Any) -> tuple[str, str]:
    metavar = str(each.metavar or each.name.upper())
    if not hasattr(each, "is_flag"):
        return f"`{metavar}`", each.help or ""
    switch = negative_option(each) or each.opts[0]
    typed = switch if each.is_flag else f"{switch} {metavar}"
    said = [each.help or "", "Required." * each.required]
    said += [f"Default: `{each.default}`."] if each.default not in (None, False, True, ()) else []
    return f"`{typed}`", " ".join(filter(None, said))
