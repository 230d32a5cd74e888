"""What no data file says, and a person has to."""

from collections.abc import Iterator
from typing import NamedTuple

from tasks.core import config


class Question(NamedTuple):
    name: str
    """As `Answers` has it; the option is `--NAME`, with `-` for `_`."""
    asks: str
    """As a person is asked."""
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


class Answers(config.Frozen):
    """What a person said."""

    owner: str
    licence: str
    basis: str
    purpose: str


def missing(given: dict[str, str | None]) -> Iterator[Question]:
    """The questions that nobody has answered."""
    for question in QUESTIONS:
        if not (given.get(question.name) or "").strip():
            yield question
