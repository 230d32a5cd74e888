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
"""Action on personal or secret text of a category.

keep        leave the text unchanged; it is still counted
mask        replace the text by its category: [email]
tokenise    replace the text by a keyed token, which is the same wherever the same value occurs: [email:k3v9x2ab7dqm]
generalise  keep the year of a birth date, the network of an IP address or the domain of an e-mail address; else mask
drop        quarantine the whole record
stop        stop the run, for text that must not be in the source at all
"""

IDENTIFYING_CATEGORIES: frozenset[Category] = frozenset(
    {"name", "email", "phone", "identity", "card", "iban", "account", "medical"}
)
"""Categories that identify a person.

Their tokens become the `subjects` of a record, regardless of the action on the text.
"""


class Protection(FrozenModel):
    """Action on each category of personal and secret text.

    Each field has a default, which applies if a source does not set the field.
    """

    name: Action = "tokenise"
    """Action on names of people."""
    address: Action = "mask"
    """Action on postal addresses."""
    email: Action = "tokenise"
    """Action on e-mail addresses."""
    phone: Action = "tokenise"
    """Action on telephone numbers."""
    identity: Action = "tokenise"
    """Action on the numbers of passports, identity cards and driving licences, and on social security and tax
    numbers."""
    card: Action = "tokenise"
    """Action on payment card numbers, recognised by their check digit, and on their security codes and expiry dates."""
    iban: Action = "tokenise"
    """Action on IBANs."""
    account: Action = "tokenise"
    """Action on account, customer and contract numbers and sort codes, recognised by the surrounding words."""
    birth_date: Action = "generalise"
    """Action on dates of birth. `generalise` keeps the year."""
    network: Action = "mask"
    """Action on IP addresses and hardware addresses."""
    medical: Action = "tokenise"
    """Action on the numbers of medical records and of health insurance."""
    health: Action = "mask"
    """Action on health conditions of a person."""
    credential: Action = "mask"
    """Action on passwords, keys and access tokens."""
    financial: Action = "keep"
    """Action on financial terms, which are listed under `terms` in sources.yaml."""
    trade_secret: Action = "stop"
    """Action on trade secrets, which are listed under `terms` in sources.yaml."""
    internal_only: Action = "drop"
    """Action on internal words, which are listed under `terms` in sources.yaml."""

    def action(self, category: Category) -> Action:
        action: Action = getattr(self, category)
        return action


def _validated_term(term: str) -> str:
    if not term.strip("* "):
        raise ValueError("a term is at least one letter; `*` alone would stand for everything")
    return term


Term = Annotated[str, AfterValidator(_validated_term), NFC]
"""Word or phrase, matched case-insensitively and as whole words. `*` matches any part of a word."""
