"""A phrase of alternatives as one text.

    {rule}     one of the rule's lines
    {5-90}     a number in that range, ends included
    [a|b|]     one of the choices, here perhaps none

Alternatives may hold any of these again.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from random import Random

from ruamel.yaml import YAML

TOKEN = re.compile(r"\{(?P<low>\d+)-(?P<high>\d+)\}|\{(?P<rule>\w+)\}|\[(?P<choices>[^\[\]{}]*)\]")

Lines = tuple[str, ...]


@dataclass(frozen=True)
class Grammar:
    """What is said in one language."""

    rules: Mapping[str, Lines]
    personal: Mapping[str, Lines]
    """Rules whose text looks like data about a person, so that what detects such data can be told the truth."""
    twists: Mapping[str, Lines]
    """Sentences that turn any clear message."""
    intents: Mapping[str, Mapping[str, Lines]]
    """By intent and twist."""

    def say(self, rng: Random, phrase: str) -> str:
        """Resolve every token of `phrase`, innermost first. Raises KeyError for a rule that does not exist."""
        while match := TOKEN.search(phrase):
            phrase = phrase[: match.start()] + self._resolve(rng, match) + phrase[match.end() :]
        return " ".join(phrase.split())

    def rule(self, rng: Random, name: str) -> str:
        """One text of a rule."""
        return self.say(rng, f"{{{name}}}")

    def _resolve(self, rng: Random, match: re.Match[str]) -> str:
        if match["low"]:
            return str(rng.randint(int(match["low"]), int(match["high"])))
        if match["rule"]:
            name = str(match["rule"])
            return rng.choice(self.personal[name] if name in self.personal else self.rules[name])
        return rng.choice(str(match["choices"]).split("|"))


def load(path: Path) -> Grammar:
    """Read a language file of phrases/."""
    document = YAML(typ="safe").load(path.read_text(encoding="utf-8"))
    return Grammar(
        rules=_lines(document["rules"]),
        personal=_lines(document["personal"]),
        twists=_lines(document["twists"]),
        intents={intent: _lines(twists) for intent, twists in document["intents"].items()},
    )


def _lines(blocks: Mapping[str, str]) -> dict[str, Lines]:
    return {name: tuple(line for line in block.splitlines() if line.strip()) for name, block in blocks.items()}
