"""Command `hallmark new`."""

import re
import subprocess
import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from infra.cli import shared
from infra.cli.shared import console
from tasks.core.error_collector import ErrorCollector
from tasks.core.errors import InputError, Refused
from tasks.core.params.values import NAME_PATTERN
from tasks.core.steps.kinds import SOURCE_KINDS_IN_WORDS
from tasks.policy import people as people_file
from tasks.policy.governance import LOCAL_ENVIRONMENT
from tasks.scaffold import answers, data_file, mapping, paths, plan
from tasks.scaffold.answers import Answers
from tasks.scaffold.columns import ColumnProfile
from tasks.scaffold.data_file import DataFile
from tasks.scaffold.mapping import GuessedMapping, UnclearMapping
from tasks.scaffold.plan import Plan
from tasks.sources.protection import CATEGORIES, Category

MAX_NAME_LENGTH = 40
SPECIAL_PATH_PATTERN = re.compile(r"^[-:]|[*?\[\\]")
"""Pattern of paths that git would read as an option, as pathspec magic or as a glob."""
OptionalText = str | None


def new(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Name of the use case, and of its model.")],
    file: Annotated[str, typer.Option("--from", metavar="FILE", help=f"{SOURCE_KINDS_IN_WORDS}; gzip may pack it.")],
    owner: Annotated[
        OptionalText, typer.Option(metavar="ID", help="Person who answers for the data, and decides on it.")
    ] = None,
    licence: Annotated[OptionalText, typer.Option(metavar="TEXT", help="Licence of the data.")] = None,
    basis: Annotated[
        OptionalText, typer.Option(metavar="TEXT", help="Why it may be processed: its lawful basis.")
    ] = None,
    purpose: Annotated[
        OptionalText, typer.Option(metavar="TEXT", help="What the model is for, in one sentence.")
    ] = None,
    prompt: Annotated[OptionalText, typer.Option(metavar="COLUMN", help="Column with what is asked.")] = None,
    response: Annotated[
        list[str] | None,
        typer.Option(metavar="COLUMN", help="Column with the answer. May be repeated: one JSON object of several."),
    ] = None,
    personal: Annotated[
        list[str] | None,
        typer.Option(
            metavar="FIELD=CATEGORY",
            help="Field of a JSON answer that is personal by its purpose, e.g. artist=name. May be repeated.",
        ),
    ] = None,
    tier: Annotated[str, typer.Option(metavar="TIER", help="Risk tier of policy.yaml.")] = "limited",
    encoding: Annotated[OptionalText, typer.Option(metavar="NAME", help="Where it is guessed wrong.")] = None,
    delimiter: Annotated[OptionalText, typer.Option(metavar="CHARACTER", help="Where it is guessed wrong.")] = None,
    yes: Annotated[
        bool, typer.Option("--yes", help="Ask no question before it writes. A pipe and --json never ask.")
    ] = False,
    as_json: shared.Json = False,
) -> None:
    """Scaffold a use case in examples/NAME from a data file: parameters, sources, suites, policy and people.

    The command shows the values that it has guessed before it writes the files, and prints the next command afterwards.

    Example: hallmark new letters --from letters.csv --owner data-owner --licence CC0-1.0 --basis "no personal data"
    --purpose "name the topic of a letter"
    """
    root = shared.checkout_root()
    said = {"owner": owner, "licence": licence, "basis": basis, "purpose": purpose}
    form = {key: value for key, value in (("encoding", encoding), ("delimiter", delimiter)) if value}
    asks = not as_json and sys.stdin.isatty() and sys.stdout.isatty()
    data_file, mapped, known = _inspect_file(root, name, file, form, prompt, response or [], said, asks)
    known = known.model_copy(update={"personal": _personal_fields(personal, mapped, asks)})
    made = plan.make_plan(root, name, tier, known, data_file, mapped)
    if not as_json:
        _show(made, root)
        if asks and not yes and not typer.confirm(f"write {len(made.files)} files to {made.folder.relative_to(root)}?"):
            raise Refused("nothing was written")
    plan.write_plan(made)
    _print_next_steps(made, root, data_file, as_json)


def _inspect_file(
    root: Path, name: str, file: str, form: dict[str, str], prompt: OptionalText, response: list[str],
    said: dict[str, OptionalText], asks: bool,
) -> tuple[DataFile, GuessedMapping, Answers]:  # fmt: skip
    mistakes, looked, mapped, columns = ErrorCollector(), None, None, list[ColumnProfile]()
    with mistakes.collect():
        _require_name(name)
        paths.require_unused_name(root / paths.EXAMPLES_FOLDER / name)
    with mistakes.collect():
        location = paths.data_location(file, root)
        looked = data_file.inspect_file(name if NAME_PATTERN.fullmatch(name) else "new", location, root, form)
        columns = plan.profile_columns(looked)
    if columns:
        with mistakes.collect():
            mapped = _map_columns(columns, prompt, response, asks, mistakes)
    missing = list(answers.unanswered_questions(said))
    if missing and not asks:
        mistakes.add_input_error("\n".join(["nobody can be asked here, so say also:", *map(_option_line, missing)]))
    mistakes.raise_errors()
    assert looked is not None and mapped is not None  # else a mistake was found
    for question in missing:
        said[question.name] = _prompt(question, root)
    return looked, mapped, Answers.model_validate({key: (value or "").strip() for key, value in said.items()})


def _require_name(name: str) -> None:
    if not NAME_PATTERN.fullmatch(name) or len(name) > MAX_NAME_LENGTH:
        raise InputError(
            f"{name!r} cannot be a name; expected at most {MAX_NAME_LENGTH} lower-case letters, digits, - and _, such "
            "as letters-2026"
        )
    if name == plan.DATASET_SUITE:
        raise InputError(
            f"{name!r} cannot be a name: what is expected of all records together is called so, and the source needs a "
            "suite of its own; take another, such as letters-2026"
        )


def _map_columns(
    columns: list[ColumnProfile], prompt: OptionalText, response: list[str], asks: bool, mistakes: ErrorCollector
) -> GuessedMapping | None:
    try:
        return mapping.guess_mapping(columns, prompt, response)
    except UnclearMapping as unclear:
        names = ", ".join(column.name for column in columns if column.name)
        if not asks:
            mistakes.add_input_error(
                f"its columns do not say which is which ({names}); say {' and '.join(unclear.missing_options)}"
            )
            return None
        console.print(f"columns: {names}")
        prompt = prompt or typer.prompt("Which column is what is asked?")
        return mapping.guess_mapping(columns, prompt, response or [typer.prompt("Which column is the answer?")])


def _personal_fields(said: list[str] | None, mapped: GuessedMapping, asks: bool) -> dict[str, Category]:
    fields = mapped.columns_by_key.get("response")
    if said is None and asks and isinstance(fields, dict):
        console.print(f"fields of the answer: {', '.join(fields)}; categories: {', '.join(CATEGORIES)}", style="dim")
        said = [
            typer.prompt(f"{answers.PERSONAL_QUESTION.text} (e.g. {answers.PERSONAL_QUESTION.example})", default="")
        ]
    return answers.parse_personal(said or [])


def _option_line(question: answers.Question) -> str:
    return f"  {question.option} TEXT   {question.text} (e.g. {question.example})"


def _prompt(question: answers.Question, root: Path) -> str:
    if question.name == "owner":
        people = people_file.load_people(root / "infra" / "governance").people
        known = [each.id for each in people if not each.demo and "data_owner" in each.roles_at(None)]
        console.print(f"data owners: {', '.join(known) or 'none yet'}; another id is added with this role", style="dim")
    return str(typer.prompt(f"{question.text} (e.g. {question.example})"))


def _show(made: Plan, root: Path) -> None:
    table = Table("file", "guessed", "why", box=None, header_style="bold")
    for file in made.files:
        rows = file.guesses or [("as in the checkout", "")]
        for number, (what, why) in enumerate(rows):
            table.add_row(file.path if not number else "", what, why)
    console.print(f"{made.folder.relative_to(root)}/")
    console.print(table)
    for line in made.warnings:
        console.print(f"look: {line}")


def _print_next_steps(made: Plan, root: Path, looked: DataFile, as_json: bool) -> None:
    folder = made.folder.relative_to(root).as_posix()
    message = f"Use case {made.folder.name}"
    add = [folder, *([looked.source.location] if _is_untracked(root, looked.source.location) else [])]
    commands = [
        f"git add {' '.join(_shell_quote(_pathspec(path)) for path in add)} && git commit -m {_shell_quote(message)}",
        f"hallmark init --governance {folder}/governance",
        f"hallmark run --as {made.requester} --params {folder}/params.yaml --governance {folder}/governance",
    ]
    if made.environment != LOCAL_ENVIRONMENT:
        commands[1:] = [f"hallmark data adopt {made.folder.name} --as OWNER", commands[2].partition(" --governance")[0]]
    if as_json:
        written = [f"{folder}/{file.path}" for file in made.files]
        shared.print_json({"written": written, "look": made.warnings, "next": commands})
        return
    console.print(f"\nwritten: {folder}/. What it says `not said yet` of, say before anybody approves.")
    if len(add) > 1:
        console.print(f"{add[1]} lies in this checkout, so git keeps it for ever; data about people is better outside")
    if made.environment != LOCAL_ENVIRONMENT:
        console.print(
            f"In environment {made.environment} infra/governance alone counts: add the source to the sources.yaml "
            "there, and its suite, before you go on."
        )
    console.print("next:\n" + "\n".join(f"  {command}" for command in commands))


def _is_untracked(root: Path, location: str) -> bool:
    """Return whether the file is in the checkout, and git neither tracks nor ignores it.

    A run needs a checkout without such files.
    """
    if location.startswith("s3://") or Path(location).is_absolute():
        return False
    command = ["git", "status", "--porcelain", "--untracked-files=all", "--", f":(literal){location}"]
    result = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
    return bool(result.stdout.strip())


def _pathspec(path: str) -> str:
    return f":(literal){path}" if SPECIAL_PATH_PATTERN.search(path) else path


def _shell_quote(text: str) -> str:
    import shlex

    return shlex.quote(text)
