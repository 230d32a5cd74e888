"""Command `hallmark evaluate errors`: wrong answers of a model in a run."""

from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from infra.cli import run_argument, shared
from infra.cli.data.default_run import layout_of_run
from infra.cli.shared import console
from tasks.core.errors import InputError
from tasks.core.escaping import escape_to_one_line
from tasks.core.formatting import format_count, format_share
from tasks.inquiry import access, wrong_answers
from tasks.inquiry.wrong_answers import ERROR_TITLES, ErrorKind, Wanted, WrongAnswer, WrongAnswers
from tasks.runs.run import governance_of_run
from tasks.stages.evaluate.model_names import ModelName


def errors(
    run: Annotated[str | None, run_argument.OPTIONAL_RUN] = None,
    model: Annotated[ModelName, typer.Option(help="Model whose answers to show.")] = "candidate",
    error: Annotated[ErrorKind | None, typer.Option(help="Only errors of this kind.")] = None,
    slices: Annotated[
        list[str] | None,
        typer.Option("--slice", metavar="FIELD=VALUE", help="Rows with this value of a field. May be repeated."),
    ] = None,
    label: Annotated[
        list[str] | None, typer.Option("--label", metavar="TEXT", help="Rows with this label. May be repeated.")
    ] = None,
    right_by: Annotated[
        ModelName | None, typer.Option("--right-by", help="Rows that this other model answered correctly.")
    ] = None,
    min_length: Annotated[int, typer.Option(min=0, help="Least length of the prompt, in characters.")] = 0,
    max_length: Annotated[int | None, typer.Option(min=0, help="Greatest length of the prompt, in characters.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="How many answers to show.")] = 20,
    to: Annotated[
        Path | None,
        typer.Option("--to", metavar="FILE", dir_okay=False, help="Write all of them to a file of JSON lines."),
    ] = None,
    who: shared.ActAs = None,
    as_json: shared.Json = False,
) -> None:
    """Show a model's wrong answers to the test rows, the most confident ones first.

    A row is shown only if you may see single records of its source. Fields are department, language, kind and source.

    Example: hallmark evaluate errors --slice language=de --right-by champion --as data-owner
    """
    root = shared.checkout_root()
    layout = layout_of_run(root, run, "evaluate")
    wanted = Wanted(
        [error] if error else (), _parse_slices(slices or []), label or (), right_by, min_length, max_length
    )
    looker = access.access_of_signer(governance_of_run(root, layout), shared.acting_person(who))
    found = wrong_answers.find_wrong_answers(layout, looker, model).select(wanted)
    shown = found.answers[:limit]
    if to:
        with shared.writable_path(to, wrong_answers.FILE_START) as path:
            found.write_lines(path)
    if as_json:
        document = found.model_dump(mode="json") | {"total": len(found.answers), "counts": found.count_by_kind()}
        shared.print_json(document | {"answers": [answer.model_dump(mode="json") for answer in shown]})
    elif not to:
        _show(found, shown)
    shared.print_notice(_count_line(found, len(shown), to), as_json)


def _parse_slices(given: list[str]) -> dict[str, list[str]]:
    values: dict[str, list[str]] = {}
    for text in given:
        name, separator, value = text.partition("=")
        if not separator:
            raise InputError(f"--slice: expected FIELD=VALUE, such as language=de, got {text!r}")
        values.setdefault(name, []).append(value)
    return values


def _show(found: WrongAnswers, shown: list[WrongAnswer]) -> None:
    table = Table("where", "error", "expected", "answer", "sure", "right by", "prompt", box=None, header_style="bold")
    for column in table.columns:
        column.overflow = "fold"
    for each in shown:
        sure = "" if each.confidence is None else format_share(each.confidence)
        cells = (f"{each.source}:{each.row}", ERROR_TITLES[each.error], each.expected, each.answer, sure)
        table.add_row(*map(escape_to_one_line, (*cells, ", ".join(each.right), each.prompt)))
    if shown:
        console.print(table, soft_wrap=False)
        counts = (f"{ERROR_TITLES[answer_kind]}: {count:,}" for answer_kind, count in found.count_by_kind().items())
        console.print(f"kinds of error: {', '.join(counts)}")


def _count_line(found: WrongAnswers, shown: int, to: Path | None) -> str:
    total = len(found.answers)
    rows = format_count(found.answered, "test row")
    parts = [f"run {found.run}: the {found.model} answered {rows}", f"{format_count(total, 'wrong answer')} found"]
    if found.withheld:
        parts.append(f"{found.withheld:,} more are to rows of sources that you may not look at")
    if to:
        parts.append(f"all are in {to}")
    elif shown < total:
        parts.append(f"shown are {shown:,}, and --to FILE writes all")
    return "; ".join(parts)
