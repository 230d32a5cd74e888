"""Checks of a run request before its run starts. All errors are reported together.

Every file is checked, even if another file is not valid. Checks that depend on a file with an error are skipped: for
example, the requester's permission can only be checked if the policy could be read.
"""

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import NamedTuple

from tasks.code_versions import sign_off
from tasks.core.error_collector import ErrorCollector
from tasks.core.errors import HallmarkError, InputError, Refused
from tasks.core.layout import EXPERIMENT_TIER, Layout
from tasks.core.params.params import Params
from tasks.gates.rules import run_request as asking_rules
from tasks.gates.signed_request import ENTRY_KIND
from tasks.ledger.ledger import Ledger, open_ledger
from tasks.policy import judge_install, staffing
from tasks.policy.governance import Governance
from tasks.policy.tier import SCHEDULER
from tasks.runs import abbreviated_ids, team_usage
from tasks.runs.git import commit_tree
from tasks.runs.git.repository import Repository
from tasks.runs.request import RunRequest
from tasks.runs.requests import quick_checks, synthetic_limits, template_checks
from tasks.runs.requests.commit_files import CommitFiles
from tasks.runs.requests.expected_failures import find_expected_failures
from tasks.runs.requests.resolution import read_params, require_adopted_declarations, require_known_owners
from tasks.runs.requests.source_resolution import check_sources
from tasks.sources import expectation_suites, sources
from tasks.sources.expectation_suites import Suites
from tasks.sources.sources import Sources
from tasks.stages.data.readers import content
from tasks.stages.evaluate.suites import listed_cases, suite
from tasks.stages.evaluate.suites.suite import EvaluationSuite
from tasks.supervise import sandbox


class UseCaseFiles(NamedTuple):
    """Files of a use case. A file that could not be read is None."""

    params: Params | None
    governance: Governance | None
    sources: Sources | None
    suites: Suites | None
    evaluation_suites: Sequence[EvaluationSuite]
    """Evaluation suites for the use case."""


def check_request(
    checkout: Repository, request: RunRequest, governance: Callable[[], Governance], errors: ErrorCollector,
    on_other_machine: bool = False,
) -> UseCaseFiles:  # fmt: skip
    """Add all errors in a run request to `errors`, and return the files of the use case.

    If the request names no requester and there are other errors, the requester's permission is not checked. If the
    request names no commit, the current files of the checkout are checked.

    Args:
        checkout: Checkout in which the run is requested.
        request: Request to check.
        governance: Function that returns the governance that applies, or raises HallmarkError.
        errors: Collector of errors.
        on_other_machine: Whether another machine will execute the run and check its own hardware and sandbox.
    """
    known = "requested_by" in request.model_fields_set or not errors.errors
    folder = checkout.root / (request.governance or Path("infra") / "governance")
    committed = CommitFiles(checkout, request.commit) if request.commit else None
    read = check_files(
        checkout.root, request.params, request.changes, folder, governance, errors, on_other_machine, committed
    )
    if read.governance:
        ledger = open_ledger(read.governance.state)
        if request.run_id:
            with errors.collect():
                abbreviated_ids.require_unambiguous_id(read.governance.state, request.run_id)
        if known:
            _check_requester(request, read, ledger.now(), errors)
        if not errors.errors:
            _check_approvals(checkout, request, read, ledger, errors, on_other_machine)
    if read.governance and read.params and not errors.errors:
        with errors.collect():
            _require_quota(request, read.governance, read.params)
    if request.demo_approvals and read.governance and not read.governance.is_local:
        with errors.collect():
            environment = read.governance.policy.environment
            raise Refused(f"--demo-approvals counts in environment local only; this is {environment}")
    return read


def check_files(
    root: Path, params: str, changes: dict[str, str], folder: Path, governance: Callable[[], Governance],
    errors: ErrorCollector, on_other_machine: bool = True, commit_files: CommitFiles | None = None,
) -> UseCaseFiles:  # fmt: skip
    """Add all errors in a params file, in governance files and in the sources to `errors`.

    The files are read from `commit_files` if it is given, else from the checkout.
    """
    asked = governed = named = suites = None
    evaluation_suites: Sequence[EvaluationSuite] = []
    with errors.collect():
        asked = commit_files.read_params(params, changes) if commit_files else read_params(root / params, changes)[0]
    with errors.collect():
        governed = governance()
    with errors.collect():
        named = sources.load_sources(governed.folder if governed else folder)
    if named:
        with errors.collect():
            suites = expectation_suites.load_suites(governed.folder if governed else folder, named)
        with errors.collect():
            check_sources(
                named, root, commit_files.open_source if commit_files else partial(content.open_content, root=root)
            )
    if asked:
        with errors.collect():
            every = suite.load_suites(governed.folder if governed else folder)
            evaluation_suites = suite.suites_of_use_case(every, asked.use_case.name)
        for why in listed_cases.find_unaskable_cases(evaluation_suites, asked.prompts, asked.evaluation):
            errors.add_input_error(why)
    for text in (*(quick_checks.find_tasks_without_prompt(asked, named) if asked and named else ()),
                 *(template_checks.find_template_faults(asked, named) if asked and named else ()),
                 *(template_checks.find_impossible_coverage(asked, named) if asked and named else ()),
                 *(synthetic_limits.find_untested_tasks(named) if named else ()),
                 *(quick_checks.find_unknown_expectations(suites) if suites else ()),
                 *(_training_obstacles(asked, root, on_other_machine) if asked else ())):  # fmt: skip
        errors.add_input_error(text)
    if asked and governed:
        with errors.collect():
            governed.policy.tier(asked.use_case.risk_tier)
            require_known_owners(asked, governed)
    return UseCaseFiles(asked, governed, named, suites, evaluation_suites)


def _training_obstacles(asked: Params, root: Path, elsewhere: bool) -> Iterator[str]:
    from tasks.runs.requests import training_estimate  # imports numpy, which most commands do not need

    yield from training_estimate.find_obstacles(asked, Layout(root), elsewhere)


def _check_requester(asked: RunRequest, read: UseCaseFiles, now: datetime, mistakes: ErrorCollector) -> None:
    assert read.governance
    governed = read.governance
    with mistakes.collect():
        if asked.requested_by != SCHEDULER:
            governed.require_actor(asked.requested_by, now)
        card = read.params.use_case if read.params else None
        if card and (tier := card.risk_tier) in governed.policy.tiers:
            for who in sorted(asked.requesters):
                if refused := asking_rules.refusal_reason(who, tier, card.name, governed.policy, governed.people, now):
                    raise Refused(refused)
            if read.sources:
                _require_passable_gates(asked, tier, read.sources, governed, now)


def _require_quota(asked: RunRequest, governed: Governance, params: Params) -> None:
    ledger = open_ledger(governed.state)
    account = team_usage.account_of_run(governed.policy, params)
    begun = asked.run_id and ledger.entries(ENTRY_KIND, asked.run_id)
    if account and not begun:
        team_usage.require_quota(ledger, governed.policy, account.team, asked.run_id or "")


def _require_passable_gates(asked: RunRequest, tier: str, named: Sources, governed: Governance, now: datetime) -> None:
    gates, demo = governed.policy.tier(tier).gates, asked.demo_approvals
    own = [source.id for source in named.sources if source.owner in asked.requesters]
    who = " and ".join(sorted({source.owner for source in named.sources} & asked.requesters))
    if own and "data" in gates and gates["data"].requires_owners and not demo:
        raise InputError(
            f"{who} owns {', '.join(own)} and would have to approve that at the data gate of a run of "
            "their own; let somebody else ask for it"
        )
    owners = sorted({source.owner for source in named.sources})
    if problem := staffing.run_staffing_problem(
        governed.policy, governed.people, tier, asked.requesters, owners, demo, now
    ):
        raise Refused(f"{problem}; let somebody else ask for the run, or change policy or people")


def _check_approvals(
    checkout: Repository, asked: RunRequest, read: UseCaseFiles, ledger: Ledger, mistakes: ErrorCollector,
    elsewhere: bool,
) -> None:  # fmt: skip
    params, governed, named, suites, evaluation_suites = read
    assert params and governed and named and suites
    gates = governed.policy.tier(params.use_case.risk_tier).gates
    with mistakes.collect():
        require_adopted_declarations(named, suites, evaluation_suites, params, ledger, governed)
    with mistakes.collect():
        find_expected_failures(params, named, ledger, governed, asked.demo_approvals)
    if not elsewhere:
        with mistakes.collect():
            sandbox.uses_sandbox(governed.policy.environment)
    if gates and not governed.is_local:
        with mistakes.collect():
            judge_install.require_accepted_judge(governed.policy)
    required = sign_off.is_sign_off_required(governed, params.use_case.risk_tier, named.sources)
    tried_here = params.use_case.risk_tier == EXPERIMENT_TIER and not elsewhere
    if required or tried_here:
        with mistakes.collect():
            commit = checkout.commit_id(asked.commit or "HEAD")
            tree_sha256 = commit_tree.read_tree(checkout, commit).sha256
            if required:
                sign_off.require_signed_off(ledger, governed, tree_sha256, commit)
            if tried_here and not sign_off.is_signed_off(ledger, governed, tree_sha256):
                _require_no_cluster(params)


def _require_no_cluster(params: Params) -> None:
    """Verify that a run with unreviewed code needs no cluster, because such code gets no access to one.

    Raises:
        Refused: A cluster is configured, and this machine lacks hardware or libraries that the parameters need.
    """
    from tasks.runs.requests import training_estimate  # as above

    try:
        training_estimate.require_works_without_cluster(params)
    except HallmarkError as error:
        raise Refused(
            f"{error}. The cluster at RAY_ADDRESS is for code that was signed off, and nobody signed this commit off: "
            "hallmark code adopt"
        ) from None
