"""Results of a drill for the report: recall and precision of the stages on defects that were planted in the sources.

They are read from measured/planted.json, which exists if sources.yaml names a table of planted defects (`truth`).
"""

from dataclasses import dataclass
from typing import Any

from tasks.core.files import read_stage_json
from tasks.core.layout import Layout


@dataclass(frozen=True)
class DetectionScore:
    """Detection counts of a kind of defect, in rows, or of a class of protected text, in characters."""

    stage: str
    """Stage that is expected to find the defect or the protected text."""
    name: str
    planted: int
    truth: int
    """Number of rows or characters that are to be found."""
    hit: int
    """Number of the planted rows or characters that were found."""
    marked: int
    """Number of rows or characters that the stage assigned to this kind or class."""
    right: int
    """Number of rows or characters that the stage assigned to this kind or class correctly."""
    taken_for: tuple[tuple[str, int], ...]
    """Outcomes of planted rows or characters that were not found as this kind, with counts, largest first."""

    @property
    def recall(self) -> float:
        return self.hit / self.truth if self.truth else 1.0

    @property
    def precision(self) -> float | None:
        """Precision; None if the stage assigned nothing to this kind or class."""
        return self.right / self.marked if self.marked else None


@dataclass(frozen=True)
class PlantedDefects:
    kinds: tuple[DetectionScore, ...]
    classes: tuple[DetectionScore, ...]


def read(layout: Layout) -> PlantedDefects | None:
    """Return the results of the run's drill; None if nothing was planted."""
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
        taken_for=_most_first(entry["taken_for"]),
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
        taken_for=_most_first(entry["taken_for"]),
    )


def _most_first(counts: dict[str, int]) -> tuple[tuple[str, int], ...]:
    return tuple(sorted(counts.items(), key=lambda item: (-item[1], item[0])))
