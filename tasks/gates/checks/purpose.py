"""What a use case is for: what an approval of its data is given for, and what its sources must allow."""

from collections.abc import Mapping, Sequence

from tasks.core.document import Document
from tasks.core.params.use_case import UseCase


class Purpose(Document):
    """Of the use-case card. Its name stands beside it in the evidence."""

    problem: str
    users: list[str]
    approved_uses: list[str]

    @staticmethod
    def of(card: UseCase) -> "Purpose":
        return Purpose(problem=card.problem, users=card.users, approved_uses=card.approved_uses)


def unapproved(uses: Sequence[str], sources: Mapping[str, Sequence[str]]) -> list[str]:
    """In words, the uses of a use case that a source's owner has not approved; `sources` are what each allows.

    A use is allowed where it stands among the source's, in the same words; case and spaces count for nothing.
    """
    return [
        f"{source} is not approved for {use!r} (approved: {', '.join(map(repr, allowed)) or 'nothing'})"
        for source, allowed in sources.items()
        for use in uses
        if _plain(use) not in set(map(_plain, allowed))
    ]


def _plain(use: str) -> str:
    return " ".join(use.split()).casefold()
