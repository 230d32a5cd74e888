"""Command `hallmark clean`."""

from typing import Annotated, Any

import typer

from infra.cli import shared
from infra.cli.shared import console
from infra.prefect import client, server
from tasks.cleanup import plan as plans
from tasks.cleanup import removal, run_files, tracked_runs
from tasks.cleanup.plan import Plan
from tasks.cleanup.removal import Removed
from tasks.core.formatting import format_bytes, format_count
from tasks.runs.checkout import Checkout

MAX_SHOWN_RUNS = 20


def clean(
    remove: Annotated[bool, typer.Option("--remove", help="Remove what is listed. Without it, nothing is.")] = False,
    as_json: shared.Json = False,
) -> None:
    """List the files that policy does not keep: of runs, in the caches, of MLflow and of Prefect, and remove them.

    Policy says with `keep_days` of a risk tier how long the files of a run stay after its end. In any case stay the
    files of a run that can go on or waits for people, or of which a release was made, and of the newest run of each use
    case with each status. Parameters, inputs, evidence and gate statements of a run stay for ever, and so does its
    history in git and in the ledger. You may repeat the command at any time.

    Example: hallmark clean --remove
    """
    here = shared.open_checkout()
    planned = plans.make_plan(here)
    if as_json and not remove:
        shared.print_json(_document(planned))
        return
    if not as_json:
        _print_plan(planned)
    if not remove:
        _say(as_json, "nothing was removed; to remove these files: hallmark clean --remove", planned)
        return
    removed = removal.carry_out(here, planned, lambda line: shared.print_notice(line, as_json))
    shown = _delete_shown_runs(here, planned, as_json)
    if as_json:
        shared.print_json({"runs": removed.runs, "bytes": removed.size} | shown)
    else:
        _print_removed(removed, shown)


def _delete_shown_runs(here: Checkout, planned: Plan, as_json: bool) -> dict[str, int | None]:
    """Delete the records in MLflow and Prefect, and return their numbers; None for Prefect if it is not up."""
    if not planned.cleaned:
        return {"mlflow_runs": 0, "flow_runs": 0}
    up, cleaned = server.find(here.root), set(planned.cleaned)
    if up is None:
        shared.print_notice("Prefect is not up, so its records stay until this command is repeated", as_json)
    return {
        "mlflow_runs": tracked_runs.delete_tracked_runs(here.root, cleaned),
        "flow_runs": client.delete_flow_runs(here.root, up, cleaned) if up else None,
    }


def _print_plan(planned: Plan) -> None:
    rows = [
        [each.journal.run, each.journal.use_case, each.journal.status, format_bytes(each.size)]
        for each in planned.runs[:MAX_SHOWN_RUNS]
    ]
    shared.print_table(["run", "use case", "status", "its files"], rows, "no run has files that policy does not keep")
    if len(planned.runs) > MAX_SHOWN_RUNS:
        console.print(f"and {format_count(len(planned.runs) - MAX_SHOWN_RUNS, 'other run')}; --json names all")
    console.print(f"cached outputs that only such runs use: {_amount(planned.cached.objects, 'file')}")
    console.print(f"checkpoints of trainings that nobody continues: {_amount(planned.checkpoints, 'folder')}")
    for reason, count in planned.kept.items():
        console.print(f"{format_count(count, 'run stays', 'runs stay')}: {reason}")


def _amount(paths: list[Any], noun: str) -> str:
    return f"{format_count(len(paths), noun)}, {format_bytes(run_files.size_in_bytes(paths))}" if paths else "none"


def _say(as_json: bool, text: str, planned: Plan) -> None:
    shared.print_notice(text if not planned.is_empty() else "there is nothing to remove", as_json)


def _print_removed(removed: Removed, shown: dict[str, int | None]) -> None:
    console.print(
        f"removed: files of {format_count(len(removed.runs), 'run')}, with the caches {format_bytes(removed.size)}, "
        f"{format_count(shown['mlflow_runs'] or 0, 'record')} in MLflow and "
        f"{format_count(shown['flow_runs'] or 0, 'flow run')} in Prefect"
    )


def _document(planned: Plan) -> dict[str, Any]:
    return {
        "runs": [
            {"run": each.journal.run, "use_case": each.journal.use_case, "status": each.journal.status,
             "bytes": each.size}
            for each in planned.runs
        ],
        "cached_files": {"count": len(planned.cached.objects), "bytes": run_files.size_in_bytes(planned.cached.paths)},
        "checkpoints": {"count": len(planned.checkpoints), "bytes": run_files.size_in_bytes(planned.checkpoints)},
        "kept": planned.kept,
    }  # fmt: skip
