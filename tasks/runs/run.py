"""Creation and opening of runs; checks and commits of an open run."""

import os
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from tasks.code_versions import sign_off
from tasks.consent import release_sources, withdrawals
from tasks.core import files
from tasks.core.error_collector import ErrorCollector
from tasks.core.errors import InputError, Refused, Unavailable
from tasks.core.formatting import format_time
from tasks.core.layout import Layout
from tasks.core.params.params import Params, load_params
from tasks.declarations import declarations
from tasks.declarations.signed_declaration import DeclaredDocument
from tasks.gates import agreement, record_chain, signed_request
from tasks.gates.signed_request import RecordedRunRequest, SignedRunRequest
from tasks.ledger.ledger import Ledger, open_ledger
from tasks.policy import governance, in_force
from tasks.policy.governance import Governance
from tasks.runs import journal, run_entries, team_usage
from tasks.runs.git import commit_tree
from tasks.runs.git.commit_tree import CommitTree
from tasks.runs.git.repository import Repository
from tasks.runs.outputs import dvc, dvc_lock
from tasks.runs.request import NO_RUN_MESSAGE, RunRequest, require_run_id
from tasks.runs.requests import request_checks, signed_requests
from tasks.runs.requests.resolution import read_params, resolve_run
from tasks.sources import sources
from tasks.sources.resolved_sources import load_resolved
from tasks.suppression import in_force as suppressions
from tasks.trust import dsse

GENERATED_PATHS = ("artefacts", "measured", ".git", ".dvc/tmp", ".dvc/config.local", *dvc.FIXED_FILES)
"""Paths in a run's worktree that are not part of the requested commit: outputs of stages, and files of git and DVC. The
outputs are verified by digest at gates and when a release is packaged."""

COMMITTED_PATHS = ["params.yaml", "inputs", "dvc.lock", "gates", "evidence", *dvc.FIXED_FILES]
"""Paths that a run adds to its commits. All other files of a run are outputs, which DVC stores, or measurements."""

GIT_REMOTE_VARIABLE = "HALLMARK_GIT_REMOTE"
"""Environment variable with the name or URL of the git remote to which runs are pushed before they are suspended."""


@dataclass(frozen=True)
class Run:
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
        return run_ref(self.id)

    def governance(self) -> Governance:
        """Return the governance in force in the checkout. Governance files in the run's commit are ignored."""
        return installed_governance(self.checkout.root, self.request.governance)

    def ledger(self) -> Ledger:
        return open_ledger(self.layout.state)

    def require_unchanged(self) -> None:
        """Verify that the worktree still has the requested files and inputs, and that sign-offs are still valid.

        The code of a stage could change files in the worktree of this or another run, and a later stage would execute
        the changed code. Files that git ignores are therefore compared too.

        Raises:
            Refused: The tree, the parameters or the inputs have changed, or a required sign-off or adoption is missing.
            InputError: The commit has contents that are not allowed in a run.
        """
        asked = requested_tree(self.checkout, self.request)
        if changed := asked.differing_paths(self.layout.root, (*COMMITTED_PATHS, *GENERATED_PATHS)):
            raise Refused(
                f"run {self.id} was asked for at commit {self.request.commit[:12]}, and its worktree has other files "
                f"now: {', '.join(changed[:5])}; start a new run"
            )
        read = [item.source for item in load_resolved(self.layout.sources_path).sources]
        if sign_off.is_sign_off_required(self.governance(), self.params.use_case.risk_tier, read):
            sign_off.require_signed_off(self.ledger(), self.governance(), asked.sha256, self.request.commit)
        self._require_still_signed_off(asked.sha256)
        run_entries.record_resolution(self.ledger(), self.layout, self.id)
        declarations.require_in_force(self.ledger(), self.governance(), self.declarations())

    def _require_still_signed_off(self, tree_sha256: str) -> None:
        """Verify that an experiment's code is still signed off, if it was signed off when the experiment began.

        Such an experiment has access rights that unreviewed code does not get.
        """
        if not self.layout.is_experiment or self.layout.has_unreviewed_code:
            return
        if not sign_off.is_signed_off(self.ledger(), self.governance(), tree_sha256):
            raise Refused(
                f"the sign-off of commit {self.request.commit[:12]}, with which run {self.id} began, was taken back or "
                "counts no more; start a new run"
            )

    def declarations(self) -> list[DeclaredDocument]:
        return declarations.declarations_of_run(self.layout, self.params, self.governance().policy)

    def require_agreement(self) -> None:
        """Verify that as many machines as policy requires have computed identical outputs.

        Raises:
            Refused: Too few machines have computed identical outputs.
        """
        ledger, governed = self.ledger(), self.governance()
        records = record_chain.records_of_run(ledger, governed, self.id)
        machines = governed.policy.tier(self.params.use_case.risk_tier).machines
        agreement.require_agreement(
            machines, records, agreement.agreeing_records(ledger, governed, self.id, records), self.id
        )

    def withdrawal_reason(self) -> str | None:
        """Return why the run must stop if a source that it uses was withdrawn by its owner; None if none was."""
        return withdrawals.block_reason(self.ledger(), self.governance(), release_sources.sources_of_run(self.layout))

    def require_suppression(self) -> None:
        """Verify that the inputs are as they were recorded, and leave out everybody who is to be forgotten by now.

        Raises:
            Refused: They have changed, or somebody is to be forgotten since the run was resolved.
        """
        run_entries.record_resolution(self.ledger(), self.layout, self.id)
        suppressions.require_left_out(load_resolved(self.layout.sources_path).suppressed, self.ledger(), self.id)

    def commit_files(self, message: str) -> str:
        commit = self.checkout.commit_paths(self.layout.root, COMMITTED_PATHS, message, self.request.requested_by)
        self.checkout.run_git("update-ref", self.ref, commit)
        return commit

    def push_to_remotes(self, replace_ref: bool = False) -> None:
        """Push the outputs and the ref to the configured remotes, so that another machine can continue the run.

        The ref is pushed last, so that it never names outputs that the remote lacks.

        Args:
            replace_ref: Whether to replace an existing ref, which a machine can have left if it was killed at the
                beginning of the run.

        Raises:
            Unavailable: A remote cannot be reached.
        """
        try:
            dvc.push_outputs(self.layout)
            if remote := os.environ.get(GIT_REMOTE_VARIABLE):
                self.checkout.push_ref(remote, self.ref, replace=replace_ref)
        except Unavailable as error:
            raise Unavailable(
                f"run {self.id} is whole and committed here, but could not be pushed: {error}\nwhen the remote is "
                f"back: hallmark run --resume {self.id}"
            ) from error


def installed_governance(checkout: Path, proposed: str | None) -> Governance:
    """Return the governance that was adopted last, or the governance in the folder `proposed`.

    Changes in infra/governance have no effect until they are adopted.

    Raises:
        Refused: `proposed` is given outside of environment `local`.
    """
    state = checkout / ".hallmark"
    adopted = in_force.load_in_force(checkout / "infra" / "governance", state, open_ledger(state))
    if proposed is None:
        return adopted
    proposed_files = governance.load_governance(checkout / proposed, state)
    if {adopted.policy.environment, proposed_files.policy.environment} != {"local"}:
        raise Refused(
            f"--governance {proposed}: other governance files count in environment local only; here it is "
            f"{adopted.policy.environment}, there {proposed_files.policy.environment}. Have them signed off instead: "
            f"hallmark policy adopt {proposed}"
        )
    return proposed_files


def check_request(
    checkout: Repository, request: RunRequest, errors: ErrorCollector | None = None, on_other_machine: bool = False
) -> tuple[Params, Governance]:
    """Verify a run request, as far as this is possible before the run starts.

    Commands call this to report errors immediately, and the run calls it again.

    Args:
        checkout: Checkout in which the run is requested.
        request: Request to verify.
        errors: Collector with the errors that the caller has already found; they are reported with the new errors.
        on_other_machine: Whether another machine will execute the run.

    Raises:
        InputError: The request is not valid; the message lists all errors.
        Refused: The run is not allowed; the message lists all reasons.
    """
    wrong = errors or ErrorCollector()
    judged_by = partial(installed_governance, checkout.root, request.governance)
    read = request_checks.check_request(checkout, request, judged_by, wrong, on_other_machine)
    wrong.raise_errors()
    assert read.params and read.governance
    return read.params, read.governance


def create_run(root: Path, request: RunRequest, envelope: signed_requests.Envelope | None = None) -> Run:
    """Create the worktree and the first commit of a run, or open the run if it exists.

    The request is verified and recorded in the ledger before anything is created.

    Raises:
        InputError: The request is not valid.
        Refused: The signed request in `envelope` differs from `request`, or the run is not allowed.
    """
    checkout = Repository.open(root)
    layout = run_layout(root, request.required_run_id)
    if is_on_this_machine(layout):
        require_not_cleaned(layout)
        run_entries.require_compatible_version(open_ledger(layout.state), request.required_run_id)
        known = open_run(root, request.required_run_id)
        signed_requests.require_matching_request(known.signed_request, request, envelope)
        return known
    at_commit = request.model_copy(update={"commit": checkout.commit_id(request.commit or "HEAD")})
    params, governed = check_request(checkout, at_commit)
    ledger = open_ledger(layout.state)
    admit = partial(team_usage.admission_fields, ledger, governed.policy, params, request.required_run_id)
    asked = signed_requests.verify_and_record_request(checkout, ledger, governed, request, envelope, admit)
    code = requested_tree(checkout, asked.request)
    checkout.add_worktree(layout.root, asked.request.commit)
    if changed := code.differing_paths(layout.root, GENERATED_PATHS):
        raise InputError(
            f"git changes {', '.join(changed[:5])} as it checks the commit out; take the filter or attribute (LFS, "
            "line endings) off these files, so that a run has what the commit holds"
        )
    dvc.require_matching_dvc_yaml(layout)
    params, text = read_params(_params_file(checkout, layout, asked.request), request.changes)
    read = sources.load_sources(governed.folder).sources
    if sign_off.is_sign_off_required(
        governed, params.use_case.risk_tier, read
    ):  # again, for the commit that was signed
        sign_off.require_signed_off(ledger, governed, code.sha256, asked.request.commit)
    files.write_bytes(layout.params_path, text.encode())
    dvc_lock.reset_lock(layout.root)
    resolve_run(params, ledger, governed, layout, code.sha256)
    dvc.configure_dvc(layout)
    # Written last: a worktree without it is an interrupted one.
    dsse.write_envelope(layout.request_path, asked.envelope)
    run = Run(asked, layout, params, checkout)
    run.commit_files(f"Resolve run {run.id}: {params.use_case.name}")
    return run


def require_not_cleaned(layout: Layout) -> None:
    """Verify that the files of a run were not removed, so that it can go on or be looked into.

    Raises:
        Refused: They were removed.
    """
    known = journal.read_journal(layout.state, layout.root.name)
    if known and known.cleaned_at:
        raise Refused(
            f"run {known.run} has no files any more: `hallmark clean` removed them on {format_time(known.cleaned_at)}; "
            "start a new run, or name another"
        )


def requested_tree(checkout: Repository, request: SignedRunRequest) -> CommitTree:
    """Return the complete tree of a request's commit.

    Raises:
        Refused: The tree does not have the digest that was signed.
    """
    committed = commit_tree.read_tree(checkout, request.commit)
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


def run_ref(run_id: str) -> str:
    return f"refs/hallmark/runs/{require_run_id(run_id)}"


def run_layout(root: Path, run_id: str) -> Layout:
    """Return the layout of a run's worktree, which does not have to exist.

    Raises:
        InputError: `run_id` is not a valid run id. This prevents ids that are paths to other folders.
    """
    return Layout(root.resolve() / ".hallmark" / "runs" / require_run_id(run_id))


def open_run(root: Path, run_id: str) -> Run:
    """Open an existing run.

    Raises:
        InputError: The run is not in this checkout.
        Refused: The ledger has no request for the run, or its request differs from the one in the worktree.
    """
    layout = run_layout(root, run_id)
    if not is_on_this_machine(layout):
        raise InputError(NO_RUN_MESSAGE.format(run_id))
    return Run(request_of_local_run(root, layout), layout, load_params(layout.params_path), Repository.open(root))


def is_on_this_machine(layout: Layout) -> bool:
    """Return whether a run is on this machine. A shared ledger also contains runs on other machines."""
    return layout.request_path.exists()


def governance_of_run(root: Path, layout: Layout) -> Governance:
    """Return the governance of a run, even if the run was interrupted while it was created."""
    return installed_governance(
        root, request_of_local_run(root, layout).request.governance if is_on_this_machine(layout) else None
    )


def request_of_local_run(root: Path, layout: Layout) -> RecordedRunRequest:
    """Return the recorded request of a run on this machine.

    Raises:
        Refused: The ledger has no request for the run, or its request differs from the one in the worktree.
    """
    signed = find_recorded_request(root, layout.root.name)
    if signed is None or dsse.read_envelope(layout.request_path) != signed.envelope:
        raise Refused(f"{layout.request_path} is not the request that the ledger has; restore it from the run's commit")
    return signed


def find_recorded_request(root: Path, run_id: str) -> RecordedRunRequest | None:
    """Return a run's request from the ledger, or None. The request is verified under the governance that it names."""
    ledger = open_ledger(root.resolve() / ".hallmark")
    named = signed_request.requested_governance(ledger, run_id)
    return signed_request.request_for_run(ledger, installed_governance(root, named), run_id)
