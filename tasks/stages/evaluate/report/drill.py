"""What the report says of a drill: how much of what was planted in the sources each stage found.

Read from measured/planted.json, which is there where sources.yaml names a truth.
"""

from dataclasses import dataclass
from typing import Any

from tasks.core.files import read_json
from tasks.core.layout import Layout


@dataclass(frozen=True)
class Hunted:
    """One kind of defect, counted in rows; or one class of text, counted in characters."""

    stage: str
    name: str
    planted: int
    """Rows; or values."""
    truth: int
    hit: int
    marked: int
    right: int
    taken_for: tuple[tuple[str, int], ...]
    """What else became of the truth, most first."""

    @property
    def recall(self) -> float:
        return self.hit / self.truth if self.truth else 1.0

    @property
    def precision(self) -> float | None:
        """None where nothing was taken for it."""
        return self.right / self.marked if self.marked else None


@dataclass(frozen=True)
class Drill:
    kinds: tuple[Hunted, ...]
    classes: tuple[Hunted, ...]


def read(layout: Layout) -> Drill | None:
    """The run's drill; None where nothing was planted."""
    path = layout.measured("planted.json")
    if not path.is_file():
        return None
    planted = read_json(path)
    return Drill(
        kinds=tuple(map(_kind, planted["kinds"])),
        classes=tuple(
            map(_class, sorted(planted["classes"], key=lambda item: (item["category"] == "all", item["category"])))
        ),
    )


def _kind(entry: dict[str, Any]) -> Hunted:
    return Hunted(
        stage=entry["stage"],
        name=entry["defect"],
        planted=entry["planted"],
        truth=entry["planted"],
        hit=entry["found"],
        marked=entry["removed"],
        right=entry["right"],
        taken_for=_most_first(entry["taken_for"]),
    )


def _class(entry: dict[str, Any]) -> Hunted:
    return Hunted(
        stage="ingest",
        name=entry["category"],
        planted=entry["values"],
        truth=entry["truth"],
        hit=entry["hit"],
        marked=entry["marked"],
        right=entry["right"],
        taken_for=_most_first(entry["taken_for"]),
    )


def _most_first(counts: dict[str, int]) -> tuple[tuple[str, int], ...]:
    return tuple(sorted(counts.items(), key=lambda item: (-item[1], item[0])))
