"""Statement by which a reviewer signs off a version of the code for governed runs, or withdraws the sign-offs."""

from typing import Annotated, Literal

from pydantic import Field

from tasks.core.params.values import Name, Sha256, Text
from tasks.policy.signed_document import DatedDocument, SignedKind

PREDICATE_TYPE = "urn:hallmark:code-version:v1"
ENTRY_KIND = "code.signed"
"""Kind of ledger entry about a sign-off or a withdrawal. Its subject is the digest of the tree."""


class Version(DatedDocument):
    """Predicate of the statement about a version of the code; the subject of the statement is the tree."""

    verb: Literal["adopt", "withdraw"]
    """`adopt`: the person signs the version off. `withdraw`: all sign-offs so far become void."""
    tree_sha256: Sha256
    """SHA-256 over the whole tree of the commit (`tasks.runs.git.commit_tree`)."""
    commit: Annotated[str, Field(pattern=r"^[0-9a-f]{40}([0-9a-f]{24})?$")]
    """Id of the reviewed commit, for information only. The sign-off is valid for every commit with the same tree."""
    environment: Name
    """Environment in which the statement is valid."""
    person: Name
    """Id of the person who signs."""
    reason: Text
    """Reason that the person gave."""


VERSION = SignedKind(
    PREDICATE_TYPE, Version, "a signature under a version of the code", signer_of=lambda version: version.person,
    subjects_of=lambda version: {"tree": version.tree_sha256},
)  # fmt: skip
