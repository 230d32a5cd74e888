"""Command group `hallmark suites`: the evaluation suites of the governance folder, their adoption and results."""

import re
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from infra.cli import declaration_adoption, run_argument, shared
from infra.cli.data.default_run import layout_of_run
from infra.cli.shared import console
from tasks.core.errors import InputError, Refused
from tasks.core.escaping import escape_to_one_line
from tasks.core.files import read_stage_json, write_bytes
from tasks.core.formatting import format_share
from tasks.declarations import signing, status
from tasks.declarations.signed_declaration import DeclaredSuite, declare_suite
from tasks.runs.checkout import Checkout
from tasks.stages.evaluate.model_names import MODEL_TITLES
from tasks.stages.evaluate.suites import suite
from tasks.stages.evaluate.suites.results_schema import SuiteResult, SuiteResults
from tasks.stages.evaluate.suites.suite import EvaluationSuite
from tasks.stages.evaluate.uncertainty import Interval

STANDARD_SUITES = Path(__file__).parents[1] / "standard_suites"
ROWS = re.compile(r"\brows: \d+")
Names = Annotated[
    list[str] | None, typer.Argument(metavar="SUITE…", help="Names of suites; left out, all that wait for you.")
]


def list_suites(governance: shared.Governance = None, as_json: shared.Json = False) -> None:
    """List the evaluation suites, their owners and whether each is adopted.

    Example: hallmark suites list
    """
    here = shared.open_checkout(governance)
    now = status.read_status(here.ledger, here.governance)
    suites = suite.load_suites(here.governance.folder)
    states = {each.name: declaration_adoption.status_row(declare_suite(each), now, here.governance) for each in suites}
    if as_json:
        shared.print_json([_summary(each) | {"adopted": states[each.name]} for each in suites])
        return
    if not suites:
        console.print(
            f"no suite in {here.governance.folder / suite.FOLDER}; docs/guides/evaluation.md shows how to write one"
        )
        return
    table = Table(
        "suite", "version", "use case", "owner", "severity", "judge", "cases", "adoption", box=None, header_style="bold"
    )
    for each in suites:
        row = (each.name, str(each.version), each.use_case or "every", each.owner, each.severity, each.judge.kind)
        table.add_row(*row, _cases_text(each), escape_to_one_line(states[each.name]["text"]))
    console.print(table, soft_wrap=False)


def add(
    names: Annotated[
        list[str] | None, typer.Argument(metavar="SUITE…", help="Names of standard suites; left out, all.")
    ] = None,
    owner: Annotated[str, typer.Option(metavar="ID", help="Person who answers for the suites and adopts them.")] = "",
    rows: Annotated[
        int | None, typer.Option(metavar="N", min=1, max=10_000, help="Test rows that cases are derived from.")
    ] = None,
    governance: shared.Governance = None,
) -> None:
    """Copy standard evaluation suites to the governance folder, where they are yours to change.

    Example: hallmark suites add injection names --owner risk-officer --rows 20
    """
    here = shared.open_checkout(governance)
    known = {path.stem: path for path in sorted(STANDARD_SUITES.glob("*.yaml"))}
    if unknown := sorted(set(names or []) - known.keys()):
        raise InputError(f"{', '.join(map(repr, unknown))} is no standard suite; there are {', '.join(known)}")
    if here.governance.people.get(owner) is None:
        raise InputError(f"--owner: expected an id of people.yaml, got {owner!r}")
    folder = here.governance.folder / suite.FOLDER
    chosen = {name: folder / f"{name}.yaml" for name in dict.fromkeys(names or known)}
    if there := [name for name, path in chosen.items() if path.exists()]:
        raise InputError(f"{folder} has {', '.join(there)} already; remove the file to have the standard one again")
    for name, path in chosen.items():
        text = known[name].read_text().replace("owner: OWNER", f"owner: {owner}")
        write_bytes(path, (ROWS.sub(f"rows: {rows}", text) if rows else text).encode())
    console.print(f"{', '.join(chosen)} in {folder}; next: hallmark suites adopt --as {owner} --reason TEXT")


def adopt(
    reason: declaration_adoption.Reason,
    names: Names = None,
    who: shared.ActAs = None,
    governance: shared.Governance = None,
    as_json: shared.Json = False,
) -> None:
    """Show which keys of an evaluation suite differ from its last adoption, and sign the suite.

    Changed cases show as another `content`; git shows the cases themselves.

    Outside environment `local`, a run with gates asks only adopted suites. The owner of the suite signs, who must hold
    a role that decides at the evaluation gate.

    Example: hallmark suites adopt injection --as risk-officer --reason "read all cases"
    """
    here, person = shared.open_checkout(governance), shared.acting_person(who)
    declaration_adoption.show_and_sign(_suites_to_sign(names or [], here, person), here, person, reason, as_json)


def results(run: Annotated[str | None, run_argument.OPTIONAL_RUN] = None, as_json: shared.Json = False) -> None:
    """Show what share of each suite's cases the models of a run have passed.

    Example: hallmark suites results 20260303-120000-a1b2
    """
    here = shared.open_checkout()
    layout = layout_of_run(here.root, run, "suites")
    path = layout.artefacts("suites") / "suites.json"
    if not path.is_file():
        raise InputError(f"run {layout.root.name} has no {path.name}: it has not been through stage suites")
    found = SuiteResults.model_validate(read_stage_json(path))
    if as_json:
        shared.print_json(found.model_dump(mode="json"))
        return
    if not found.suites:
        console.print(f"run {layout.root.name} was asked no evaluation suite")
        return
    models = [which for which in MODEL_TITLES if any(which in each.scores for each in found.suites)]
    table = Table(
        "suite",
        "severity",
        "cases",
        *(f"{MODEL_TITLES[which].lower()} passed" for which in models),
        "gained",
        "lost",
        box=None,
        header_style="bold",
    )
    for each in found.suites:
        rates = [_rate_text(each.scores[which].rate) if which in each.scores else "" for which in models]
        table.add_row(each.name, each.severity, f"{each.cases:,}", *rates, *_pairs_text(each))
    console.print(table, soft_wrap=False)
    console.print(
        f"run {layout.root.name}; {format_share(found.confidence)} intervals; gained and lost: cases that only the "
        "candidate, or only the other model, has passed"
    )
    for each in found.suites:
        for failure in each.failures[:3]:
            console.print(escape_to_one_line(f"  {each.name}: {failure.case} ({failure.severity}): {failure.why}"))


def _rate_text(rate: Interval) -> str:
    return f"{rate.value:.3f} [{rate.low:.3f}, {rate.high:.3f}]"


def _pairs_text(result: SuiteResult) -> tuple[str, str]:
    others = [which for which in ("champion", "base") if which in result.comparisons]
    if not others:
        return "", ""
    compared = result.comparisons[others[0]]
    return f"{compared.gained} over {others[0]}", str(compared.lost)


def _cases_text(each: EvaluationSuite) -> str:
    derived = f"{each.derived.rows} rows × {len(each.derived.variants)}" if each.derived else ""
    return " + ".join(filter(None, (str(len(each.cases) or ""), derived)))


def _summary(each: EvaluationSuite) -> dict[str, object]:
    return each.model_dump(mode="json", exclude={"cases"}) | {"listed_cases": len(each.cases)}


def _suites_to_sign(names: list[str], here: Checkout, who: str) -> list[DeclaredSuite]:
    known = {each.name: declare_suite(each) for each in suite.load_suites(here.governance.folder)}
    if unknown := sorted(set(names) - known.keys()):
        place = Path(suite.FOLDER)
        raise InputError(f"{', '.join(map(repr, unknown))} is not in {place}/, which has {', '.join(known) or 'none'}")
    if names:
        return [known[name] for name in dict.fromkeys(names)]
    now, at = status.read_status(here.ledger, here.governance), here.ledger_time
    person = here.governance.require_actor(who, at)
    waiting = [each for each in known.values() if signing.is_signature_awaited(person, each, now, here.governance, at)]
    if waiting:
        return waiting
    raise Refused(f"no evaluation suite waits for {who}; `hallmark suites list` shows whose they are")
