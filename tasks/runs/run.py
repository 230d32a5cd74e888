"""Create, open and finish a run."""

import os
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from tasks.consent import consent, withdrawals
from tasks.core import files
from tasks.core.errors import InputError, Refused, Unavailable
from tasks.core.layout import Layout
from tasks.core.mistakes import Mistakes
from tasks.core.params.params import Params, load
from tasks.declarations import declarations
from tasks.declarations.signed_declaration import Declared
from tasks.gates import agreed, chain, signed_request
from tasks.gates.signed_request import Request, SignedRequest
from tasks.ledger.ledger import Ledger, open_ledger
from tasks.policy import governance, in_force
from tasks.policy.governance import Governance
from tasks.runs import asking, checking, dvc, dvc_lock, records, tree
from tasks.runs.repository import Repository
from tasks.runs.request import NO_RUN, RunRequest, checked_run_id
from tasks.runs.resolve import read_params, resolve
from tasks.runs.tree import Tree
from tasks.sources import sources
from tasks.sources.sources import load_resolved
from tasks.trust import dsse
from tasks.versions import versions

MADE = ("artefacts", "measured", ".git", ".dvc/tmp", ".dvc/config.local", *dvc.OURS)
"""What a run has in its worktree besides its commit: outputs, which gates and packages digest, and what git and DVC
need. All else there is the tree that was asked for."""

COMMITTED = ["params.yaml", "inputs", "dvc.lock", "gates", "evidence", *dvc.OURS]
"""What a run adds to its commit; everything else it makes is DVC's or measured."""

GIT_REMOTE = "HALLMARK_GIT_REMOTE"
"""Environment variable: name or URL of the git remote that runs are pushed to before they park."""


@dataclass(frozen=True)
class Run:
    """A run that can be worked on. All paths of `layout` are in its own worktree."""

    asked: SignedRequest
    layout: Layout
    params: Params
    checkout: Repository

    @property
    def request(self) -> Request:
        return self.asked.request

    @property
    def id(self) -> str:
        return self.request.run_id

    @property
    def ref(self) -> str:
        return ref_of(self.id)

    def governance(self) -> Governance:
        """The governance in force: the installed one, never what the run's own commit brings along."""
        return installed_governance(self.checkout.root, self.request.governance)

    def ledger(self) -> Ledger:
        return open_ledger(self.layout.state)

    def as_asked(self) -> None:
        """Raises Refused where the worktree no longer holds the tree that was asked for, or other parameters or inputs,
        and where that tree, its sources or its card have to be adopted and are not any more; InputError for a commit
        that no run is made of.

        A stage is the run's own code and may write there, and in the worktree of any other run; what it changed or
        left would run, and nobody asked for it. What git ignores counts too.
        """
        asked = tree_of(self.checkout, self.request)
        if changed := asked.differs(self.layout.root, (*COMMITTED, *MADE)):
            raise Refused(
                f"run {self.id} was asked for at commit {self.request.commit[:12]}, and its worktree has other files "
                f"now: {', '.join(changed[:5])}; start a new run"
            )
        read = [item.source for item in load_resolved(self.layout.sources).sources]
        if versions.are_asked(self.governance(), self.params.use_case.risk_tier, read):
            versions.require(self.ledger(), self.governance(), asked.sha256, self.request.commit)
        records.resolved(self.ledger(), self.layout, self.id)
        declarations.require(self.ledger(), self.governance(), self.declared())

    def declared(self) -> list[Declared]:
        """What it reads and asks of itself, as it was resolved."""
        return declarations.of_run(self.layout, self.params, self.governance().policy)

    def require_agreed(self) -> None:
        """Raises Refused where policy asks for more machines that make the same of a run than did."""
        ledger, governed = self.ledger(), self.governance()
        records = chain.of_run(ledger, governed, self.id)
        machines = governed.policy.tier(self.params.use_case.risk_tier).machines
        agreed.require(machines, records, agreed.of_run(ledger, governed, self.id, records), self.id)

    def held_back(self) -> str | None:
        """Why the run may not go on, where an owner has withdrawn a source of it; None where none has."""
        return withdrawals.held_back(self.ledger(), self.governance(), consent.resolved(self.layout))

    def commit(self, message: str) -> str:
        """Commit what the run has made so far on its ref, and return the commit."""
        commit = self.checkout.commit_all(self.layout.root, COMMITTED, message, self.request.requested_by)
        self.checkout.git("update-ref", self.ref, commit)
        return commit

    def push(self, first: bool = False) -> None:
        """Push what the run has made so far to where remotes are set, so that another machine can go on with it.

        `first`: in place of what a machine left that was killed as it began the run. The ref goes last: where it is,
        what it names is too. Raises Unavailable where a remote is away.
        """
        try:
            dvc.push(self.layout)
            if remote := os.environ.get(GIT_REMOTE):
                self.checkout.push(remote, self.ref, over=first)
        except Unavailable as error:
            raise Unavailable(
                f"run {self.id} is whole and committed here, but could not be pushed: {error}\nwhen the remote is "
                f"back: hallmark run --resume {self.id}"
            ) from error


def installed_governance(checkout: Path, proposed: str | None) -> Governance:
    """What was adopted last, whatever lies in infra/governance; `proposed` files count in environment `local` only."""
    state = checkout / ".hallmark"
    ours = in_force.load(checkout / "infra" / "governance", state, open_ledger(state))
    if proposed is None:
        return ours
    theirs = governance.load(checkout / proposed, state)
    if {ours.policy.environment, theirs.policy.environment} != {"local"}:
        raise Refused(
            f"--governance {proposed}: other governance files count in environment local only; here it is "
            f"{ours.policy.environment}, there {theirs.policy.environment}. Have them signed off instead: "
            f"hallmark policy adopt {proposed}"
        )
    return theirs


def check_request(
    checkout: Repository, request: RunRequest, mistakes: Mistakes | None = None, elsewhere: bool = False
) -> tuple[Params, Governance]:
    """Everything about a request that can be known before it starts. Raises InputError or Refused with all that is
    wrong, and with the `mistakes` that whoever asks has found. `elsewhere`: another machine will execute the run.

    Called by whoever asks, so that a mistake shows at once, and again by the run itself.
    """
    wrong = mistakes or Mistakes()
    judged_by = partial(installed_governance, checkout.root, request.governance)
    read = checking.request(checkout, request, judged_by, wrong, elsewhere)
    wrong.refuse()
    assert read.params and read.governed
    return read.params, read.governed


def create(root: Path, request: RunRequest, envelope: asking.Envelope | None = None) -> Run:
    """Make the run's worktree and its first commit, or open it where it is there already.

    Before anything is made, who asks is proven by the envelope and put on the ledger. Raises Refused where that fails.
    """
    checkout = Repository.open(root)
    layout = layout_of(root, request.named)
    if is_here(layout):
        records.require_goes_on(open_ledger(layout.state), request.named)
        known = open_run(root, request.named)
        asking.require_same(known.asked, request, envelope)
        return known
    at_commit = request.model_copy(update={"commit": checkout.commit_of(request.commit or "HEAD")})
    _, governed = check_request(checkout, at_commit)
    ledger = open_ledger(layout.state)
    asked = asking.take(checkout, ledger, governed, request, envelope)
    code = tree_of(checkout, asked.request)
    checkout.add_worktree(layout.root, asked.request.commit)
    if changed := code.differs(layout.root, MADE):
        raise InputError(
            f"git changes {', '.join(changed[:5])} as it checks the commit out; take the filter or attribute (LFS, "
            "line endings) off these files, so that a run has what the commit holds"
        )
    dvc.require_our_graph(layout)
    params, text = read_params(_params_file(checkout, layout, asked.request), request.changes)
    read = sources.load(governed.folder).sources
    if versions.are_asked(governed, params.use_case.risk_tier, read):  # of the commit that was signed for
        versions.require(ledger, governed, code.sha256, asked.request.commit)
    files.write_bytes(layout.params, text.encode())
    dvc_lock.begin(layout.root)
    resolve(params, ledger, governed, layout, code.sha256)
    dvc.configure(layout)
    # Written last, so without it what lies there was interrupted and holds nothing finished.
    dsse.write(layout.request, asked.envelope)
    run = Run(asked, layout, params, checkout)
    run.commit(f"Resolve run {run.id}: {params.use_case.name}")
    return run


def tree_of(checkout: Repository, request: Request) -> Tree:
    """All that the commit of a request holds. Raises Refused where that is not what was signed."""
    committed = tree.read(checkout, request.commit)
    if committed.sha256 != request.tree_sha256:
        raise Refused(
            f"commit {request.commit[:12]} holds other files than {request.requested_by} signed for; `git fsck` tells "
            "what is wrong with this clone"
        )
    return committed


def _params_file(checkout: Repository, layout: Layout, request: Request) -> Path:
    """The params file that was signed: the commit's, else the checkout's where that still is what it was."""
    if request.params_sha256 is None:
        return layout.root / request.params
    path = checkout.root / request.params
    if not path.exists() or files.sha256_file(path) != request.params_sha256:
        raise Refused(f"{request.params} is not what it was when {request.requested_by} asked for the run; ask anew")
    return path


def ref_of(run_id: str) -> str:
    """Where git has what a run made."""
    return f"refs/hallmark/runs/{checked_run_id(run_id)}"


def layout_of(root: Path, run_id: str) -> Layout:
    """Where a run lies, if there is one. Raises InputError for what is no run's id: a path would lead to records under
    rules that nobody signed, and what those say of access would be believed."""
    return Layout(root.resolve() / ".hallmark" / "runs" / checked_run_id(run_id))


def open_run(root: Path, run_id: str) -> Run:
    """A run that was created before. Raises InputError for an unknown id, Refused as `asked_for`."""
    layout = layout_of(root, run_id)
    if not is_here(layout):
        raise InputError(NO_RUN.format(run_id))
    return Run(asked_for(root, layout), layout, load(layout.params), Repository.open(root))


def is_here(layout: Layout) -> bool:
    """Whether a run is on this machine; the ledger may be one that several share."""
    return layout.request.exists()


def governance_of(root: Path, layout: Layout) -> Governance:
    """The governance in force for what lies in a run's worktree, also of a run that was broken off as it began."""
    return installed_governance(root, asked_for(root, layout).request.governance if is_here(layout) else None)


def asked_for(root: Path, layout: Layout) -> SignedRequest:
    """The request on record for a run that is here. Raises Refused where there is none, or the run holds another."""
    signed = on_record(root, layout.root.name)
    if signed is None or dsse.read(layout.request) != signed.envelope:
        raise Refused(f"{layout.request} is not the request that the ledger has; restore it from the run's commit")
    return signed


def on_record(root: Path, run_id: str) -> SignedRequest | None:
    """The request that the ledger has for a run, verified by the governance that counts for it; None where none is."""
    ledger = open_ledger(root.resolve() / ".hallmark")
    named = signed_request.named_governance(ledger, run_id)
    return signed_request.recorded(ledger, installed_governance(root, named), run_id)
