"""Command group `hallmark code`: the list of signed versions of the code, their adoption and their withdrawal."""

from contextlib import suppress
from typing import Annotated, Any

import typer

from infra.cli import shared
from infra.cli.shared import console
from tasks.code_versions import sign_off
from tasks.code_versions.sign_off import SignOffStatus
from tasks.code_versions.signed_version import CODE_VERSION_KIND, ENTRY_KIND
from tasks.core.errors import HallmarkError, InputError
from tasks.core.escaping import escape_hidden, escape_to_one_line
from tasks.ledger.ledger import Ledger
from tasks.policy.governance import Governance
from tasks.runs.git import commit_tree
from tasks.runs.git.repository import Repository

Commit = Annotated[str, typer.Argument(metavar="COMMIT", help="The version: a commit, tag or branch.")]
Reason = Annotated[str, typer.Option(help="What you looked at, or why you take it back. The ledger keeps it.")]


def list_versions(as_json: shared.Json = False) -> None:
    """List the signed versions of the code, and show whether this checkout's HEAD is one of them.

    Example: hallmark code list
    """
    checkout, ledger, governed = _open_checkout()
    commits = _commit_by_tree(ledger)
    head = checkout.commit_id("HEAD")
    commits.setdefault(commit_tree.read_tree(checkout, head).sha256, head)
    rows = [
        _row(sha256, commit, sign_off.sign_off_status(ledger, governed, sha256)) for sha256, commit in commits.items()
    ]
    if as_json:
        shared.print_json({"head": head, "versions": rows})
        return
    asked = [f"{role.count} in role {role.role}" for role in governed.policy.changes.code]
    console.print(f"a version is signed off by {' and '.join(asked) or 'nobody: policy names nobody'}")
    cells = [[row["commit"][:12], row["tree_sha256"][:12], row["state"], row["text"]] for row in rows]
    shared.print_table(["commit", "tree", "state", "who"], cells, "nobody has signed a version")


def adopt(reason: Reason, commit: Commit = "HEAD", who: shared.ActAs = None, as_json: shared.Json = False) -> None:
    """Show the changes since the last signed version, and sign a new one, so that governed runs can use it.

    Your signature covers every file of the commit. If the policy requires more people to sign, they run the same
    command.

    Example: hallmark code adopt HEAD --as code-owner --reason "reviewed in merge request 42"
    """
    _sign(commit, who, reason, as_json, withdraw=False)


def withdraw(commit: Commit, reason: Reason, who: shared.ActAs = None, as_json: shared.Json = False) -> None:
    """Withdraw a signed version of the code.

    Runs of this version stop before their next gate, and no new run of it starts. Releases built from it are not
    affected.

    Example: hallmark code withdraw 1f3c9e0 --as code-owner --reason "reads past its input"
    """
    _sign(commit, who, reason, as_json, withdraw=True)


def _sign(commit: str, who: str | None, reason: str, as_json: bool, withdraw: bool) -> None:
    checkout, ledger, governed = _open_checkout()
    checkout.require_unambiguous(commit)
    named = checkout.commit_id(commit)
    sha256 = commit_tree.read_tree(checkout, named).sha256
    if not as_json and not withdraw:
        console.print(_changes_since_signed(checkout, ledger, governed, named))
    entry = sign_off.sign_version(ledger, governed, shared.acting_person(who), sha256, named, reason, withdraw)
    now = sign_off.sign_off_status(ledger, governed, sha256)
    if as_json:
        shared.print_json(_row(sha256, named, now) | {"ledger_entry": entry.seq})
        return
    console.print(f"commit {named[:12]}, tree {sha256[:12]}: {now.description}")
    console.print(f"entry {entry.seq} of the ledger")


def _open_checkout() -> tuple[Repository, Ledger, Governance]:
    here = shared.open_checkout()
    return here.repository, here.ledger, here.governance


def _commit_by_tree(ledger: Ledger) -> dict[str, str]:
    found = {}
    for entry in ledger.entries(ENTRY_KIND):
        with suppress(HallmarkError, KeyError, TypeError):
            found[entry.subject] = CODE_VERSION_KIND.unverified_document(entry.body["envelope"]).commit
    return found


def _changes_since_signed(checkout: Repository, ledger: Ledger, governed: Governance, commit: str) -> str:
    signed = [
        known
        for sha256, known in _commit_by_tree(ledger).items()
        if (it := sign_off.sign_off_status(ledger, governed, sha256)).sign_offs and not it.missing_signature
    ]
    before = next((known for known in reversed(signed) if known != commit and _has_commit(checkout, known)), None)
    if before is None:
        return f"no version before it is here: you sign for all that commit {commit[:12]} holds"
    stat = escape_hidden(checkout.run_git("diff", "--no-ext-diff", "--stat=100", before, commit)) or "no file differs"
    return f"since {before[:12]}, which was signed off before:\n{stat}\nlook: git diff {before} {commit}"


def _has_commit(checkout: Repository, commit: str) -> bool:
    try:
        return bool(checkout.commit_id(commit))
    except InputError:
        return False


def _row(sha256: str, commit: str, it: SignOffStatus) -> dict[str, Any]:
    state = (
        "withdrawn"
        if it.withdrawal
        else "open"
        if it.missing_signature
        else "signed off"
        if it.sign_offs
        else "nobody asked"
    )
    return {
        "commit": commit,
        "tree_sha256": sha256,
        "state": state,
        "signed_by": sign_off.signer_ids(it.sign_offs),
        "text": escape_to_one_line(it.description),
    }
