"""Intent, twist and language of a message, which decide its triage."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from random import Random

from tasks.core.documents import config

LANGUAGES = {"en": 0.88, "de": 0.12}
"""Share of the messages in each language."""


@dataclass(frozen=True)
class Intent:
    name: str
    department: str
    queue: str
    action: str
    twists: tuple[str, ...]


@dataclass(frozen=True)
class Triage:
    intent: str
    queue: str
    action: str


@dataclass(frozen=True)
class Case:
    """Content of a message, before its words are chosen."""

    language: str
    department: str
    twist: str
    triage: Triage


@dataclass(frozen=True)
class Catalogue:
    """Content of phrases/catalogue.yaml."""

    intents: tuple[Intent, ...]
    twists: Mapping[str, Mapping[str, str]]
    """Values that replace the intent's queue or action, by twist."""
    weights: Mapping[str, float]

    def draw(self, rng: Random) -> Iterator[Case]:
        """Yield cases without end: every intent once in random order, again and again."""
        while True:
            for intent in rng.sample(self.intents, len(self.intents)):
                (twist,) = rng.choices(intent.twists, [self.weights[name] for name in intent.twists])
                (language,) = rng.choices(list(LANGUAGES), list(LANGUAGES.values()))
                yield Case(language, intent.department, twist, self.triage(intent, twist))

    def triage(self, intent: Intent, twist: str) -> Triage:
        changed = self.twists[twist]
        return Triage(intent.name, changed.get("queue", intent.queue), changed.get("action", intent.action))


def load(path: Path) -> Catalogue:
    document = config.to_plain_value(config.read_yaml(path))
    intents = (
        Intent(name, entry["department"], entry["queue"], entry["action"], tuple(entry["twists"]))
        for name, entry in document["intents"].items()
    )
    return Catalogue(tuple(intents), document["twists"], document["weights"])
