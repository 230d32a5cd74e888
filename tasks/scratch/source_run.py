"""Run whose rows are used outside of runs. It is the newest run of the use case, and its data gate must have passed."""

from collections.abc import Iterator

from tasks.consent import release_sources, withdrawals
from tasks.core.errors import InputError, Refused, Unavailable
from tasks.core.layout import EXPERIMENT_TIER, Layout
from tasks.core.params.params import Params
from tasks.ledger.ledger import Ledger
from tasks.policy.governance import Governance
from tasks.runs.requests import earlier_runs
from tasks.trust.gate_statement import GateStatement, read_authority, verify_gate


def newest_run_with_rows(params: Params, layout: Layout) -> Layout:
    """Return the newest run of the use case that has rows.

    Raises:
        Unavailable: There is no such run.
        InputError: The prompts in the parameters do not match the rows of the run.
    """
    for other, theirs in _runs_with_rows(params, layout):
        _require_prompts(params, theirs, other.root.name)
        return other
    raise Unavailable(
        f"no run of use case {params.use_case.name} has come as far as its rows yet; start one with `hallmark run`, "
        "and let its data pass at the data gate"
    )


def _runs_with_rows(params: Params, layout: Layout) -> Iterator[tuple[Layout, Params]]:
    for other in earlier_runs.find_earlier_runs(layout, params):
        same = other.params.use_case.name == params.use_case.name
        if same and (other.layout.artefacts("split") / "result.json").is_file():
            yield other.layout, other.params


def _require_prompts(params: Params, run_params: Params, run_id: str) -> None:
    """Verify that every task in the rows has the same kind in `params` as in the run.

    A task has either conversations or plain texts. Without this check, conversations could be trained on as plain
    texts.
    """
    for task, prompt in run_params.prompts.items():
        own = params.prompts.get(task)
        if own is None or (own.text_window is None) != (prompt.text_window is None):
            kind = "conversations" if prompt.text_window is None else "plain texts, with a text_window"
            raise InputError(
                f"prompts: expected a task {task} of {kind}, since run {run_id} has rows of it, got "
                f"{'none' if own is None else 'one of the other kind'}; put it back, or start a run with these prompts"
            )


def require_passed_data_gate(run: Layout, ledger: Ledger, governance: Governance) -> GateStatement:
    """Verify that a run's rows may be used for training, and return the gate statement that permits it.

    The statement is verified against the current policy and gate keys. The run's worktree is not trusted to name them.

    Raises:
        Refused: The data gate has not passed, or an owner has withdrawn a source.
    """
    name = run.root.name
    if reason := withdrawals.block_reason(ledger, governance, release_sources.sources_of_run(run)):
        raise Refused(f"run {name} may train nothing: {reason}")
    try:
        claim = verify_gate(run, "data", governance.gate_public_keys(ledger.now()), governance.policy.digest())
    except Refused as error:
        raise Refused(
            f"these trainings are on the rows of run {name}, and its data gate has not passed: {error}"
        ) from None
    if claim.verdict == "experiment" and read_authority(run).tier != EXPERIMENT_TIER:
        raise Refused(f"the data gate of run {name} is passed for experiments alone; `hallmark run` asks it")
    return claim
