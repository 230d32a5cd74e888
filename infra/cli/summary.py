"""Summary of a run for people. This module does not import Prefect, so that commands that only read stay fast."""

from collections.abc import Mapping

from rich.table import Table

from infra.cli import shared
from infra.cli.shared import console
from tasks.core.facts import Fact
from tasks.core.formatting import format_time
from tasks.runs.reporting.summary import Summary


def print_summary_json(summary: Summary) -> None:
    _print_unreadable(summary, as_json=True)
    shared.print_json(summary.model_dump(mode="json"))


def _print_unreadable(summary: Summary, as_json: bool) -> None:
    for problem in summary.unreadable:
        shared.print_notice(f"cannot be read, and is left out: {problem}", as_json)


def print_summary(summary: Summary, pages: str = "") -> None:
    """Print the outcome of a run, its metrics, and the commands to run next.

    `pages` is the address of the web console; empty if it is not running.
    """
    console.print()
    _print_unreadable(summary, as_json=False)
    if summary.metrics:
        console.print(scores_table(summary.scores))
        console.print()
        console.print(metrics_table(summary))
    for gate, line in summary.gates.items():
        if line.state == "waiting" and summary.status == "failed":
            console.print(f"the {gate} gate still waits for {'; '.join(line.waiting_for)}")
            console.print(f"  look:   hallmark gates show {summary.run} {gate}")
            console.print(f"  then:   hallmark run --resume {summary.run}")
        elif line.state == "waiting":
            console.print(f"waits at the {gate} gate for {'; '.join(line.waiting_for)}")
            console.print(f"  look:   hallmark gates show {summary.run} {gate}")
            console.print(f"  decide: hallmark gates approve {summary.run} {gate} --as ID --reason TEXT")
            if pages:
                console.print(f"  or on its page: {pages}/gates/{summary.run}/{gate}")
            console.print("the run is suspended: no process waits, and it goes on by itself once decided")
    ending = {
        "promoted": f"promoted: {summary.release} is champion",
        "unchanged": f"unchanged: every input equals that of champion {summary.release}",
        "experiment": "done: risk tier experiment, never promoted",
        "failed": f"stopped: {summary.error}",
        "unreadable": f"unreadable: {summary.error}",
        "interrupted": f"interrupted: its process is gone; go on: hallmark run --resume {summary.run}",
    }
    if summary.status in ending:
        console.print(ending[summary.status])
    if summary.cleaned_at:
        console.print(f"its files were removed by `hallmark clean` on {format_time(summary.cleaned_at)}")
    if summary.demo:
        console.print("demo approvals: demo identities decided; this release says so and counts in environment local")
    for label, value in (("report", summary.report), ("data docs", summary.data_docs)):
        if value:
            console.print(f"{label}: {value}")
    if summary.commit:
        console.print(f"commit: {summary.commit[:12]} on refs/hallmark/runs/{summary.run}")
    if summary.status == "promoted":
        console.print("look further: hallmark status · hallmark releases list · hallmark gates list --all")
        console.print("pages of runs, experiments and gates: hallmark up")


def scores_table(scores: Mapping[str, Mapping[str, Fact]]) -> Table:
    """Return a table of each model's scores.

    If the models answered different numbers of test rows, the table shows these numbers.
    """
    rows = {model: next(iter(figures.values())).note for model, figures in scores.items()}
    differ = len(set(rows.values())) > 1
    heads = [f"{model}, {rows[model]}" if differ else model for model in scores]
    table = Table("on the held-out rows", *heads, box=None, header_style="bold", pad_edge=False)
    for name in next(iter(scores.values()), {}):
        shown = (figures[name] for figures in scores.values())
        table.add_row(name, *(f"{fact.value:.3f} {fact.unit}".strip() + f" {_format_interval(fact)}" for fact in shown))
    return table


def metrics_table(summary: Summary) -> Table:
    """Return a table of the candidate's metrics that are not in `scores_table`."""
    table = Table("figure", "value", "interval", "how", box=None, header_style="bold", pad_edge=False)
    for name, fact in summary.metrics.items():
        if name not in summary.scores.get("candidate", {}):
            table.add_row(name, f"{fact.value:,.4g} {fact.unit}".strip(), _format_interval(fact), fact.note)
    return table


def _format_interval(fact: Fact) -> str:
    return f"[{fact.low:.3f}, {fact.high:.3f}]" if fact.low is not None and fact.high is not None else ""
