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
from tasks.core.layout import EXPERIMENT_TIER
from tasks.core.params.values import NAME_PATTERN
from tasks.core.steps.kinds import SOURCE_KINDS_IN_WORDS
from tasks.policy import people as people_file
from tasks.policy.governance import LOCAL_ENVIRONMENT
from tasks.scaffold import answers, data_file, mapping, parameters, paths, plan
from tasks.scaffold.answers import Answers
from tasks.scaffold.columns import ColumnProfile
from tasks.scaffold.data_file import DataFile
from tasks.scaffold.mapping import GuessedMapping, UnclearMapping
from tasks.scaffold.plan import Plan
from tasks.sources.protection import CATEGORIES, Category

MAX_NAME_LENGTH = 40
DEFAULT_TIER = "limited"
SPECIAL_PATH_PATTERN = re.compile(r"^[-:]|[*?\[\\]")
"""Pattern of paths that git would read as an option, as pathspec magic or as a glob."""
OptionalText = str | None


def new(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Name of the use case, and of its model.")],
    file: Annotated[str, typer.Option("--from", metavar="FILE", help=f"{SOURCE_KINDS_IN_WORDS}; or a folder.")],
    test: Annotated[
        OptionalText,
        typer.Option(
            metavar="FILE", help="File with the same columns that is the whole test set. Else rows are held out."
        ),
    ] = None,
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
    tier: Annotated[
        OptionalText, typer.Option(metavar="TIER", help=f"Risk tier of policy.yaml. Default: {DEFAULT_TIER}.")
    ] = None,
    trial: Annotated[
        bool,
        typer.Option("--trial", help="Ask nothing, and use tier experiment: its runs ask nobody and promote nothing."),
    ] = False,
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
    asks = not as_json and not trial and sys.stdin.isatty() and sys.stdout.isatty()
    mistakes = ErrorCollector()
    if trial and tier not in (None, EXPERIMENT_TIER):
        mistakes.add_input_error(f"--trial uses risk tier {EXPERIMENT_TIER}; leave --tier {tier} out, or --trial")
    if trial:
        said = {key: value or default for (key, value), default in zip(said.items(), _trial_answers(root), strict=True)}
    files, mapped, known = _inspect_files(root, name, [file, test], form, prompt, response or [], said, asks, mistakes)
    known = known.model_copy(update={"personal": _personal_fields(personal, mapped, asks)})
    made = plan.make_plan(root, name, EXPERIMENT_TIER if trial else tier or DEFAULT_TIER, known, mapped, *files)
    if not as_json:
        _show(made, root)
        if asks and not yes and not typer.confirm(f"write {len(made.files)} files to {made.folder.relative_to(root)}?"):
            raise Refused("nothing was written")
    plan.write_plan(made)
    _print_next_steps(made, root, files, as_json)


def _trial_answers(root: Path) -> list[str]:
    """Return answers to QUESTIONS for a trial, in which nobody decides on them."""
    owners = [*_data_owners(root), "data-owner"]
    return [owners[0], parameters.UNKNOWN_TEXT, parameters.UNKNOWN_TEXT, "a trial"]


def _data_owners(root: Path) -> list[str]:
    people = people_file.load_people(root / "infra" / "governance").people
    return [each.id for each in people if not each.demo and "data_owner" in each.roles_at(None)]


def _inspect_files(
    root: Path, name: str, files: list[OptionalText], form: dict[str, str], prompt: OptionalText, response: list[str],
    said: dict[str, OptionalText], asks: bool, mistakes: ErrorCollector,
) -> tuple[list[DataFile], GuessedMapping, Answers]:  # fmt: skip
    """Return the data files, the mapping of the first one's columns, and the user's answers."""
    looked, profiles, mapped = list[DataFile](), list[list[ColumnProfile]](), None
    with mistakes.collect():
        _require_name(name)
        paths.require_unused_name(root / paths.EXAMPLES_FOLDER / name)
    for file in files:
        if file is not None:
            with mistakes.collect():
                location = paths.data_location(file, root)
                looked.append(
                    data_file.inspect_file(name if NAME_PATTERN.fullmatch(name) else "new", location, root, form)
                )
                profiles.append(plan.profile_columns(looked[-1]))
    if profiles:
        with mistakes.collect():
            mapped = _map_columns(looked[0], profiles[0], prompt, response, asks, mistakes)
    missing = list(answers.unanswered_questions(said))
    if missing and not asks:
        mistakes.add_input_error("\n".join(["nobody can be asked here, so say also:", *map(_option_line, missing)]))
    mistakes.raise_errors()
    assert looked and mapped is not None  # else a mistake was found
    if len(looked) > 1:
        mapped.remove_key("split", "the test file is the test set")
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
    file: DataFile, columns: list[ColumnProfile], prompt: OptionalText, response: list[str], asks: bool,
    mistakes: ErrorCollector,
) -> GuessedMapping | None:  # fmt: skip
    try:
        return mapping.guess_mapping(columns, prompt, response, file.has_documents)
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
        console.print(
            f"data owners: {', '.join(_data_owners(root)) or 'none yet'}; another id is added with this role",
            style="dim",
        )
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


def _print_next_steps(made: Plan, root: Path, files: list[DataFile], as_json: bool) -> None:
    folder = made.folder.relative_to(root).as_posix()
    message = f"Use case {made.folder.name}"
    locations = [file.source.location for file in files]
    add = [folder, *dict.fromkeys(location for location in locations if _is_untracked(root, location))]
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
    for location in add[1:]:
        console.print(
            f"{location} lies in this checkout, so git keeps it for ever; data about people is better outside"
        )
    if made.tier == EXPERIMENT_TIER:
        console.print(
            f"Runs of tier {EXPERIMENT_TIER} ask nobody and promote nothing. To go on to a release, set "
            f"use_case.risk_tier in {folder}/params.yaml to another tier of policy.yaml."
        )
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
