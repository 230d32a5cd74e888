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

keep        leave the text unchanged, but count it
mask        replace the text with its category: [email]
tokenise    replace the text with a keyed token: [email:k3v9x2ab7dqm]. Equal values have equal tokens.
generalise  keep the year of a birth date, the network of an IP address or the domain of an e-mail address. Any other
            text is masked.
drop        quarantine the whole record
stop        stop the run, because the source must not contain such text at all
"""

IDENTIFYING_CATEGORIES: frozenset[Category] = frozenset(
    {"name", "email", "phone", "identity", "card", "iban", "account", "medical"}
)
"""Categories whose values identify a person.

The tokens of these values become the `subjects` of a record, whichever action is set for the category.
"""


class Protection(FrozenModel):
    """Action on each category of personal and secret text.

    Each field has a default, which applies if a source does not set the field. docs/reference/recognisers.md shows how
    much of each category Hallmark's recognisers find; `detectors` of a source adds others.
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
    """Action on payment card numbers, which are recognised by their check digit, and on the security codes and expiry
    dates of cards."""
    iban: Action = "tokenise"
    """Action on IBANs."""
    account: Action = "tokenise"
    """Action on account, customer and contract numbers and on sort codes. They are recognised by the surrounding
    words."""
    birth_date: Action = "generalise"
    """Action on dates of birth. `generalise` keeps the year."""
    network: Action = "mask"
    """Action on IP addresses and hardware addresses."""
    medical: Action = "tokenise"
    """Action on the numbers of medical records and of health insurance."""
    health: Action = "mask"
    """Action on mentions of a person's health conditions."""
    credential: Action = "mask"
    """Action on passwords, keys and access tokens."""
    financial: Action = "keep"
    """Action on financial terms, which are listed under `terms` in sources.yaml."""
    trade_secret: Action = "stop"
    """Action on trade secrets, which are listed under `terms` in sources.yaml."""
    internal_only: Action = "drop"
    """Action on internal words, which are listed under `terms` in sources.yaml."""

    def action_for(self, category: Category) -> Action:
        action: Action = getattr(self, category)
        return action


def _validated_term(term: str) -> str:
    if not term.strip("* "):
        raise ValueError("a term is at least one letter; `*` alone would stand for everything")
    return term


Term = Annotated[str, AfterValidator(_validated_term), NFC]
"""Word or phrase, matched case-insensitively and as whole words. `*` matches any part of a word."""
