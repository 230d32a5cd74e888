"""What somebody signs who lets governed runs be made of a version of the code, or takes that back."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field

from tasks.core.params.values import Name, Sha256, Text
from tasks.policy.read_signed import Dated, Kind
from tasks.trust import dsse

PREDICATE_TYPE = "urn:hallmark:code-version:v1"
KIND = "code.signed"
"""Of the ledger's entries, also of those that take something back; their subject is the digest of the tree."""


class Version(Dated):
    """The predicate; the statement's subject is the tree."""

    verb: Literal["adopt", "withdraw"]
    tree_sha256: Sha256
    """Of all that the commit holds (`tasks.runs.tree`)."""
    commit: Annotated[str, Field(pattern=r"^[0-9a-f]{40}([0-9a-f]{24})?$")]
    """By which people find it; what counts is the tree."""
    environment: Name
    """In which it counts."""
    person: Name
    reason: Text


VERSION = Kind(PREDICATE_TYPE, Version, "a signature under a version of the code", by=lambda version: version.person)


def statement(version: Version) -> dict[str, Any]:
    return dsse.statement(PREDICATE_TYPE, {"tree": version.tree_sha256}, version.said)


def is_about_its_tree(version: Version, subjects: Mapping[str, str]) -> bool:
    return dict(subjects) == {"tree": version.tree_sha256}
