"""Expansion of phrases with alternatives into texts.

    {rule}     one of the rule's lines
    {5-90}     a number in that range, ends included
    [a|b|]     one of the choices, of which the last one here is empty
    {card_number}  one of `numbers.NUMBERS`

Alternatives may contain any of these again.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from random import Random

from examples.support_triage.marks import mark
from examples.support_triage.numbers import NUMBERS
from tasks.core.documents import config

TOKEN = re.compile(r"\{(?P<low>\d+)-(?P<high>\d+)\}|\{(?P<rule>\w+)\}|\[(?P<choices>[^\[\]{}]*)\]")

Lines = tuple[str, ...]


@dataclass(frozen=True)
class Grammar:
    rules: Mapping[str, Lines]
    personal: Mapping[str, Lines]
    """Rules for protected values, by class. Their texts are marked, so that the table of truth can name them."""
    twists: Mapping[str, Lines]
    """Sentences that change the meaning of any clear message, by twist."""
    intents: Mapping[str, Mapping[str, Lines]]
    """Phrases by intent and twist."""

    def expand(self, rng: Random, phrase: str) -> str:
        """Expand every token of `phrase`, innermost first.

        Raises:
            KeyError: A rule does not exist.
        """
        while match := TOKEN.search(phrase):
            phrase = phrase[: match.start()] + self._resolve(rng, match) + phrase[match.end() :]
        return " ".join(phrase.split())

    def expand_rule(self, rng: Random, name: str) -> str:
        return self.expand(rng, f"{{{name}}}")

    def _resolve(self, rng: Random, match: re.Match[str]) -> str:
        if match["low"]:
            return str(rng.randint(int(match["low"]), int(match["high"])))
        if match["rule"]:
            return self._called(rng, str(match["rule"]))
        return rng.choice(str(match["choices"]).split("|"))

    def _called(self, rng: Random, name: str) -> str:
        if name in self.personal:
            return mark(name, self.expand(rng, rng.choice(self.personal[name])))
        return NUMBERS[name](rng) if name in NUMBERS else rng.choice(self.rules[name])


def load(path: Path) -> Grammar:
    document = config.to_plain_value(config.read_yaml(path))
    return Grammar(
        rules=lines_of(document["rules"]),
        personal=lines_of(document["personal"]),
        twists=lines_of(document["twists"]),
        intents={intent: lines_of(twists) for intent, twists in document["intents"].items()},
    )


def lines_of(blocks: Mapping[str, str]) -> dict[str, Lines]:
    return {name: tuple(line for line in block.splitlines() if line.strip()) for name, block in blocks.items()}
