"""Categories of personal and secret text, and the action that a source declares for each."""

from typing import Annotated, Literal, get_args

from pydantic import AfterValidator

from tasks.core.documents.config import FrozenModel
from tasks.core.params.values import NFC

Category = Literal[
    "name",
    "address",
    "email",
    "phone",
    "identity",
    "card",
    "iban",
    "account",
    "birth_date",
    "network",
    "medical",
    "health",
    "credential",
    "financial",
    "trade_secret",
    "internal_only",
]

CATEGORIES: tuple[Category, ...] = get_args(Category)

Action = Literal["keep", "mask", "tokenise", "generalise", "drop", "stop"]
"""Action on the text of a category.

keep        leave the text; it is counted all the same
mask        replace the text by its category: [email]
tokenise    replace the text by a keyed token, which is equal for equal values everywhere: [email:k3v9x2ab7dqm]
generalise  keep the year of a birth date, the network of an IP address or the domain of an e-mail address; else mask
drop        quarantine the whole record
stop        stop the run, for text that must not be in the source at all
"""

IDENTIFYING_CATEGORIES: frozenset[Category] = frozenset(
    {"name", "email", "phone", "identity", "card", "iban", "account", "medical"}
)
"""Categories that identify a person.

Their tokens are the `subjects` of a record, whatever the action on the text is.
"""


class Protection(FrozenModel):
    """Action on each category of personal and secret text; the default, for categories that a source leaves out."""

    name: Action = "tokenise"
    """Names of people."""
    address: Action = "mask"
    """Postal addresses."""
    email: Action = "tokenise"
    """E-mail addresses."""
    phone: Action = "tokenise"
    """Telephone numbers."""
    identity: Action = "tokenise"
    """Numbers of passports, identity cards, driving licences, social security and tax."""
    card: Action = "tokenise"
    """Numbers of payment cards, recognised by their check digit, with their security codes and expiry dates."""
    iban: Action = "tokenise"
    """IBANs."""
    account: Action = "tokenise"
    """Account, customer and contract numbers and sort codes, recognised by the words around them."""
    birth_date: Action = "generalise"
    """Dates of birth; `generalise` keeps the year."""
    network: Action = "mask"
    """IP and hardware addresses."""
    medical: Action = "tokenise"
    """Numbers of medical records and health insurance."""
    health: Action = "mask"
    """Health conditions tied to a person."""
    credential: Action = "mask"
    """Passwords, keys and access tokens."""
    financial: Action = "keep"
    """Financial terms that `terms` of sources.yaml lists."""
    trade_secret: Action = "stop"
    """Trade secrets that `terms` of sources.yaml lists."""
    internal_only: Action = "drop"
    """Internal words that `terms` of sources.yaml lists."""

    def action(self, category: Category) -> Action:
        action: Action = getattr(self, category)
        return action


def _validated_term(term: str) -> str:
    if not term.strip("* "):
        raise ValueError("a term is at least one letter; `*` alone would stand for everything")
    return term


Term = Annotated[str, AfterValidator(_validated_term), NFC]
"""Word or phrase, matched case-insensitively and as whole words; `*` stands for any part of a word."""
