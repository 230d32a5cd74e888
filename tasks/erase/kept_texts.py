"""Texts of an erasure that the ledger keeps for ever, and so must not name the person."""

from collections.abc import Iterable

from tasks.core.errors import InputError
from tasks.erase.search_terms import SearchTerms
from tasks.erase.subject import Subject


def require_unnamed(known: Subject, option: str, texts: Iterable[str]) -> None:
    """Verify that texts have no value, token or record id of the person, in any spelling that a verification finds.

    Args:
        known: Person.
        option: Options with which the texts were given, for the error message.
        texts: Texts that the ledger will keep.

    Raises:
        InputError: A text names the person.
    """
    terms = SearchTerms(known)
    if any(terms.find(text.encode()) for text in texts):
        raise InputError(
            f"{option}: the ledger keeps this for ever, and it names the person; say it without, for example: "
            "passport shown at the counter"
        )
