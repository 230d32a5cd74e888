"""Which intent, twist and language a message has, and so its triage."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from random import Random

from tasks.core import config

LANGUAGES = {"en": 0.88, "de": 0.12}
"""Share of messages."""


@dataclass(frozen=True)
class Intent:
    """What an expert knows of an intent."""

    name: str
    department: str
    queue: str
    action: str
    twists: tuple[str, ...]


@dataclass(frozen=True)
class Triage:
    """The answer that is right."""

    intent: str
    queue: str
    action: str


@dataclass(frozen=True)
class Case:
    """What a message is about, before a word of it is written."""

    language: str
    department: str
    twist: str
    triage: Triage


@dataclass(frozen=True)
class Catalogue:
    """phrases/catalogue.yaml."""

    intents: tuple[Intent, ...]
    twists: Mapping[str, Mapping[str, str]]
    """By twist, what it replaces of the intent's queue and action."""
    weights: Mapping[str, float]

    def draw(self, rng: Random) -> Iterator[Case]:
        """Endless cases: every intent once, in random order, and again."""
        while True:
            for intent in rng.sample(self.intents, len(self.intents)):
                (twist,) = rng.choices(intent.twists, [self.weights[name] for name in intent.twists])
                (language,) = rng.choices(list(LANGUAGES), list(LANGUAGES.values()))
                yield Case(language, intent.department, twist, self.triage(intent, twist))

    def triage(self, intent: Intent, twist: str) -> Triage:
        """The right answer to a message with this intent and twist."""
        changed = self.twists[twist]
        return Triage(intent.name, changed.get("queue", intent.queue), changed.get("action", intent.action))


def load(path: Path) -> Catalogue:
    """Read catalogue.yaml."""
    document = config.plain(config.read_yaml(path))
    intents = (
        Intent(name, entry["department"], entry["queue"], entry["action"], tuple(entry["twists"]))
        for name, entry in document["intents"].items()
    )
    return Catalogue(tuple(intents), document["twists"], document["weights"])
