"""A dataset as its owners look at it: a line for each source, and what changed since the one approved last."""

from collections.abc import Callable, Iterator, Mapping

from rich.table import Table

from infra.cli.shared import console
from tasks.gates.checks.change import Change, Moved, SourceChange
from tasks.sources.dataset import SIDES, Dataset, Origin

MOST = 5
"""Departments, languages, kinds or settings told one by one where they differ; the others are counted."""


def show(dataset: Dataset, change: Change | None) -> None:
    """Print both."""
    table = Table(
        "source", "owner", "licence", "rows", "put aside", "protected", *SIDES, "content", box=None, header_style="bold"
    )
    for name, source in sorted(dataset.sources.items(), key=lambda item: (item[1].owner, item[0])):
        table.add_row(name, *_cells(source), change.sources[name].content if change else "")
    console.print(table)
    for line in _account(dataset, change):
        console.print(f"  {line}")


def _cells(source: Origin) -> list[str]:
    protected = sum(source.protected.values())
    return [
        source.owner,
        source.licence,
        f"{source.taken:,}",
        f"{source.aside_share:.1%}{_by_rule(source.aside)}",
        f"{protected:,} found" if protected else "",
        *(f"{source.rows[side]:,}" for side in SIDES),
    ]


def _by_rule(counts: Mapping[str, int]) -> str:
    """By rule, the most frequent first, in brackets."""
    said = [f"{name} {count:,}" for name, count in sorted(counts.items(), key=lambda item: (-item[1], item[0]))]
    return f" ({', '.join(said)})" if said else ""


def _account(dataset: Dataset, change: Change | None) -> Iterator[str]:
    """What is to be said of the dataset as a whole."""
    if change is None:
        yield f"rows: {', '.join(f'{side} {dataset.rows[side]:,}' for side in SIDES)}; no dataset was approved before"
        return
    yield f"compared with the dataset approved in run {change.run} ({change.subject_sha256[:12]}):"
    yield f"rows: {', '.join(f'{side} {_arrow(change.rows[side])}' for side in SIDES)}"
    for name, source in change.sources.items():
        if moved := list(_moves(source)):
            yield f"source {name}: {', '.join(moved)}"
    yield from _differing("put aside", change.quarantined, len(change.quarantined), _percent)
    for name in ("department", "language", "kind"):
        yield from _differing(name, change.segments[name])
    yield from _differing("settings", change.settings)


def _moves(source: SourceChange) -> Iterator[str]:
    """What changed of a source; that one was added stands in the table."""
    if source.content in ("added", "removed"):
        yield from ["removed"] * (source.content == "removed")
        return
    yield from (f"{name} {_arrow(pair)}" for name, pair in source.terms.items())
    for name, pair in (("rows", source.taken), ("in the dataset", source.rows)):
        if not pair.same:
            yield f"{name} {_arrow(pair)}"
    if not source.aside_share.same:
        yield f"put aside {_percent(source.aside_share)}"


def _differing(
    what: str, moved: Mapping[str, Moved], most: int = MOST, shown: Callable[[Moved], str] | None = None
) -> Iterator[str]:
    """What differs, in a line."""
    differ = [f"{name or 'none'} {(shown or _arrow)(pair)}" for name, pair in moved.items() if not pair.same]
    if differ:
        more = f" and {len(differ) - most} more, which --json has" * (len(differ) > most)
        yield f"{what}: {', '.join(differ[:most])}{more}"


def _arrow(pair: Moved) -> str:
    before, now = (f"{value:,}" if isinstance(value, int) else str(value) for value in (pair.before, pair.now))
    return now if pair.same else f"{before} → {now}"


def _percent(pair: Moved) -> str:
    return " → ".join(f"{float(value or 0):.1%}" for value in (pair.before, pair.now))
