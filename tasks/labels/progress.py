"""Progress of a round. Only the person who leads it sees what each annotator has done, and how fast.

Counts of an open round are shown to its lead and adjudicators alone: an annotator who imports one label at a time could
read from them what others gave, and which items are gold examples.
"""

from datetime import datetime
from statistics import median

from tasks.core.documents.config import FrozenModel, IsoTime
from tasks.labels import entries
from tasks.labels.given_labels import GivenLabels, read_given_labels
from tasks.labels.label_round import Handout, LabelSubmission, Participant
from tasks.labels.round_files import RoundFiles


class AnnotatorProgress(FrozenModel):
    name: str
    external: bool
    pseudonym: str
    assigned: int
    """Number of assigned items, gold examples included."""
    labelled: int
    versions: int
    """Number of imported label files. Each is one version of the labels."""
    handed_out: IsoTime | None
    """Time of the first handout."""
    last_import: IsoTime | None
    median_seconds: float | None
    """Median time of a label, if task files state times."""


class RoundProgress(FrozenModel):
    round: str
    lead: str
    started_at: IsoTime
    state: str
    """`open` or `finished`."""
    guideline: str
    """Version and digest."""
    rows: int
    labelled_rows: int | None
    """Number of rows with a label of every annotator that they were assigned to; null for people who may not see it."""
    disagreements: int | None
    adjudicated: int | None
    annotators: list[AnnotatorProgress] | None
    """Work of each annotator; null for people who do not lead the round."""


def read_progress(files: RoundFiles, viewer: str | None) -> RoundProgress:
    """Return the progress of a round.

    Args:
        files: Files of the round.
        viewer: Id of the person for whom it is; None if it is for anybody.
    """
    said, given = files.round, read_given_labels(files)
    all_ones, open_ones = given.disagreements(), given.open_disagreements()
    counts = files.finished or viewer == said.lead or any(each.name == viewer for each in said.adjudicators)
    return RoundProgress(
        round=said.id,
        lead=said.lead,
        started_at=said.started_at,
        state="finished" if files.finished else "open",
        guideline=said.guideline.mark,
        rows=len(files.rows),
        labelled_rows=sum(len(votes) >= said.overlap for votes in given.rows.values()) if counts else None,
        disagreements=len(all_ones) if counts else None,
        adjudicated=len(all_ones) - len(open_ones) if counts else None,
        annotators=_annotators(files, given) if viewer == said.lead else None,
    )


def _annotators(files: RoundFiles, given: GivenLabels) -> list[AnnotatorProgress]:
    handouts = files.read_documents(entries.EXPORTED, Handout)
    imports = files.read_documents(entries.IMPORTED, LabelSubmission)
    return [
        _annotator(
            each,
            files,
            given,
            [document.time for document in handouts if document.to == each.pseudonym],
            [document.time for document in imports if document.by == each.pseudonym],
        )
        for each in files.round.annotators
    ]


def _annotator(
    each: Participant, files: RoundFiles, given: GivenLabels, handouts: list[datetime], imports: list[datetime]
) -> AnnotatorProgress:
    seconds = given.seconds.get(each.pseudonym)
    return AnnotatorProgress(
        name=each.name,
        external=each.external,
        pseudonym=each.pseudonym,
        assigned=len(files.assignment[each.pseudonym]),
        labelled=given.count_of(each.pseudonym),
        versions=len(imports),
        handed_out=min(handouts, default=None),
        last_import=max(imports, default=None),
        median_seconds=median(seconds) if seconds else None,
    )
