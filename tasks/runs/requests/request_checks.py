"""Checks of a run request before its run starts. All errors are reported together.

Every file is checked, even if another file is not valid. Checks that depend on a file with an error are skipped: for
example, the requester's permission can only be checked if the policy could be read.
"""

from collections.abc import Callable, Iterator
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
from tasks.ledger.ledger import Ledger, open_ledger
from tasks.policy import judge, staffing
from tasks.policy.governance import Governance
from tasks.policy.policy import SCHEDULER
from tasks.runs import abbreviated_ids
from tasks.runs.git import commit_tree
from tasks.runs.git.repository import Repository
from tasks.runs.request import RunRequest
from tasks.runs.requests import quick_checks
from tasks.runs.requests.commit_files import CommitFiles
from tasks.runs.requests.expected_failures import expected_failures
from tasks.runs.requests.resolution import read_params, require_adopted, require_known_owners
from tasks.runs.requests.source_resolution import check_sources
from tasks.sources import sources
from tasks.sources.sources import Sources, Suites
from tasks.stages.data.readers import content
from tasks.supervise import sandbox


class UseCaseFiles(NamedTuple):
    """Files of a use case. A file that could not be read is None."""

    params: Params | None
    governance: Governance | None
    sources: Sources | None
    suites: Suites | None


def check_request(
    checkout: Repository, asked: RunRequest, governance: Callable[[], Governance], mistakes: ErrorCollector,
    elsewhere: bool = False,
) -> UseCaseFiles:  # fmt: skip
    """Add all errors in a run request to `mistakes`, and return the files of the use case.

    If the request names no requester and there are other errors, the requester's permission is not checked. If the
    request names no commit, the current files of the checkout are checked.

    Args:
        checkout: Checkout in which the run is requested.
        asked: Request to check.
        governance: Function that returns the governance that applies, or raises HallmarkError.
        mistakes: Collector of errors.
        elsewhere: Whether another machine will execute the run and check its own hardware.
    """
    known = "requested_by" in asked.model_fields_set or not mistakes.errors
    folder = checkout.root / (asked.governance or Path("infra") / "governance")
    committed = CommitFiles(checkout, asked.commit) if asked.commit else None
    read = check_files(checkout.root, asked.params, asked.changes, folder, governance, mistakes, elsewhere, committed)
    if read.governance:
        ledger = open_ledger(read.governance.state)
        if asked.run_id:
            with mistakes.collect():
                abbreviated_ids.require_unambiguous(read.governance.state, asked.run_id)
        if known:
            _check_requester(asked, read, ledger.now(), mistakes)
        if not mistakes.errors:
            _check_outcome(checkout, asked, read, ledger, mistakes, elsewhere)
    if asked.demo_approvals and read.governance and not read.governance.local:
        with mistakes.collect():
            environment = read.governance.policy.environment
            raise Refused(f"--demo-approvals counts in environment local only; this is {environment}")
    return read


def check_files(
    root: Path, params: str, changes: dict[str, str], folder: Path, governance: Callable[[], Governance],
    mistakes: ErrorCollector, elsewhere: bool = True, committed: CommitFiles | None = None,
) -> UseCaseFiles:  # fmt: skip
    """Add all errors in a params file, in governance files and in the sources to `mistakes`.

    The files are read from `committed` if it is given, else from the checkout.
    """
    asked = governed = named = suites = None
    with mistakes.collect():
        asked = committed.params(params, changes) if committed else read_params(root / params, changes)[0]
    with mistakes.collect():
        governed = governance()
    with mistakes.collect():
        named = sources.load(governed.folder if governed else folder)
    if named:
        with mistakes.collect():
            suites = sources.load_suites(governed.folder if governed else folder, named)
        with mistakes.collect():
            check_sources(named, root, committed.open_source if committed else partial(content.open_content, root=root))
    for text in (*(quick_checks.check_tasks(asked, named) if asked and named else ()),
                 *(quick_checks.check_expectations(suites) if suites else ()),
                 *(_impossible_training(asked, root, elsewhere) if asked else ())):  # fmt: skip
        mistakes.add(text)
    if asked and governed:
        with mistakes.collect():
            governed.policy.tier(asked.use_case.risk_tier)
            require_known_owners(asked, governed)
    return UseCaseFiles(asked, governed, named, suites)


def _impossible_training(asked: Params, root: Path, elsewhere: bool) -> Iterator[str]:
    from tasks.runs.requests import training_estimate  # imports numpy, which most commands do not need

    yield from training_estimate.find_obstacles(asked, Layout(root), elsewhere)


def _check_requester(asked: RunRequest, read: UseCaseFiles, now: datetime, mistakes: ErrorCollector) -> None:
    assert read.governance
    governed = read.governance
    with mistakes.collect():
        if asked.requested_by != SCHEDULER:
            governed.actor(asked.requested_by, now)
        tier = read.params.use_case.risk_tier if read.params else None
        if tier in governed.policy.tiers:
            for who in sorted(asked.requesters):
                if refused := asking_rules.why_not(who, tier, governed.policy, governed.people, now):
                    raise Refused(refused)
            if read.sources:
                _require_passable(asked, tier, read.sources, governed, now)


def _require_passable(asked: RunRequest, tier: str, named: Sources, governed: Governance, now: datetime) -> None:
    gates, demo = governed.policy.tier(tier).gates, asked.demo_approvals
    own = [source.id for source in named.sources if source.owner in asked.requesters]
    who = " and ".join(sorted({source.owner for source in named.sources} & asked.requesters))
    if own and "data" in gates and gates["data"].asks_owners and not demo:
        raise InputError(
            f"{who} owns {', '.join(own)} and would have to approve that at the data gate of a run of "
            "their own; let somebody else ask for it"
        )
    owners = sorted({source.owner for source in named.sources})
    if problem := staffing.run_problem(governed.policy, governed.people, tier, asked.requesters, owners, demo, now):
        raise Refused(f"{problem}; let somebody else ask for the run, or change policy or people")


def _check_outcome(
    checkout: Repository, asked: RunRequest, read: UseCaseFiles, ledger: Ledger, mistakes: ErrorCollector,
    elsewhere: bool,
) -> None:  # fmt: skip
    params, governed, named, suites = read
    assert params and governed and named and suites
    gates = governed.policy.tier(params.use_case.risk_tier).gates
    with mistakes.collect():
        require_adopted(named, suites, params, ledger, governed)
    with mistakes.collect():
        expected_failures(params, named, ledger, governed, asked.demo_approvals)
    with mistakes.collect():
        sandbox.is_used(governed.policy.environment)
    if gates and not governed.local:
        with mistakes.collect():
            judge.require(governed.policy)
    required = sign_off.is_required(governed, params.use_case.risk_tier, named.sources)
    tried_here = params.use_case.risk_tier == EXPERIMENT_TIER and not elsewhere
    if required or tried_here:
        with mistakes.collect():
            commit = checkout.commit_of(asked.commit or "HEAD")
            tree_sha256 = commit_tree.read(checkout, commit).sha256
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
        training_estimate.require_no_cluster(params)
    except HallmarkError as error:
        raise Refused(
            f"{error}. The cluster at RAY_ADDRESS is for code that was signed off, and nobody signed this commit off: "
            "hallmark code adopt"
        ) from None
