"""Questions that only a person can answer, because no data file contains the answers."""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from tasks.core.documents import config
from tasks.core.errors import InputError
from tasks.sources.protection import CATEGORIES, Category


class Question(NamedTuple):
    name: str
    """Field of `Answers`. The command-line option is `--NAME`, with `-` in place of `_`."""
    text: str
    example: str

    @property
    def option(self) -> str:
        return f"--{self.name.replace('_', '-')}"


QUESTIONS = (
    Question("owner", "Who answers for the data, and decides at its gate? An id of people.yaml", "data-owner"),
    Question("licence", "Under which licence is it?", "CC-BY-4.0, or: our own"),
    Question("basis", "Why may it be processed? The lawful basis", "no personal data, or: consent (GDPR Art. 6 (1) a)"),
    Question("purpose", "What is the model for? One sentence", "suggest the topic of a reader's letter"),
)


class Answers(config.FrozenModel):
    """The user's answers to QUESTIONS and PERSONAL_QUESTION."""

    owner: str
    licence: str
    basis: str
    purpose: str
    personal: dict[str, Category] = {}
    """Category of each answer field that is meant to contain personal data."""


PERSONAL_QUESTION = Question(
    "personal",
    "Which fields of the answer are personal by their purpose, a name to be found for example? Empty for none",
    "artist=name, phone=phone",
)


def parse_personal(options: Iterable[str]) -> dict[str, Category]:
    """Parse `FIELD=CATEGORY` options. One option can hold several pairs, separated by commas.

    Raises:
        InputError: A pair is not of the form FIELD=CATEGORY, or the category does not exist.
    """
    fields: dict[str, Category] = {}
    for pair in filter(None, (part.strip() for text in options for part in text.split(","))):
        name, _, category = (part.strip() for part in pair.partition("="))
        if not name or category not in CATEGORIES:
            raise InputError(
                f"{PERSONAL_QUESTION.option} {pair!r}: expected FIELD=CATEGORY, such as artist=name; categories are "
                f"{', '.join(CATEGORIES)}"
            )
        fields[name] = category
    return fields


def unanswered_questions(answers: dict[str, str | None]) -> Iterator[Question]:
    for question in QUESTIONS:
        if not (answers.get(question.name) or "").strip():
            yield question
