"""The whole ledger as one file, which anybody can verify with the ledger's public key alone.

Lines of canonical JSON with exactly these keys:

    {"entries": N, "heads": M, "keys": [PUBLIC KEY LINE, …], "type": "urn:hallmark:ledger-export:v1"}
    {"head": DSSE ENVELOPE, "where": TEXT}            M times, smallest first
    {"body": TEXT, "kind": TEXT, "seq": 1, …}         N times: the leaves of the tree (entry.py)
    {"attached": TEXT}                                after an entry with an attached document: the document

Signed heads cover the entries, and entries cover their documents. Two things are unsigned: the counts in the first
line, which are compared with the rest of the file, and `where`, the place where a head was found, which no verification
uses.
"""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Annotated, Any, Literal

from pydantic import Field, StrictInt

from tasks.core.documents.config import FrozenModel
from tasks.core.documents.document import Document, document_error_message
from tasks.core.errors import InputError, Refused, Unavailable
from tasks.core.files import atomic_file, open_regular_file
from tasks.core.json_text import NotCanonical, canonical_json, parse, parse_canonical
from tasks.ledger import attachments
from tasks.ledger import entry as ledger_entry
from tasks.ledger.attachments import DIGEST_KEY
from tasks.ledger.entry import Row, RowWithDocument
from tasks.ledger.entry_verification import (
    BoundedMessages,
    Finding,
    KnownHead,
    ProgressCallback,
    Report,
    make_report,
    verify_entries,
)
from tasks.ledger.heads import heads, publication
from tasks.ledger.heads.heads import VoidHead
from tasks.ledger.ledger import Ledger
from tasks.trust import keys
from tasks.trust.ledger_keys import LedgerKeys
from tasks.trust.validity import Key

# An export comes from somebody else: its counts are not trusted, and reading stops at a line that is too long. JSON
# takes about thirty times its length in memory.
MAX_HEADER_BYTES = 2**20
"""Maximum size in bytes of the first line, and of each line with a head."""
MAX_DOCUMENT_LINE_BYTES = 2 * attachments.MAX_DOCUMENT_BYTES + 64
"""Maximum size in bytes of a line with an attached document. A document is JSON, whose size at most doubles when it is
quoted as a JSON string."""
_DOCUMENT_LINE_START = f'{{"{DIGEST_KEY}":'.encode()


@dataclass(frozen=True)
class ExportResult:
    header: "Header"
    unavailable: list[str]


class Header(Document):
    type: Literal["urn:hallmark:ledger-export:v1"] = "urn:hallmark:ledger-export:v1"
    entries: Annotated[StrictInt, Field(ge=0)]
    heads: Annotated[StrictInt, Field(ge=0)]
    keys: list[str]
    """Public keys that signed the heads. Readers must know each key, or its fingerprint, from a trusted source."""


class HeadLine(FrozenModel):
    head: dict[str, Any]
    where: str
    """Folder, bucket or git remote in which the head was found."""


def export_ledger(ledger: Ledger, keyholder: LedgerKeys, path: Path) -> ExportResult:
    """Write all entries and every readable head to a file, atomically."""
    heads_of, away = _collect_envelopes(keyholder)
    known = sorted(heads_of.items())
    last = ledger.last_seq()  # read after the heads, so that no head covers more entries than the file holds
    header = Header(entries=last, heads=len(known), keys=[key.public_key for key in publication.ledger_keys(keyholder)])
    with atomic_file(path) as file:
        _write_line(file, header.serialised)
        for _, (where, envelope) in known:
            _write_line(file, canonical_json({"head": envelope, "where": where}))
        for row, document in ledger.rows_with_documents(upto=last):
            _write_line(file, row.leaf_bytes())
            if document is not None:
                _write_line(file, canonical_json({DIGEST_KEY: document.decode(errors="replace")}))
    return ExportResult(header, away)


def verify_export(path: Path, trusted: Sequence[str | Key], on_progress: ProgressCallback = lambda _: None) -> Report:
    """Verify an export against trusted public keys.

    Args:
        path: File to verify.
        trusted: Trusted keys, each as a `Key`, a public key line, or the fingerprint of a key in the file.
        on_progress: Function that is called with the number of entries verified so far.

    Raises:
        InputError: The file cannot be read.
        Refused: The file is not an export, or does not contain a key with a given fingerprint.
    """
    try:
        with open_regular_file(path) as file:
            header = _read_header(file)
            known, findings = _read_heads(file, header.heads, parse_trusted_keys(trusted, header.keys))
            walked = verify_entries(_read_rows(file), known, on_progress)
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}); give the path of an exported ledger") from None
    if walked.tree.size != header.entries:
        text = f"the file holds {walked.tree.size:,} entries, and says {header.entries:,}"
        findings.append(Finding(verdict="wrong", text=text))
    if not known:
        findings.append(Finding(verdict="wrong", text="no head in the file is signed by the keys given"))
    report = make_report(walked, known)
    text = "what was recorded after its newest head cannot be seen from the file; ask for that head elsewhere"
    return report.model_copy(update={"findings": [*report.findings, *findings, Finding(verdict="told", text=text)]})


def parse_trusted_keys(trusted: Sequence[str | Key], offered_keys: list[str]) -> list[Key]:
    """Convert trusted keys to `Key` objects. Fingerprints are looked up in the `offered_keys` public key lines.

    Raises:
        InputError: A string is neither a public key line nor a fingerprint.
        Refused: No offered key has a given fingerprint.
    """
    prints = {keys.fingerprint(line): line for line in offered_keys}
    counting = []
    for given in trusted:
        if isinstance(given, Key):
            counting.append(given)
        elif not given.startswith("SHA256:"):
            keys.load_public_key(given)
            counting.append(Key(public_key=given))
        elif given in prints:
            counting.append(Key(public_key=prints[given]))
        else:
            known = ", ".join(prints) or "none"
            raise Refused(f"no key with the fingerprint {given} signed this; it names {known}")
    return counting


def _collect_envelopes(keyholder: LedgerKeys) -> tuple[dict[int, tuple[str, dict[str, Any]]], list[str]]:
    envelopes: dict[int, tuple[str, dict[str, Any]]] = {}
    away = []
    for where in [*publication.configured_places(keyholder), publication.local_head_place(keyholder)]:
        try:
            there = where.read(where.sizes())
        except (Refused, Unavailable) as error:
            away.append(str(error))
            continue
        for size, data in there.items():
            with suppress(Refused):  # `hallmark ledger verify` reports heads that do not count
                head, envelope = heads.parse_head(data, publication.ledger_keys(keyholder))
                if head.size == size:
                    envelopes[size] = (where.name, envelope)
    return envelopes, away


def _write_line(file: IO[bytes], line: bytes) -> None:
    file.write(line + b"\n")


def _read_header(file: IO[bytes]) -> Header:
    try:
        header = Header.from_value(_parse_canonical(_read_line(file, MAX_HEADER_BYTES)))
        list(map(keys.load_public_key, header.keys))
    except (ValueError, InputError) as error:
        raise Refused(
            f"this is no exported ledger: its first line does not say so ({document_error_message(error)})"
        ) from None
    return header


def _read_heads(file: IO[bytes], count: int, trusted_keys: list[Key]) -> tuple[list[KnownHead], list[Finding]]:
    """Read the lines with heads, and return the valid heads and findings about all other heads.

    Raises:
        Refused: A line is not a head, so the lines after it cannot be interpreted.
    """
    known, void, wrong = list[KnownHead](), BoundedMessages(), BoundedMessages()
    for number in range(1, count + 1):
        try:
            envelope = HeadLine.model_validate(_parse_canonical(_read_line(file, MAX_HEADER_BYTES))).head
        except ValueError as error:
            text = (
                f"the file says that it has {count:,} heads, and line {number + 1} is none "
                f"({document_error_message(error)})"
            )
            raise Refused(text) from None
        try:
            known.append(KnownHead(heads.verify_head(envelope, trusted_keys), "the file"))
        except VoidHead as error:
            void.add(f"head {number} of the file counts for nothing: {error}")
        except (Refused, ValueError, TypeError) as error:
            wrong.add(f"head {number} of the file does not count: {error}")
    findings = [Finding(verdict="told", text=text) for text in void.texts]
    return known, findings + [Finding(verdict="wrong", text=text) for text in wrong.texts]


def _read_rows(file: IO[bytes]) -> Iterator[RowWithDocument]:
    row: Row | None = None
    number = 0
    while line := _read_line(file, MAX_DOCUMENT_LINE_BYTES):
        number += 1
        try:
            if row is not None and line.startswith(_DOCUMENT_LINE_START):
                document = _parse_document(line)
                same = canonical_json({DIGEST_KEY: document}) + b"\n" == line
                kept: RowWithDocument | None = RowWithDocument(row, document.encode())
                row = None
            else:
                kept, row = (
                    RowWithDocument(row, None) if row else None,
                    ledger_entry.parse_leaf(_require_length(line, ledger_entry.MAX_LEAF_BYTES)),
                )
                same = row.leaf_bytes() + b"\n" == line
        except (Refused, ValueError, TypeError, AttributeError) as error:
            raise Refused(f"line {number} of the file's entries cannot be read ({error})") from None
        if not same:
            raise Refused(f"line {number} of the file's entries is not in canonical form; it was changed after the "
                          "export")  # fmt: skip
        if kept:
            yield kept
    if row is not None:
        yield RowWithDocument(row, None)


def _parse_canonical(line: bytes) -> Any:
    try:
        return parse_canonical(line, required_suffix=b"\n")
    except NotCanonical as error:
        raise ValueError(f"{error}; it was changed after the export") from None


def _parse_document(line: bytes) -> str:
    """Return the document in a line. Only a JSON string is parsed, because other JSON can need much more memory."""
    inside = line.removeprefix(_DOCUMENT_LINE_START).removesuffix(b"}\n")
    if not inside.startswith(b'"'):
        raise ValueError("what is attached is no text")
    text: str = parse(inside)
    return text


def _read_line(file: IO[bytes], most: int) -> bytes:
    return _require_length(file.readline(most + 1), most)


def _require_length(line: bytes, most: int) -> bytes:
    if len(line) > most:
        raise Refused(f"the file has a line of more than {most:,} bytes where an export has none that long")
    return line
