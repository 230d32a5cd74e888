"""What a source says to do with what is found in its texts: one action for each class of protected text."""

from typing import Annotated, Literal, get_args

from pydantic import AfterValidator

from tasks.core.config import Frozen

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
"""keep        leave it as it is; it is counted all the same
mask        put the class in its place: [email]
tokenise    put a keyed token in its place, the same for the same value everywhere: [email:k3v9x2ab7dqm]
generalise  keep what is coarse: a year of birth, a network, the domain of an address; else as mask
drop        put the whole record into quarantine
stop        stop the run, for what should never have come"""

IDENTIFYING: frozenset[Category] = frozenset(
    {"name", "email", "phone", "identity", "card", "iban", "account", "medical"}
)
"""Classes whose values stand for a person: their tokens are a record's `subjects`, whatever is done with the text."""


class Protection(Frozen):
    """`protect` of a source in sources.yaml. What is not said there is done as here."""

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
    """Payment cards, by their check digit, and what belongs to them."""
    iban: Action = "tokenise"
    """IBANs."""
    account: Action = "tokenise"
    """Account, customer and contract numbers and sort codes, as the words around them say."""
    birth_date: Action = "generalise"
    """Dates of birth; `generalise` keeps the year."""
    network: Action = "mask"
    """IP and hardware addresses."""
    medical: Action = "tokenise"
    """Numbers of medical records and health insurance."""
    health: Action = "mask"
    """Conditions tied to a person."""
    credential: Action = "mask"
    """Passwords, keys and tokens that open something."""
    financial: Action = "keep"
    """Figures and terms that `terms` of sources.yaml names."""
    trade_secret: Action = "stop"
    """Words that `terms` of sources.yaml lists."""
    internal_only: Action = "drop"
    """Words that `terms` of sources.yaml lists."""

    def action(self, category: Category) -> Action:
        action: Action = getattr(self, category)
        return action


def _sayable(term: str) -> str:
    if not term.strip("* "):
        raise ValueError("a term is at least one letter; `*` alone would stand for everything")
    return term


Term = Annotated[str, AfterValidator(_sayable)]
"""A word or phrase, found caselessly as whole words; `*` stands for any part of a word."""
