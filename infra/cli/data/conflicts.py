"""Command `hallmark data conflicts`: pairs of contradicting records, side by side."""

from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table
from rich.text import Text

from infra.cli import run_argument, shared
from infra.cli.data.default_run import layout_of_run
from infra.cli.shared import console
from tasks.core.errors import InputError
from tasks.core.files import write_bytes
from tasks.core.formatting import format_share
from tasks.inquiry import access
from tasks.inquiry.conflicts import html_page, pairs
from tasks.inquiry.conflicts.pairs import Conflicts, Kind, Pair, PairRecord
from tasks.inquiry.conflicts.text_diff import DiffPiece, diff_texts
from tasks.runs.run import governance_of_run

PAGE_MODE = 0o600
"""File mode of the HTML page. The page contains customers' data, so only the owner of the file can read it."""


def conflicts(
    run: Annotated[str | None, run_argument.OPTIONAL_RUN] = None,
    undecided: Annotated[bool, typer.Option("--undecided", help="Only those that no rule decided.")] = False,
    paraphrased: Annotated[
        bool, typer.Option("--paraphrased", help="Only possible ones, whose prompts are alike in meaning.")
    ] = False,
    limit: Annotated[int, typer.Option(min=1, help="How many to show.")] = 20,
    html: Annotated[
        Path | None, typer.Option("--html", metavar="FILE", dir_okay=False, help="Write a page to read or print.")
    ] = None,
    who: shared.ActAs = None,
    as_json: shared.Json = False,
) -> None:
    """Show records that ask the same and have different targets, side by side.

    Pairs that ask the same in other words are found by a sentence model and come last. They may be no contradictions. A
    pair is shown only if you may see both of its sources.

    Example: hallmark data conflicts --undecided --as data-owner
    """
    if undecided and paraphrased:
        raise InputError("--undecided and --paraphrased are two lists; give one of them")
    kind: Kind = "undecided" if undecided else "paraphrased" if paraphrased else "all"
    root = shared.checkout_root()
    layout = layout_of_run(root, run, "deduplicate")
    looker = access.access_of_signer(governance_of_run(root, layout), shared.acting_person(who))
    listing = pairs.find_conflicts(layout, looker, limit, kind)
    if html:
        with shared.writable_path(html, b"<!doctype html>") as path:
            write_bytes(path, html_page.render_conflicts_page(listing).encode(), mode=PAGE_MODE)
    if as_json:
        shared.print_json(listing.model_dump(mode="json"))
    elif not html:
        _show(listing)
    shared.print_notice(f"{f'{html}: ' if html else ''}{_count_line(listing)}", as_json)


def _count_line(listing: Conflicts) -> str:
    more = f"; --limit {listing.total} shows all" if len(listing.pairs) < listing.total else ""
    withheld = f"; {listing.withheld:,} more are about sources that you may not look at" if listing.withheld else ""
    return f"{len(listing.pairs):,} of {listing.total:,} conflicts of run {listing.run}{more}{withheld}"


def _show(listing: Conflicts) -> None:
    for number, pair in enumerate(listing.pairs, start=1):
        console.print(f"{number}. {_describe(pair)}", style="bold")
        console.print(_table(pair), soft_wrap=False)
    if listing.pairs:
        console.print("What to do:")
        for line in html_page.REMEDIES:
            console.print(f"  {line}")


def _describe(pair: Pair) -> str:
    if pair.likeness is not None:
        return f"prompts {format_share(pair.likeness)} alike in meaning: possible contradiction, both are kept"
    undecided = "undecided, both are kept" if pair.went.kept else "undecided, neither is kept"
    verdict = f"decided, {pair.decided_by}" if pair.decided_by else undecided
    return f"prompts {format_share(pair.jaccard or 0)} alike: {verdict}"


def _table(pair: Pair) -> Table:
    sides = (pair.went, pair.other)
    prompts, targets = diff_texts(pair.went.prompt, pair.other.prompt), diff_texts(pair.went.target, pair.other.target)
    table = Table("", *map(_record_title, sides), box=None, header_style="bold", expand=True)
    table.columns[0].no_wrap = True
    for column in table.columns[1:]:
        column.ratio, column.overflow = 1, "fold"
    table.add_row("prompt", *map(_highlight, prompts))
    table.add_row("target", *map(_highlight, targets))
    table.add_row("owner", *(f"{side.owner}, authority {side.authority}" for side in sides))
    table.add_row("effective", *map(_date_text, sides))
    table.add_row("record", *(side.record_id for side in sides), end_section=True)
    return table


def _record_title(side: PairRecord) -> str:
    return f"{side.source_id}, row {side.row}{' (kept)' if side.kept else ''}"


def _date_text(side: PairRecord) -> str:
    return f"{side.effective_from or 'no date'}{f', retired {side.retired_at}' if side.retired_at else ''}"


def _highlight(pieces: list[DiffPiece]) -> Text:
    """Return the text with its differences in bold yellow. They are also in brackets, for terminals without colours."""
    text = Text()
    for piece in pieces:
        text.append(f"⟦{piece.text}⟧" if piece.differs else piece.text, style="bold yellow" if piece.differs else None)
    return text
