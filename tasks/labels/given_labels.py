"""Labels given so far in a round: by annotators, on gold examples, and by adjudicators.

Labels of a later file of the same person take precedence, item by item. All files stay in the round.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from tasks.labels import entries
from tasks.labels.label_round import LabelSubmission
from tasks.labels.round_files import RoundFiles

Votes = Mapping[str, Mapping[str, str]]
"""Label of each annotator by pseudonym, by item."""


class AdjudicatedLabel(NamedTuple):
    label: str
    by: str
    """Pseudonym of the adjudicator."""


@dataclass(frozen=True)
class GivenLabels:
    rows: Votes
    """Labels of the rows. Rows without a label are left out."""
    gold: Votes
    """Labels of the gold examples."""
    adjudicated: Mapping[str, AdjudicatedLabel]
    """Newest label of an adjudicator by item."""
    seconds: Mapping[str, tuple[float, ...]]
    """Times that labels took in seconds, if task files state them, by pseudonym."""

    def count_of(self, annotator: str) -> int:
        """Return how many items an annotator has labelled, gold examples included."""
        return sum(annotator in votes for votes in (*self.rows.values(), *self.gold.values()))

    def disagreements(self) -> list[str]:
        """Return the rows with different labels, adjudicated or not."""
        return [item for item, votes in self.rows.items() if len({*votes.values()}) > 1]

    def open_disagreements(self) -> list[str]:
        return [item for item in self.disagreements() if item not in self.adjudicated]


def read_given_labels(files: RoundFiles) -> GivenLabels:
    rows: dict[str, dict[str, str]] = {item: {} for item in files.rows}
    gold: dict[str, dict[str, str]] = {item: {} for item in files.gold}
    seconds: dict[str, dict[str, float]] = {}
    for said in files.read_documents(entries.IMPORTED, LabelSubmission):
        for given in said.labels:
            (rows if given.item in rows else gold)[given.item][said.by] = given.label
            if given.seconds is not None:
                seconds.setdefault(said.by, {})[given.item] = given.seconds
    adjudicated = {
        given.item: AdjudicatedLabel(given.label, said.by)
        for said in files.read_documents(entries.ADJUDICATED, LabelSubmission)
        for given in said.labels
    }
    return GivenLabels(
        {item: votes for item, votes in rows.items() if votes},
        {item: votes for item, votes in gold.items() if votes},
        adjudicated,
        {annotator: tuple(each.values()) for annotator, each in seconds.items()},
    )
