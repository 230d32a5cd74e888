"""What a data gate looked at, source by source, and what changed since it passed last."""

from tasks.core.config import Frozen
from tasks.gates import words
from tasks.gates.evidence import Evidence
from tasks.gates.since import Since


class SourceRow(Frozen):
    """A source as its owner looks at it."""

    name: str
    owner: str
    licence: str
    content: str
    """new, changed or same since the dataset approved last; empty where there is none."""
    rows: int
    aside: int
    aside_share: float
    by_rule: dict[str, int]
    protected: dict[str, int]
    """How often text of each class was found."""
    actions: dict[str, str]
    """What is done with it."""
    train: int
    test: int


def sources(evidence: Evidence) -> list[SourceRow]:
    """By owner; none at other gates."""
    if evidence.dataset is None:
        return []
    change = evidence.change
    return [
        SourceRow(
            name=name,
            owner=origin.owner,
            licence=origin.licence,
            content=change.sources[name].content if change else "",
            rows=origin.taken,
            aside=sum(origin.aside.values()),
            aside_share=origin.aside_share,
            by_rule=origin.aside,
            protected={str(key): count for key, count in origin.protected.items() if count},
            actions={str(key): str(action) for key, action in origin.actions.items()},
            train=origin.rows["train"],
            test=origin.rows["test"],
        )
        for name, origin in sorted(evidence.dataset.sources.items(), key=lambda item: (item[1].owner, item[0]))
    ]


def changes(evidence: Evidence, before: Since | None) -> list[str]:
    """In words."""
    if evidence.dataset is not None:
        return list(words.dataset(evidence.dataset, evidence.change))
    return [words.changed(before)]
