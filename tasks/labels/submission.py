"""Import of a task file with labels, as a new version of its annotator's or adjudicator's labels."""

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from tasks.core.errors import InputError
from tasks.labels import entries, given_labels, label_file
from tasks.labels.label_file import CheckedFile, Expected
from tasks.labels.label_round import LabelSubmission, Participant
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

    Annotators may have come to agree about an item since the file was handed out.

    Raises:
        InputError: The file is not valid, or an item of it has fewer than two labels; nothing of it was imported.
        Refused: The round is finished.
    """
    given = given_labels.read_given_labels(files)
    items = {item: files.text_of(item) for item, votes in given.rows.items() if len(votes) > 1}
    if not items:
        raise InputError(f"round {files.round.id} has no disagreement; there is nothing to adjudicate")
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
    )
