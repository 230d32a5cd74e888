"""Diagnostics of a checkout's configuration: variables, params.yaml, dvc.yaml, governance, schedules and more."""

import difflib
import os
from collections.abc import Iterator
from pathlib import Path

from infra.doctor.finding import Finding
from infra.logs.settings import FILE_VARIABLE, FOREGROUND_VARIABLE, PROCESS_VARIABLE, log_format
from infra.prefect import notify
from tasks.core import graph
from tasks.core.params import params
from tasks.ledger import ledger, quick_check
from tasks.policy import in_force
from tasks.policy.tier import SCHEDULER
from tasks.registry.promote import promotion
from tasks.runs import installation
from tasks.runs.git.repository import Repository
from tasks.runs.request import RunRequest, new_run_id
from tasks.runs.run import check_request
from tasks.scheduling import deployments_check, deployments_in_force
from tasks.scheduling.occasion_log import OccasionLog
from tasks.sources import sources
from tasks.supervise.settings import COMMAND_VARIABLES, RUNNER_VARIABLES

VARIABLE_PREFIX = "HALLMARK_"
KNOWN_VARIABLES = {variable.name for variable in (*RUNNER_VARIABLES, *COMMAND_VARIABLES)}
MINIMUM_BY_VARIABLE = {"HALLMARK_WORKERS": 1, "HALLMARK_PREFECT_PORT": 0}
"""Minimum value of each environment variable that holds a whole number."""
INTERNAL_VARIABLES = {
    "HALLMARK_STARTED_BY", "HALLMARK_POOLED", PROCESS_VARIABLE, FILE_VARIABLE, FOREGROUND_VARIABLE, "HALLMARK_SHARED",
}  # fmt: skip
"""Known environment variables that are not settings. Hallmark sets all but the last one in the environment of processes
that it starts. The last one is read by tests and examples."""


def check_variables(_: Path) -> Iterator[Finding]:
    unknown = sorted(
        name
        for name in os.environ
        if name.startswith(VARIABLE_PREFIX) and name not in KNOWN_VARIABLES | INTERNAL_VARIABLES
    )
    for name in unknown:
        near = difflib.get_close_matches(name, KNOWN_VARIABLES, 1)
        yield Finding(
            f"{name} is set, and nothing reads it",
            f"set {near[0]} in its place, or unset it" if near else f"unset {name}",
        )
    for name, least in MINIMUM_BY_VARIABLE.items():
        value = os.environ.get(name, str(least))
        if not value.isdecimal() or int(value) < least:
            yield Finding(
                f"{name}: expected a number of at least {least}, got {value!r}", f"set {name} to a number, or unset it"
            )
    notify.configured_destination()
    log_format()
    given = sorted(name for name in os.environ if name in KNOWN_VARIABLES)
    yield Finding(f"set: {', '.join(given)}" if given else "all as they come")


def check_pipeline(root: Path) -> Iterator[Finding]:
    same = (root / "dvc.yaml").read_text("utf-8") == graph.render_dvc_yaml()
    yield Finding(
        "as tasks/core/graph.py has the stages" if same else "it has other stages than tasks/core/graph.py",
        "" if same else "python -m tasks.core.graph > dvc.yaml",
    )


def check_parameters(root: Path) -> Iterator[Finding]:
    """Validate params.yaml.

    Raises:
        InputError: The file is invalid. The message lists every error.
    """
    checked = params.load_params(root / "params.yaml")
    yield Finding(f"valid, use case {checked.use_case.name}, risk tier {checked.use_case.risk_tier}")


def check_governance(root: Path) -> Iterator[Finding]:
    """Report the governance in force, its differences from the files, and signs that the ledger was tampered with."""
    folder, state = root / "infra" / "governance", root / ".hallmark"
    known = ledger.get_ledger(state)
    if lost := known.loss_reason():
        yield Finding(lost, "put the database back, or move .hallmark/ away and hallmark restore BACKUP")
        return
    if not ledger.ledger_exists(state):
        yield Finding("nothing is in force yet", "hallmark init")
        return
    governed, chain = in_force.read_in_force(folder, state, known)
    yield Finding(f"environment {governed.policy.environment}, {len(chain.adoptions)} adoptions")
    for problem in (*chain.problems, in_force.difference_text(governed, chain.adoptions[-1].people)):
        if problem:
            yield Finding(problem, "hallmark policy show")
    unguarded = known.missing_guards()
    if unguarded:
        yield Finding(
            f"the ledger lacks triggers that keep it append-only: {', '.join(unguarded)}", "hallmark ledger verify"
        )
    if foreign := known.foreign_triggers():
        names = ", ".join(ascii(name) for name in foreign)
        yield Finding(
            f"the ledger's database has triggers or rules that are not Hallmark's: {names}",
            "find out who made them, and drop them",
        )
    for problem in quick_check.find_problems(known, governed):
        yield Finding(problem, "hallmark ledger verify")


def check_promotions(root: Path) -> Iterator[Finding]:
    folder, state = root / "infra" / "governance", root / ".hallmark"
    known = ledger.get_ledger(state)
    if known.loss_reason() or not ledger.ledger_exists(state):
        return
    governed = in_force.load_in_force(folder, state, known)
    unfinished = promotion.interrupted_releases(known, governed)
    for label in unfinished:
        yield Finding(f"the promotion of {label} is not finished", "hallmark up finishes or undoes it")
    unmirrored = promotion.unmirrored_champions(known, governed)
    for label in unmirrored:
        told = f"MLflow's aliases do not show {label} yet"
        yield Finding(told, "start MLflow; then hallmark up, or hallmark releases list, sets them")
    if not unfinished and not unmirrored:
        yield Finding("all finished")


def check_schedules(root: Path) -> Iterator[Finding]:
    """Report the adopted schedules and triggers, and problems with them.

    Raises:
        HallmarkError: Their runs cannot be requested, for example because the scheduler key is missing.
    """
    folder, state = root / "infra" / "governance", root / ".hallmark"
    known = ledger.get_ledger(state)
    if known.loss_reason() or not ledger.ledger_exists(state):
        return
    governed = in_force.load_in_force(folder, state, known)
    now = deployments_in_force.read_deployments(known, governed)
    if now.error_text:
        yield Finding(f"those in force cannot be read by this version: {now.error_text}", "install a later Hallmark")
        return
    if not now.deployments.named:
        yield Finding("none is in force")
        return
    governed.find_signer(SCHEDULER)
    found = deployments_check.find_uncommitted_edits(
        now.deployments, Repository.open(root), sources.load_sources(folder)
    )
    for each in dict.fromkeys(what for files in found.values() for what in files):
        yield Finding(f"{each} {deployments_check.UNCOMMITTED_MESSAGE}", "commit the edits, or take them back")
    for name in now.without_declarer:
        who = now.declared_by[name]
        yield Finding(f"{name} asks for no run: {who}, who declared it, holds no role any more", "hallmark deploy")
    paused_note = f", {len(now.pauses)} of them rest" if now.pauses else ""
    yield Finding(f"{len(now.deployments.named)} in force with their triggers{paused_note}")
    for taken in OccasionLog().update(known).pending_occasions(installation.installation_id(root)):
        yield Finding(f"run {taken.run} is asked for, and Prefect has not heard of it", "hallmark up hands it over")


def check_runs(root: Path) -> Iterator[Finding]:
    """Verify that a run with params.yaml could be requested now.

    Raises:
        HallmarkError: No run could be requested. For example, the code, a source or the use-case card is not adopted, a
            source is unavailable, or nobody may decide at a gate.
    """
    if not ledger.ledger_exists(root / ".hallmark") or ledger.get_ledger(root / ".hallmark").loss_reason():
        return
    checkout = Repository.open(root)
    asked = RunRequest(run_id=new_run_id(), requested_by=SCHEDULER, commit=checkout.commit_id("HEAD"))
    _, governed = check_request(checkout, asked)
    yield Finding(f"one of params.yaml can be asked for in environment {governed.policy.environment}")
