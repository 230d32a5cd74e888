"""Import of a task file with labels, as a new version of its annotator's or adjudicator's labels."""

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from tasks.core.errors import InputError
from tasks.labels import entries, label_file, pseudonyms
from tasks.labels.label_file import CheckedFile, Expected
from tasks.labels.label_round import Handout, LabelSubmission, Participant
from tasks.labels.round_files import RoundFiles


class ImportedLabels(NamedTuple):
    version: int
    labels: int
    unlabelled: int
    """Number of items of the file without a label."""


def import_labels(files: RoundFiles, annotator: Participant, path: Path) -> ImportedLabels:
    """Import the task file of an annotator.

    Raises:
        InputError: The file is not valid; nothing of it was imported.
        Refused: The round is finished.
    """
    items = {item: files.text_of(item) for item in files.assignment[annotator.pseudonym]}
    return _import(files, annotator, path, items, entries.IMPORTED)


def import_adjudicated(files: RoundFiles, adjudicator: Participant, path: Path) -> ImportedLabels:
    """Import the task file of an adjudicator, whose labels take precedence over those of annotators.

    Annotators may have come to agree about an item since the file was handed out. Items on which they agreed from the
    beginning were in no file of the adjudicator, and keep the labels of the annotators.

    Raises:
        InputError: The file is not valid, or has an item that the adjudicator was not given; nothing was imported.
        Refused: The round is finished.
    """
    handouts = [each for each in files.read_documents(entries.EXPORTED, Handout) if each.to == adjudicator.pseudonym]
    items = {item: files.text_of(item) for each in handouts for item in each.disagreements}
    if not items:
        raise InputError(
            f"round {files.round.id} handed no disagreement out to {adjudicator.name}; write the file first: hallmark "
            f"labels adjudicate {files.round.id} --to FILE"
        )
    return _import(files, adjudicator, path, items, entries.ADJUDICATED)


def _import(files: RoundFiles, reader: Participant, path: Path, texts: Mapping[str, str], kind: str) -> ImportedLabels:
    said = files.round
    with files.locked():
        files.require_open()
        checked = label_file.read_label_file(
            path,
            Expected(
                round=said.id,
                reader=reader.pseudonym,
                pseudonyms=frozenset(each.pseudonym for each in (*said.annotators, *said.adjudicators)),
                guideline=said.guideline.mark,
                texts=texts,
                round_items=frozenset({*files.rows, *files.gold}),
                labels=frozenset(said.labels),
                scale=said.scale,
            ),
        )
        version = _next_version(files, reader, kind)
        document = _submission(files, reader, version, checked)
        files.record_document(kind, document.serialised, {})
    return ImportedLabels(version, len(checked.labels), checked.unlabelled)


def _next_version(files: RoundFiles, reader: Participant, kind: str) -> int:
    earlier = files.read_documents(kind, LabelSubmission)
    return 1 + sum(document.by == reader.pseudonym for document in earlier)


def _submission(files: RoundFiles, reader: Participant, version: int, checked: CheckedFile) -> LabelSubmission:
    return LabelSubmission(
        round=files.round.id,
        by=reader.pseudonym,
        version=version,
        guideline_sha256=files.round.guideline.sha256,
        form=checked.form,
        time=files.ledger.now(),
        labels=checked.labels,
        salt=pseudonyms.make_salt(),
    )
