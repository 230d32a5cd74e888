"""Sentences with values about people, or secrets, which do not change the meaning of a message."""

from collections.abc import Mapping
from pathlib import Path
from random import Random

from examples.support_triage.compose import Turn
from examples.support_triage.grammar import Grammar, Lines, lines_of
from tasks.core.documents import config

PERSONAL_SHARE = 0.1
"""Share of the sound rows with such a sentence. The classes take turns."""


class PersonalSentences:
    """Sentences of one language, from a file of phrases/personal/."""

    def __init__(self, path: Path) -> None:
        document = config.to_plain_value(config.read_yaml(path))
        self.sentences: Mapping[str, Lines] = lines_of(document["sentences"])
        """Sentences by the class of their value. A sentence may also have values of other classes."""
        self.grammar = Grammar(lines_of(document["rules"]), lines_of(document["personal"]), twists={}, intents={})

    def add(self, rng: Random, turns: list[Turn], category: str) -> list[Turn]:
        """Return the turns with such a sentence before or after the words of the last turn, without typing errors.

        A third of the sentences are on a separate line.
        """
        said = self.grammar.expand(rng, rng.choice(self.sentences[category]))
        gap = rng.choice([" ", " ", "\n"])
        last = turns[-1]["content"]
        text = f"{said}{gap}{last}" if rng.random() < 0.35 else f"{last.rstrip()}{gap}{said}"
        return [*turns[:-1], turns[-1] | {"content": text}]
