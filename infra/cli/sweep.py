"""Command `hallmark sweep`."""

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from infra.cli import shared
from infra.cli.progress_display import ProgressDisplay
from infra.cli.shared import console
from infra.cli.terminal import LiteralConsole
from tasks.core.errors import Refused
from tasks.runs.requests.resolution import read_params

if TYPE_CHECKING:
    from tasks.sweep.document import SweepDocument


def sweep(
    over: Annotated[
        list[str],
        typer.Option("--over", metavar="KEY=VALUES", help="A training parameter: values with commas, or LOW..HIGH."),
    ],
    params: Annotated[Path | None, typer.Option("--params", metavar="FILE", help="Another params file.")] = None,
    changes: shared.Changes = None,
    trials: Annotated[
        int | None,
        typer.Option("--trials", min=1, metavar="N", help="Trials at most. [default: all combinations; 10 of a range]"),
    ] = None,
    whole: Annotated[bool, typer.Option("--whole", help="Stop no trial before its end.")] = False,
    as_json: shared.Json = False,
) -> None:
    """Train with different combinations of parameters on the rows of the last run, and report the best combination.

    The last run must have passed its data gate. The best trial has the lowest loss on the run's validation rows. After
    its second and its sixth validation, a trial continues only if it is among the best third of all trials that have
    reached the same validation. Results of finished trials are kept, so the command can be repeated after an
    interruption. A sweep opens no gate; to use its result, start a run with the best parameters.

    Example: hallmark sweep --over training.learning_rate=0.0005,0.001,0.002 --over training.lora_rank=8,16
    """
    from tasks.sweep import search_space  # slow: these import libraries for tables and models
    from tasks.sweep import sweep as rules

    here, given = shared.open_checkout(), shared.parse_changes(changes)
    file = params or here.root / "params.yaml"
    wish = rules.SweepRequest(
        search_space.parse_axes(over), lambda more: read_params(file, {**given, **more})[0], trials, not whole
    )
    with ProgressDisplay(LiteralConsole(stderr=True) if as_json else console) as screen:
        document = rules.run_sweep(here.root, wish, here.ledger, here.governance, screen)
    if as_json:
        best = document.best_trial.number if document.best_trial else None
        shared.print_json({**document.model_dump(mode="json"), "best": best})
    else:
        _show(document)
    if document.best_trial and not as_json:
        asked = ["hallmark", "run", "--as", "ID", *(("--params", str(params)) if params else ())]
        for key, value in {**given, **document.made_with, **document.best_trial.changes}.items():
            asked += ["--set", f"{key}={value}"]
        console.print(f"best: trial {document.best_trial.number}; a run with it, as the person ID: {shlex.join(asked)}")
    if document.best_trial is None:
        raise Refused(f"no trial came to an end; the first: {document.trials[0].failure}")


def _show(document: "SweepDocument") -> None:
    keys = list(document.trials[0].changes)
    table = Table("trial", *keys, "validation loss", "after step", "of", "seconds", "", box=None)
    for it in document.ranked_trials:
        outcome = it.outcome
        if outcome is None:
            figures = ("", "", "", "", it.failure)
        else:
            best, seconds = outcome.best_point, "" if outcome.seconds is None else f"{outcome.seconds:.0f}"
            steps = (f"{best['step']:,}", f"{outcome.points[-1]['step']:,}", seconds)
            figures = (f"{best['validation_loss']:.4f}", *steps, "stopped early" if outcome.stopped else "")
        table.add_row(str(it.number), *(it.changes[key] for key in keys), *figures)
    console.print(table)
    demo = ", whose data demo identities let pass" if document.demo else ""
    console.print(f"on the rows of run {document.run}{demo}")
