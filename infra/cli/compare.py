"""Command `hallmark compare`."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from infra.cli import shared
from infra.cli.progress_display import ProgressDisplay
from infra.cli.shared import console
from infra.cli.terminal import LiteralConsole
from tasks.core.errors import HallmarkError, InputError, Refused
from tasks.core.files import write_bytes
from tasks.runs.requests.resolution import read_params

if TYPE_CHECKING:
    from tasks.compare.document import ComparedModel, ComparisonDocument


def compare(
    file: Annotated[Path, typer.Argument(metavar="BASES.yaml", help="The base models to compare.")],
    params: Annotated[Path | None, typer.Option("--params", metavar="FILE", help="Another params file.")] = None,
    changes: shared.Changes = None,
    asked: Annotated[
        int | None, typer.Option("--rows", min=1, metavar="N", help="Rows that each is asked. [default: 100]")
    ] = None,
    trained_on: Annotated[
        int | None, typer.Option("--train-rows", min=1, metavar="N", help="Rows of the fine-tune. [default: 200]")
    ] = None,
    steps: Annotated[
        int | None, typer.Option("--steps", min=1, metavar="N", help="Its steps. [default: once through its rows]")
    ] = None,
    zero_shot_only: Annotated[bool, typer.Option("--zero-shot-only", help="Train nothing.")] = False,
    out: Annotated[
        Path | None, typer.Option("--out", metavar="DIR", help="Where the page goes. [default: .hallmark/compared]")
    ] = None,
    as_json: shared.Json = False,
) -> None:
    """Compare base models on the task: quality, languages, context, memory, latency, cost and policy.

    Each model answers the same rows, first without and then with a short fine-tuning. The rows are training rows of the
    last run that passed its data gate. Results of finished models are kept, so the command can be repeated after an
    interruption. The comparison is advice only: it opens no gate.

    Example: hallmark compare bases.yaml --rows 60 --steps 20
    """
    from tasks.compare import base_models, html_page  # slow: these import libraries for tables and models
    from tasks.compare import comparison as rules
    from tasks.compare.rows import RowCounts

    if zero_shot_only and (steps or trained_on):
        raise InputError("--zero-shot-only trains nothing: leave out --steps and --train-rows")
    here = shared.open_checkout()
    settings, _ = read_params(params or here.root / "params.yaml", shared.parse_changes(changes))
    wish = rules.ComparisonRequest(
        base_models.load_base_models(file), settings, RowCounts(asked, trained_on), steps, not zero_shot_only
    )
    target = (out or here.state / rules.COMPARISONS_FOLDER) / "comparison.html"
    if out:
        with shared.writable_path(target, b"<!doctype html>"):  # fail before the comparison, which takes long
            out.mkdir(parents=True, exist_ok=True)
    with ProgressDisplay(LiteralConsole(stderr=True) if as_json else console) as screen:
        document, found = rules.compare_base_models(here.root, wish, here.ledger, here.governance, screen)
    with shared.writable_path(target, b"<!doctype html>", in_state=out is None):
        write_bytes(target, html_page.render_page(document).encode())
    shared.print_json(document.model_dump(mode="json")) if as_json else _show(
        document, html_page.summarise_comparison(document)
    )
    shared.print_notice(f"page: {target}", as_json)
    _raise_failures(found.failures, document.best)


def _raise_failures(failures: dict[str, HallmarkError], best: str | None) -> None:
    for name, error in failures.items():
        raise type(error)(f"base model {name} was not compared: {error}")
    if best is None:
        raise Refused("policy allows none of these base models; `hallmark policy show` shows what it lists")


def _show(document: "ComparisonDocument", verdict: str) -> None:
    titles = [metric.title.lower() for metric in document.metrics]
    costs = ("p50", "p95", "USD / 1,000", "memory", "context", "policy")
    table = Table("base model", "state", *titles, *costs, box=None)
    for each in document.bases:
        for row in _rows(each, document):
            table.add_row(*row)
    console.print(table)
    for each in document.bases:
        for why in each.terms.objections():
            console.print(f"{each.name}: {why}")
    console.print(verdict)


def _rows(each: "ComparedModel", document: "ComparisonDocument") -> Iterator[tuple[str, ...]]:
    from tasks.compare.comparison import STATE_NAMES
    from tasks.compare.html_page import format_number, format_score

    policy = "allowed" if each.allowed else "not allowed"
    if not each.standings:
        yield (each.name, "not asked", *[""] * (len(document.metrics) + 5), policy)
    for state, standing in each.standings.items():
        measured = each.taken[state]
        yield (
            each.name,
            STATE_NAMES[state],
            *(format_score(standing.scores[metric.name], metric.unit) for metric in document.metrics),
            format_number(measured.latency_p50_ms, "ms"),
            format_number(measured.latency_p95_ms, "ms"),
            format_number(measured.cost_per_1000_requests),
            format_number(measured.peak_memory_gb, "GB"),
            format_number(each.context),
            policy,
        )
