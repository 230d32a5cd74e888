"""Sentences that hold something about a person, or secret, and change nothing of what a message is about."""

from collections.abc import Mapping
from pathlib import Path
from random import Random

from examples.support_triage.compose import Turn
from examples.support_triage.grammar import Grammar, Lines, lines_of
from tasks.core import config

SHARE = 0.1
"""Of the sound rows, how many hold such a sentence; classes take turns."""


class Personal:
    """The sentences of one language: a file of phrases/personal/."""

    def __init__(self, path: Path) -> None:
        document = config.plain(config.read_yaml(path))
        self.sentences: Mapping[str, Lines] = lines_of(document["sentences"])
        """By the class that they are about; one may hold something of others too."""
        self.grammar = Grammar(lines_of(document["rules"]), lines_of(document["personal"]), twists={}, intents={})

    def add(self, rng: Random, turns: list[Turn], category: str) -> list[Turn]:
        """With a sentence before or behind the last turn's words, carefully typed; a third of them on a line apart."""
        said = self.grammar.say(rng, rng.choice(self.sentences[category]))
        gap = rng.choice([" ", " ", "\n"])
        last = turns[-1]["content"]
        text = f"{said}{gap}{last}" if rng.random() < 0.35 else f"{last.rstrip()}{gap}{said}"
        return [*turns[:-1], turns[-1] | {"content": text}]
