"""Recall and precision with which stages find defects that were planted in the sources, for the report.

The results are read from measured/planted.json. The file exists if sources.yaml names a table of planted defects
(`truth`).
"""

from dataclasses import dataclass
from typing import Any

from tasks.core.files import read_stage_json
from tasks.core.layout import Layout


@dataclass(frozen=True)
class DetectionScore:
    """Detection counts for one kind of defect, in rows, or for one category of protected text, in characters."""

    stage: str
    """Stage that is expected to find the defect or the protected text."""
    name: str
    planted: int
    truth: int
    """Number of rows or characters that the stage should find."""
    hit: int
    """Number of the planted rows or characters that the stage found."""
    marked: int
    """Number of rows or characters that the stage assigned to this kind or category."""
    right: int
    """Number of rows or characters that the stage correctly assigned to this kind or category."""
    taken_for: tuple[tuple[str, int], ...]
    """Outcomes of the planted rows or characters that the stage missed, each with its number, largest number first."""

    @property
    def recall(self) -> float:
        return self.hit / self.truth if self.truth else 1.0

    @property
    def precision(self) -> float | None:
        """Return the precision; None if the stage assigned nothing to this kind or category."""
        return self.right / self.marked if self.marked else None


@dataclass(frozen=True)
class PlantedDefects:
    kinds: tuple[DetectionScore, ...]
    classes: tuple[DetectionScore, ...]


def read_planted_defects(layout: Layout) -> PlantedDefects | None:
    """Return the results on planted defects; None if nothing was planted."""
    path = layout.measurements("planted.json")
    if not path.is_file():
        return None
    planted = read_stage_json(path)
    return PlantedDefects(
        kinds=tuple(map(_kind_score, planted["kinds"])),
        classes=tuple(
            map(
                _class_score, sorted(planted["classes"], key=lambda item: (item["category"] == "all", item["category"]))
            )
        ),
    )


def _kind_score(entry: dict[str, Any]) -> DetectionScore:
    return DetectionScore(
        stage=entry["stage"],
        name=entry["defect"],
        planted=entry["planted"],
        truth=entry["planted"],
        hit=entry["found"],
        marked=entry["removed"],
        right=entry["right"],
        taken_for=_sort_by_count(entry["taken_for"]),
    )


def _class_score(entry: dict[str, Any]) -> DetectionScore:
    return DetectionScore(
        stage="ingest",
        name=entry["category"],
        planted=entry["values"],
        truth=entry["truth"],
        hit=entry["hit"],
        marked=entry["marked"],
        right=entry["right"],
        taken_for=_sort_by_count(entry["taken_for"]),
    )


def _sort_by_count(counts: dict[str, int]) -> tuple[tuple[str, int], ...]:
    return tuple(sorted(counts.items(), key=lambda item: (-item[1], item[0])))
