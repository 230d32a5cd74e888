"""Files of a round in `.hallmark/labels/ROUND/`, compared with the ledger whenever they are read.

round.json        the round, `LabelRound`; its digest is in the ledger
rows.jsonl        the rows, `Item`; its digest and those of the next two files are in round.json
gold.jsonl        the gold examples, `GoldItem`
assignment.json   items of each annotator in the order of their task file, by pseudonym
guideline         the guideline
pairs.json        of an expert review: which answer is whose (tasks/review); its digest is in round.json
documents/SHA256  handouts, submissions and the result, each named by its digest, which is in the ledger

A document is written before its entry. One without an entry is of a command that was killed, and counts for nothing.
"""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from tasks.core.documents.config import FrozenModel
from tasks.core.documents.document import Document, document_error_message
from tasks.core.errors import InputError, Refused
from tasks.core.files import sha256_bytes, write_bytes
from tasks.core.json_text import canonical_json, parse
from tasks.core.machine import locks
from tasks.labels import entries
from tasks.labels.label_round import GoldItem, Item, LabelRound
from tasks.ledger.ledger import Entry, Ledger

LABELS_FOLDER = "labels"
ROUND_FILE, ROWS_FILE, GOLD_FILE = "round.json", "rows.jsonl", "gold.jsonl"
ASSIGNMENT_FILE, GUIDELINE_FILE, DOCUMENTS_FOLDER = "assignment.json", "guideline", "documents"
PAIRS_FILE = "pairs.json"
FILE_MODE = 0o600
Assignment = Mapping[str, tuple[str, ...]]
"""Ids of the items of each annotator, in the order of their task file, by pseudonym."""
DocumentT = TypeVar("DocumentT", bound=Document)
LineT = TypeVar("LineT", bound=FrozenModel)


@dataclass(frozen=True)
class RoundFiles:
    """Round with its files, which were compared with the ledger."""

    folder: Path
    ledger: Ledger
    round: LabelRound
    rows: Mapping[str, Item]
    gold: Mapping[str, GoldItem]
    assignment: Assignment

    @property
    def finished(self) -> Entry | None:
        """Ledger entry of the finish; None if the round is open."""
        found = self.ledger.entries(entries.FINISHED, self.round.id)
        return found[0] if found else None

    def require_open(self) -> None:
        if self.finished:
            raise Refused(f"round {self.round.id} is finished and takes no more labels; start another round")

    def read_pairs(self) -> bytes:
        """Return the file that says which answer of an expert review is whose.

        Raises:
            InputError: The round is no expert review.
            Refused: The file is missing, or is not the one of the round.
        """
        if self.round.review is None:
            raise InputError(f"round {self.round.id} is no review; `hallmark labels agreement` shows its labels")
        return _read_verified(self.folder / PAIRS_FILE, self.round.review.pairs_file)

    def text_of(self, item: str) -> str:
        return self.rows[item].text if item in self.rows else self.gold[item].text

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the lock that a command needs to add to the round."""
        with locks.hold_exclusive_lock(self.folder / ".lock", f"another command adds to round {self.round.id}"):
            yield

    def record_document(self, kind: str, data: bytes, body: Mapping[str, Any]) -> Entry:
        """Write a document, then record its digest in the ledger.

        Args:
            kind: Kind of the entry.
            data: Bytes of the document.
            body: Body of the entry, without the digest.
        """
        digest = sha256_bytes(data)
        write_bytes(self._document_path(digest), data, FILE_MODE)
        return self.ledger.append(kind, self.round.id, {**body, entries.DIGEST: digest})

    def read_documents(self, kind: str, model: type[DocumentT]) -> list[DocumentT]:
        """Return the documents of a kind of entry, oldest first.

        Raises:
            Refused: A document is missing, or is not the one in the ledger.
        """
        found = self.ledger.entries(kind, self.round.id)
        return [_parse(model, self.read_document(entry), self.folder) for entry in found]

    def read_document(self, entry: Entry) -> bytes:
        digest = str(entry.body.get(entries.DIGEST))
        return _read_verified(self._document_path(digest), digest)

    def _document_path(self, digest: str) -> Path:
        return self.folder / DOCUMENTS_FOLDER / digest


def round_folder(state: Path, round_id: str) -> Path:
    return state / LABELS_FOLDER / round_id


def started_entry(ledger: Ledger, round_id: str) -> Entry | None:
    found = ledger.entries(entries.STARTED, round_id)
    return found[0] if found else None


def read_round(state: Path, ledger: Ledger, round_id: str) -> RoundFiles:
    """Read a round and verify its files against the ledger.

    Raises:
        InputError: There is no such round.
        Refused: A file is missing, or is not the one in the ledger.
    """
    entry = started_entry(ledger, round_id)
    if entry is None:
        known = ", ".join(ledger.subjects(entries.STARTED)) or "none; `hallmark labels start` starts one"
        raise InputError(f"there is no round of labels {round_id!r}; there are: {known}")
    folder = round_folder(state, round_id)
    said = _parse(LabelRound, _read_verified(folder / ROUND_FILE, str(entry.body.get(entries.DIGEST))), folder)
    rows = _read_lines(Item, _read_verified(folder / ROWS_FILE, said.rows_file), folder)
    gold = _read_lines(GoldItem, _read_verified(folder / GOLD_FILE, said.gold_file), folder)
    assignment = parse(_read_verified(folder / ASSIGNMENT_FILE, said.assignment_file))
    return RoundFiles(
        folder,
        ledger,
        said,
        {row.item: row for row in rows},
        {example.item: example for example in gold},
        {pseudonym: tuple(items) for pseudonym, items in assignment.items()},
    )


def serialise_lines(rows: Iterable[FrozenModel]) -> bytes:
    """Serialise models as JSON Lines."""
    return b"".join(canonical_json(row.model_dump(mode="json")) + b"\n" for row in rows)


def _read_lines(model: type[LineT], data: bytes, folder: Path) -> list[LineT]:
    try:
        return [model.model_validate(parse(line)) for line in data.splitlines()]
    except ValueError as error:
        raise Refused(f"{folder}: a row cannot be read ({document_error_message(error)})") from None


def _parse(model: type[DocumentT], data: bytes, folder: Path) -> DocumentT:
    try:
        return model.from_bytes(data)
    except ValueError as error:
        raise Refused(f"{folder}: a document cannot be read ({document_error_message(error)})") from None


def _read_verified(path: Path, sha256: str) -> bytes:
    try:
        data = path.read_bytes()
    except OSError as error:
        raise Refused(
            f"{path}: the ledger names this file, and it cannot be read ({error.strerror}); restore it from a backup"
        ) from None
    if sha256_bytes(data) != sha256:
        raise Refused(f"{path} is not the file that the ledger names; restore it from a backup")
    return data
