"""Statement by which a reviewer signs off a version of the code for governed runs, or withdraws the sign-offs."""

from typing import Annotated, Literal

from pydantic import Field

from tasks.core.params.values import Name, NonEmptyText, Sha256
from tasks.policy.signed_document import DatedDocument, SignedKind

PREDICATE_TYPE = "urn:hallmark:code-version:v1"
ENTRY_KIND = "code.signed"
"""Kind of the ledger entries for sign-offs and withdrawals. Their subject is the digest of the tree."""


class CodeVersion(DatedDocument):
    """Predicate of a signed statement about a version of the code. The subject of the statement is the tree."""

    verb: Literal["adopt", "withdraw"]
    """Action: `adopt` signs the version off, and `withdraw` voids all sign-offs so far."""
    tree_sha256: Sha256
    """SHA-256 of the commit's whole tree (`tasks.runs.git.commit_tree`)."""
    commit: Annotated[str, Field(pattern=r"^[0-9a-f]{40}([0-9a-f]{24})?$")]
    """Id of the reviewed commit, for information only. The sign-off is valid for every commit with the same tree."""
    environment: Name
    """Environment in which the statement is valid."""
    person: Name
    """Id of the person who signs."""
    reason: NonEmptyText
    """Reason that the person gave."""


CODE_VERSION_KIND = SignedKind(
    PREDICATE_TYPE, CodeVersion, "a signature under a version of the code", signer_of=lambda version: version.person,
    subjects_of=lambda version: {"tree": version.tree_sha256},
)  # fmt: skip
