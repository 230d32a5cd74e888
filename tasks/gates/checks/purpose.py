"""Purpose of a use case. People approve data for this purpose, and the sources of the use case must allow it."""

from collections.abc import Mapping, Sequence

from tasks.core.documents.document import Document
from tasks.core.params.use_case import UseCase


class Purpose(Document):
    """Purpose of a use case: problem, users and approved uses, copied from the use-case card."""

    problem: str
    users: list[str]
    approved_uses: list[str]

    @staticmethod
    def from_card(card: UseCase) -> "Purpose":
        return Purpose(problem=card.problem, users=card.users, approved_uses=card.approved_uses)


def unapproved_uses(uses: Sequence[str], sources: Mapping[str, Sequence[str]]) -> list[str]:
    """Return a description of each use that the owner of a source has not approved.

    A use is approved if the source lists it in the same words. Case and spacing are ignored.

    Args:
        uses: Uses on the use-case card.
        sources: Approved uses of each source, by source id.
    """
    return [
        f"{source} is not approved for {use!r} (approved: {', '.join(map(repr, allowed)) or 'nothing'})"
        for source, allowed in sources.items()
        for use in uses
        if _normalised_use(use) not in set(map(_normalised_use, allowed))
    ]


def _normalised_use(use: str) -> str:
    return " ".join(use.split()).casefold()
