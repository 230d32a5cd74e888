"""The whole ledger as one file that a stranger verifies with the ledger's public key alone.

JSON lines, each canonical, and no other key in any:

    {"entries": N, "heads": M, "keys": [PUBLIC KEY LINE, …], "type": "urn:hallmark:ledger-export:v1"}
    {"head": DSSE ENVELOPE, "where": TEXT}            M times, smallest first
    {"body": TEXT, "kind": TEXT, "seq": 1, …}         N times: the bytes that the tree is over (entry.py)
    {"attached": TEXT}                                after an entry that has something attached: that, as it is

Signed heads cover the entries, and these what is attached to them. Nothing covers the first line's counts, which are
compared with what follows, and `where`, which says where a head was found and is believed by nobody.
"""

import json
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Annotated, Any, Literal

from pydantic import Field, StrictInt

from tasks.core.config import Frozen
from tasks.core.document import Document, why
from tasks.core.errors import InputError, Refused, Unavailable
from tasks.core.files import canonical_json, open_plain, whole_file
from tasks.ledger import attached
from tasks.ledger import entry as ledger_entry
from tasks.ledger.attached import NAMED
from tasks.ledger.entry import Kept, Row
from tasks.ledger.heads import heads, publish
from tasks.ledger.heads.heads import Void
from tasks.ledger.ledger import Ledger
from tasks.ledger.walk import Finding, Known, Listed, Report, Tick, judge, walk
from tasks.trust import keys
from tasks.trust.keyholder import Keyholder
from tasks.trust.validity import Key

# A file is somebody else's: no count in it is believed, and no line read that is longer than it can be. JSON takes some
# thirty times its length in memory.
HEADER_MOST = 2**20
"""Bytes of the header's line, and of a head's."""
ATTACHED_MOST = 2 * attached.MOST + 64
"""Bytes of the line of what is attached: JSON itself, of which spelling it as JSON makes at most twice as much."""
_ATTACHED = f'{{"{NAMED}":'.encode()
"""How such a line begins; its text is read alone."""


@dataclass(frozen=True)
class Exported:
    header: "Header"
    away: list[str]
    """Why heads of some places are not in it."""


class Header(Document):
    type: Literal["urn:hallmark:ledger-export:v1"] = "urn:hallmark:ledger-export:v1"
    entries: Annotated[StrictInt, Field(ge=0)]
    heads: Annotated[StrictInt, Field(ge=0)]
    keys: list[str]
    """Public keys that signed the heads. They count where the reader has them, or a fingerprint, by another way."""


class HeadLine(Frozen):
    head: dict[str, Any]
    """DSSE envelope."""
    where: str
    """Place where it was found."""


def export(ledger: Ledger, keyholder: Keyholder, path: Path) -> Exported:
    """Write the entries and every head that can be reached; the file appears whole or not at all."""
    heads_of, away = _envelopes(keyholder)
    known = sorted(heads_of.items())
    last = ledger.last()  # after the heads, so that none covers more than the file holds
    header = Header(entries=last, heads=len(known), keys=[key.public_key for key in publish.signers(keyholder)])
    with whole_file(path) as file:
        _write(file, header.spelled)
        for _, (where, envelope) in known:
            _write(file, canonical_json({"head": envelope, "where": where}))
        for row, document in ledger.kept(upto=last):
            _write(file, row.leaf())
            if document is not None:
                _write(file, canonical_json({NAMED: document.decode(errors="replace")}))
    return Exported(header, away)


def verify(path: Path, trusted: Sequence[str | Key], tick: Tick = lambda _: None) -> Report:
    """Check a file against public keys, each given whole, as a line or as a fingerprint.

    Raises InputError where it cannot be read, Refused where it is no export or none of the keys signed it.
    """
    try:
        with open_plain(path) as file:
            header = _header(file)
            known, findings = _heads(file, header.heads, trusted_keys(trusted, header.keys))
            walked = walk(_rows(file), known, tick)
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}); give the path of an exported ledger") from None
    if walked.tree.size != header.entries:
        text = f"the file holds {walked.tree.size:,} entries, and says {header.entries:,}"
        findings.append(Finding(verdict="wrong", text=text))
    if not known:
        findings.append(Finding(verdict="wrong", text="no head in the file is signed by the keys given"))
    report = judge(walked, known)
    text = "what was recorded after its newest head cannot be seen from the file; ask for that head elsewhere"
    return report.model_copy(update={"findings": [*report.findings, *findings, Finding(verdict="told", text=text)]})


def trusted_keys(trusted: Sequence[str | Key], offered: list[str]) -> list[Key]:
    """Keys that count: those given, and of the lines offered the ones whose fingerprint was given.

    Raises InputError for a text that is neither, Refused for a fingerprint that nothing offered has.
    """
    prints = {keys.fingerprint(line): line for line in offered}
    counting = []
    for given in trusted:
        if isinstance(given, Key):
            counting.append(given)
        elif not given.startswith("SHA256:"):
            keys.load_public(given)
            counting.append(Key(public_key=given))
        elif given in prints:
            counting.append(Key(public_key=prints[given]))
        else:
            known = ", ".join(prints) or "none"
            raise Refused(f"no key with the fingerprint {given} signed this; it names {known}")
    return counting


def _envelopes(keyholder: Keyholder) -> tuple[dict[int, tuple[str, dict[str, Any]]], list[str]]:
    """A head of each size, with where it was found, once known to be signed; and why some cannot be had."""
    envelopes: dict[int, tuple[str, dict[str, Any]]] = {}
    away = []
    for where in [*publish.places(keyholder), publish.local(keyholder)]:
        try:
            there = where.read(where.sizes())
        except (Refused, Unavailable) as error:
            away.append(str(error))
            continue
        for size, data in there.items():
            with suppress(Refused):  # what does not count, `hallmark ledger verify` tells
                head, envelope = heads.parse(data, publish.signers(keyholder))
                if head.size == size:
                    envelopes[size] = (where.name, envelope)
    return envelopes, away


def _write(file: IO[bytes], line: bytes) -> None:
    file.write(line + b"\n")


def _header(file: IO[bytes]) -> Header:
    try:
        header = Header.read(_canonical(_line(file, HEADER_MOST)))
        list(map(keys.load_public, header.keys))
    except (ValueError, InputError) as error:
        raise Refused(f"this is no exported ledger: its first line does not say so ({why(error)})") from None
    return header


def _heads(file: IO[bytes], count: int, those: list[Key]) -> tuple[list[Known], list[Finding]]:
    """The heads that count, and what is to say of the others. Raises Refused where `count` lines of heads do not stand
    there: what comes after them would be read as something else."""
    known, void, wrong = list[Known](), Listed(), Listed()
    for number in range(1, count + 1):
        try:
            envelope = HeadLine.model_validate(_canonical(_line(file, HEADER_MOST))).head
        except ValueError as error:
            text = f"the file says that it has {count:,} heads, and line {number + 1} is none ({why(error)})"
            raise Refused(text) from None
        try:
            known.append(Known(heads.verify(envelope, those), "the file"))
        except Void as error:
            void.add(f"head {number} of the file counts for nothing: {error}")
        except (Refused, ValueError, TypeError) as error:
            wrong.add(f"head {number} of the file does not count: {error}")
    findings = [Finding(verdict="told", text=text) for text in void.texts]
    return known, findings + [Finding(verdict="wrong", text=text) for text in wrong.texts]


def _rows(file: IO[bytes]) -> Iterator[Kept]:
    """Entries of the file, each with what is attached to it, which stands in the line after."""
    row: Row | None = None
    number = 0
    while line := _line(file, ATTACHED_MOST):
        number += 1
        try:
            if row is not None and line.startswith(_ATTACHED):
                document = _text(line)
                same = canonical_json({NAMED: document}) + b"\n" == line
                kept: Kept | None = Kept(row, document.encode())
                row = None
            else:
                kept, row = Kept(row, None) if row else None, ledger_entry.of_leaf(_at_most(line, ledger_entry.MOST))
                same = row.leaf() + b"\n" == line
        except (Refused, ValueError, TypeError, AttributeError, RecursionError) as error:
            raise Refused(f"line {number} of the file's entries cannot be read ({error})") from None
        if not same:
            raise Refused(f"line {number} of the file's entries is not in canonical form; it was changed after the "
                          "export")  # fmt: skip
        if kept:
            yield kept
    if row is not None:
        yield Kept(row, None)


def _canonical(line: bytes) -> Any:
    """The value in a line. Raises ValueError for one that is not in the one spelling, as an object with a key twice."""
    try:
        value = json.loads(line)
        same = canonical_json(value) + b"\n" == line
    except RecursionError:
        raise ValueError("it is nested too deep") from None
    if not same:
        raise ValueError("it is not in canonical form; it was changed after the export")
    return value


def _text(line: bytes) -> str:
    """What a line of something attached holds, if that is a text; nothing else is taken apart."""
    inside = line.removeprefix(_ATTACHED).removesuffix(b"}\n")
    if not inside.startswith(b'"'):
        raise ValueError("what is attached is no text")
    text: str = json.loads(inside)
    return text


def _line(file: IO[bytes], most: int) -> bytes:
    """The next line; empty at the end. Raises Refused for one that is too long, which is not read to its end."""
    return _at_most(file.readline(most + 1), most)


def _at_most(line: bytes, most: int) -> bytes:
    if len(line) > most:
        raise Refused(f"the file has a line of more than {most:,} bytes where an export has none that long")
    return line
