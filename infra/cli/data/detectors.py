"""Command `hallmark data detectors`: finds of the detectors that owners have added, and those that policy asks for."""

from typing import Annotated

from rich.table import Table

from infra.cli import run_argument, shared
from infra.cli.data.default_run import layout_of_run
from infra.cli.shared import console
from tasks.core.escaping import escape_to_one_line
from tasks.core.facts import Fact
from tasks.gates import run_detectors
from tasks.gates.run_detectors import DetectorFinds
from tasks.runs.run import governance_of_run, open_run


def detectors(
    run: Annotated[str | None, run_argument.OPTIONAL_RUN] = None,
    as_json: shared.Json = False,
) -> None:
    """Show what owners' detectors found in a run's sources, and where policy asks for one that is missing.

    Only counts are shown. `added` are finds that neither Hallmark's recognisers nor an earlier detector had.

    Example: hallmark data detectors 20260303-120000-a1b2
    """
    here = shared.open_checkout()
    named = run or layout_of_run(here.root, None, "split").root.name
    opened = open_run(here.root, named)
    policy = governance_of_run(here.root, opened.layout).policy
    found = run_detectors.read_run_detectors(here.ledger, opened.layout, opened.params, policy, named)
    if as_json:
        shared.print_json(found.model_dump(mode="json"))
        return
    if found.finds:
        _show(found.finds)
    else:
        console.print(
            f"run {found.run}: no source has a detector of its owner; Hallmark's recognisers read all of them"
        )
    console.print(_missing_text(found.missing))


def _show(finds: list[DetectorFinds]) -> None:
    table = Table("source", "detector", "kind", "SHA-256", "languages", "category", "found", "added", box=None)
    for each in finds:
        languages = escape_to_one_line(", ".join(each.languages)) or "all"
        row = (each.source, each.detector, each.kind, each.sha256[:12], languages, each.category)
        table.add_row(*row, f"{each.found:,}", f"{each.added:,}")
    console.print(table)


def _missing_text(missing: Fact | None) -> str:
    if missing is None:
        return "policy asks for no detector"
    if not missing.value:
        return "every detector that policy asks for is there"
    lines = (f"  {escape_to_one_line(line)}" for line in missing.note.split("; "))
    return "\n".join(["policy asks for detectors that are missing:", *lines, "add them to the sources: `detectors`"])
