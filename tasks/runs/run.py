"""Runs: creating one, opening one, and the checks and commits of an open run."""

import os
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from tasks.code_versions import sign_off
from tasks.consent import release_sources, withdrawals
from tasks.core import files
from tasks.core.error_collector import ErrorCollector
from tasks.core.errors import InputError, Refused, Unavailable
from tasks.core.layout import Layout
from tasks.core.params.params import Params, load
from tasks.declarations import declarations
from tasks.declarations.signed_declaration import DeclaredDocument
from tasks.gates import agreement, record_chain, signed_request
from tasks.gates.signed_request import RecordedRunRequest, SignedRunRequest
from tasks.ledger.ledger import Ledger, open_ledger
from tasks.policy import governance, in_force
from tasks.policy.governance import Governance
from tasks.runs import run_entries
from tasks.runs.git import commit_tree
from tasks.runs.git.commit_tree import Tree
from tasks.runs.git.repository import Repository
from tasks.runs.outputs import dvc, dvc_lock
from tasks.runs.request import NO_RUN_MESSAGE, RunRequest, checked_run_id
from tasks.runs.requests import request_checks, signed_requests
from tasks.runs.requests.resolution import read_params, resolve
from tasks.sources import sources
from tasks.sources.sources import load_resolved
from tasks.trust import dsse

GENERATED_PATHS = ("artefacts", "measured", ".git", ".dvc/tmp", ".dvc/config.local", *dvc.FIXED_FILES)
"""Paths in a worktree besides the requested tree and COMMITTED_PATHS: outputs, which gates and packages digest, and
files that git and DVC need."""

COMMITTED_PATHS = ["params.yaml", "inputs", "dvc.lock", "gates", "evidence", *dvc.FIXED_FILES]
"""Paths that a run adds to its commits; its other files are kept by DVC or are measurements."""

GIT_REMOTE_VARIABLE = "HALLMARK_GIT_REMOTE"
"""Environment variable: name or URL of the git remote to which runs are pushed before they are suspended."""


@dataclass(frozen=True)
class Run:
    """Run with its signed request and its worktree; all paths of `layout` are in that worktree."""

    signed_request: RecordedRunRequest
    layout: Layout
    params: Params
    checkout: Repository

    @property
    def request(self) -> SignedRunRequest:
        return self.signed_request.request

    @property
    def id(self) -> str:
        return self.request.run_id

    @property
    def ref(self) -> str:
        return ref_of(self.id)

    def governance(self) -> Governance:
        """Return the installed governance, never what the run's own commit holds."""
        return installed_governance(self.checkout.root, self.request.governance)

    def ledger(self) -> Ledger:
        return open_ledger(self.layout.state)

    def require_unchanged(self) -> None:
        """Verify that the worktree still equals what was requested and resolved, and that people still approve of it.

        A stage is the run's own code and might write into this worktree or that of another run. Whatever it changed or
        left would then be executed although nobody requested it, so files that git ignores are compared too.

        Raises:
            Refused: The tree, the parameters or the inputs have changed, or the tree, a source or the card has to be
                adopted and is not.
            InputError: No run can be made from the commit.
        """
        asked = tree_of(self.checkout, self.request)
        if changed := asked.differing_paths(self.layout.root, (*COMMITTED_PATHS, *GENERATED_PATHS)):
            raise Refused(
                f"run {self.id} was asked for at commit {self.request.commit[:12]}, and its worktree has other files "
                f"now: {', '.join(changed[:5])}; start a new run"
            )
        read = [item.source for item in load_resolved(self.layout.sources).sources]
        if sign_off.is_required(self.governance(), self.params.use_case.risk_tier, read):
            sign_off.require_signed_off(self.ledger(), self.governance(), asked.sha256, self.request.commit)
        self._require_signed_off_still(asked.sha256)
        run_entries.record_resolution(self.ledger(), self.layout, self.id)
        declarations.require(self.ledger(), self.governance(), self.declarations())

    def _require_signed_off_still(self, tree_sha256: str) -> None:
        """Verify that the code of an experiment is still signed off, if the experiment began with signed-off code.

        The run was resolved with access that other code may not have.
        """
        if not self.layout.is_experiment or self.layout.has_unreviewed_code:
            return
        if not sign_off.is_signed_off(self.ledger(), self.governance(), tree_sha256):
            raise Refused(
                f"the sign-off of commit {self.request.commit[:12]}, with which run {self.id} began, was taken back or "
                "counts no more; start a new run"
            )

    def declarations(self) -> list[DeclaredDocument]:
        return declarations.of_run(self.layout, self.params, self.governance().policy)

    def require_agreement(self) -> None:
        """Verify that as many machines as policy demands have computed the same outputs.

        Raises:
            Refused: Too few machines have.
        """
        ledger, governed = self.ledger(), self.governance()
        records = record_chain.records_of_run(ledger, governed, self.id)
        machines = governed.policy.tier(self.params.use_case.risk_tier).machines
        agreement.require(machines, records, agreement.records_of_others(ledger, governed, self.id, records), self.id)

    def withdrawal(self) -> str | None:
        """Return why the run may not continue, if an owner has withdrawn one of its sources; else None."""
        return withdrawals.block_reason(self.ledger(), self.governance(), release_sources.of_run(self.layout))

    def commit(self, message: str) -> str:
        commit = self.checkout.commit_all(self.layout.root, COMMITTED_PATHS, message, self.request.requested_by)
        self.checkout.git("update-ref", self.ref, commit)
        return commit

    def push(self, first: bool = False) -> None:
        """Push what the run has made so far to the remotes that are set, so that another machine can continue the run.

        The ref is pushed last, so that everything it names is at the remote before. `first` replaces the ref of a
        machine that was killed at the beginning of the run.

        Raises:
            Unavailable: A remote cannot be reached.
        """
        try:
            dvc.push(self.layout)
            if remote := os.environ.get(GIT_REMOTE_VARIABLE):
                self.checkout.push(remote, self.ref, over=first)
        except Unavailable as error:
            raise Unavailable(
                f"run {self.id} is whole and committed here, but could not be pushed: {error}\nwhen the remote is "
                f"back: hallmark run --resume {self.id}"
            ) from error


def installed_governance(checkout: Path, proposed: str | None) -> Governance:
    """Return the governance that was adopted last, whatever is in infra/governance.

    Raises:
        Refused: Files are `proposed` in its place outside of environment `local`.
    """
    state = checkout / ".hallmark"
    adopted = in_force.load(checkout / "infra" / "governance", state, open_ledger(state))
    if proposed is None:
        return adopted
    proposed_files = governance.load(checkout / proposed, state)
    if {adopted.policy.environment, proposed_files.policy.environment} != {"local"}:
        raise Refused(
            f"--governance {proposed}: other governance files count in environment local only; here it is "
            f"{adopted.policy.environment}, there {proposed_files.policy.environment}. Have them signed off instead: "
            f"hallmark policy adopt {proposed}"
        )
    return proposed_files


def check_request(
    checkout: Repository, request: RunRequest, mistakes: ErrorCollector | None = None, elsewhere: bool = False
) -> tuple[Params, Governance]:
    """Verify everything about a request that can be known before its run starts.

    Commands call this so that a mistake shows at once, and the run calls it again. `mistakes` that the caller has found
    are reported with the others. `elsewhere` means that another machine will execute the run.

    Raises:
        InputError: Something is wrong; the message lists all mistakes.
        Refused: The run is not allowed; the message lists all reasons.
    """
    wrong = mistakes or ErrorCollector()
    judged_by = partial(installed_governance, checkout.root, request.governance)
    read = request_checks.check_request(checkout, request, judged_by, wrong, elsewhere)
    wrong.raise_errors()
    assert read.params and read.governance
    return read.params, read.governance


def create(root: Path, request: RunRequest, envelope: signed_requests.Envelope | None = None) -> Run:
    """Make the worktree and the first commit of a run, or open the run if it exists.

    The request is verified and recorded on the ledger before anything is made.

    Raises:
        InputError: The request is wrong.
        Refused: The envelope does not prove the request, or the run is not allowed.
    """
    checkout = Repository.open(root)
    layout = layout_of(root, request.known_run_id)
    if exists_here(layout):
        run_entries.require_continuable(open_ledger(layout.state), request.known_run_id)
        known = open_run(root, request.known_run_id)
        signed_requests.require_matching_request(known.signed_request, request, envelope)
        return known
    at_commit = request.model_copy(update={"commit": checkout.commit_of(request.commit or "HEAD")})
    _, governed = check_request(checkout, at_commit)
    ledger = open_ledger(layout.state)
    asked = signed_requests.verify_and_record(checkout, ledger, governed, request, envelope)
    code = tree_of(checkout, asked.request)
    checkout.add_worktree(layout.root, asked.request.commit)
    if changed := code.differing_paths(layout.root, GENERATED_PATHS):
        raise InputError(
            f"git changes {', '.join(changed[:5])} as it checks the commit out; take the filter or attribute (LFS, "
            "line endings) off these files, so that a run has what the commit holds"
        )
    dvc.require_own_dvc_yaml(layout)
    params, text = read_params(_params_file(checkout, layout, asked.request), request.changes)
    read = sources.load(governed.folder).sources
    if sign_off.is_required(governed, params.use_case.risk_tier, read):  # again, for the commit that was signed
        sign_off.require_signed_off(ledger, governed, code.sha256, asked.request.commit)
    files.write_bytes(layout.params, text.encode())
    dvc_lock.reset(layout.root)
    resolve(params, ledger, governed, layout, code.sha256)
    dvc.configure(layout)
    # Written last: a worktree without it is an interrupted one.
    dsse.write(layout.request, asked.envelope)
    run = Run(asked, layout, params, checkout)
    run.commit(f"Resolve run {run.id}: {params.use_case.name}")
    return run


def tree_of(checkout: Repository, request: SignedRunRequest) -> Tree:
    """Return the whole tree of a request's commit.

    Raises:
        Refused: The tree is not the one that was signed.
    """
    committed = commit_tree.read(checkout, request.commit)
    if committed.sha256 != request.tree_sha256:
        raise Refused(
            f"commit {request.commit[:12]} holds other files than {request.requested_by} signed for; `git fsck` tells "
            "what is wrong with this clone"
        )
    return committed


def _params_file(checkout: Repository, layout: Layout, request: SignedRunRequest) -> Path:
    if request.params_sha256 is None:
        return layout.root / request.params
    path = checkout.root / request.params
    if not path.exists() or files.sha256_file(path) != request.params_sha256:
        raise Refused(f"{request.params} is not what it was when {request.requested_by} asked for the run; ask anew")
    return path


def ref_of(run_id: str) -> str:
    return f"refs/hallmark/runs/{checked_run_id(run_id)}"


def layout_of(root: Path, run_id: str) -> Layout:
    """Return the layout of a run's worktree, which need not exist.

    Raises:
        InputError: `run_id` is not a valid run id. A path could lead to records under governance that nobody signed,
            whose rules of data access would then be believed.
    """
    return Layout(root.resolve() / ".hallmark" / "runs" / checked_run_id(run_id))


def open_run(root: Path, run_id: str) -> Run:
    """Open an existing run.

    Raises:
        InputError: There is no such run here.
        Refused: The ledger has no request for the run, or the worktree holds another one.
    """
    layout = layout_of(root, run_id)
    if not exists_here(layout):
        raise InputError(NO_RUN_MESSAGE.format(run_id))
    return Run(request_of_local_run(root, layout), layout, load(layout.params), Repository.open(root))


def exists_here(layout: Layout) -> bool:
    """Return whether a run is on this machine. A shared ledger also has the runs of other machines."""
    return layout.request.exists()


def governance_of(root: Path, layout: Layout) -> Governance:
    """Return the governance for a run's worktree, also for a run that was interrupted as it began."""
    return installed_governance(
        root, request_of_local_run(root, layout).request.governance if exists_here(layout) else None
    )


def request_of_local_run(root: Path, layout: Layout) -> RecordedRunRequest:
    """Return the recorded request of a run that is here.

    Raises:
        Refused: The ledger has no request for the run, or the worktree holds another one.
    """
    signed = recorded_request(root, layout.root.name)
    if signed is None or dsse.read(layout.request) != signed.envelope:
        raise Refused(f"{layout.request} is not the request that the ledger has; restore it from the run's commit")
    return signed


def recorded_request(root: Path, run_id: str) -> RecordedRunRequest | None:
    """Return the ledger's request for a run, verified under the governance that it names; None if there is none."""
    ledger = open_ledger(root.resolve() / ".hallmark")
    named = signed_request.named_governance(ledger, run_id)
    return signed_request.request_for_run(ledger, installed_governance(root, named), run_id)
