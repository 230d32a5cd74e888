"""The whole ledger as one file that a stranger verifies with the ledger's public key alone.

JSON lines, each canonical:

    {"format": "urn:hallmark:ledger-export:v1", "entries": N, "heads": M, "keys": [PUBLIC KEY LINE, …]}
    {"head": DSSE ENVELOPE, "where": TEXT}            M times, smallest first
    {"body": TEXT, "kind": TEXT, "seq": 1, …}         N times: the bytes that the tree is over (entry.py)
    {"attached": TEXT}                                after an entry that has something attached: that, as it is
"""

import json
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from pydantic import ValidationError

from tasks.config import Frozen
from tasks.errors import InputError, Refused, Unavailable
from tasks.files import canonical_json, whole_file
from tasks.govern.identity import keys
from tasks.govern.identity.validity import Key
from tasks.govern.ledger import heads, publish
from tasks.govern.ledger.attached import NAMED
from tasks.govern.ledger.entry import Kept, Row
from tasks.govern.ledger.heads import Void
from tasks.govern.ledger.ledger import Ledger
from tasks.govern.ledger.walk import Finding, Known, Report, Tick, judge, walk
from tasks.govern.rules.governance import Governance

FORMAT = "urn:hallmark:ledger-export:v1"


@dataclass(frozen=True)
class Exported:
    header: "Header"
    away: list[str]
    """Why heads of some places are not in it."""


class Header(Frozen):
    format: str
    entries: int
    heads: int
    keys: list[str]
    """Public keys that signed the heads. They count where the reader has them, or a fingerprint, by another way."""


def export(ledger: Ledger, governance: Governance, path: Path) -> Exported:
    """Write the entries and every head that can be reached; the file appears whole or not at all."""
    heads_of, away = _envelopes(governance)
    known = sorted(heads_of.items())
    last = ledger.last()  # after the heads, so that none covers more than the file holds
    header = Header(
        format=FORMAT, entries=last, heads=len(known), keys=[key.public_key for key in publish.signers(governance)]
    )
    with whole_file(path) as file:
        _write(file, canonical_json(header.model_dump()))
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
        with path.open("rb") as file:
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
    found = []
    for given in trusted:
        if isinstance(given, Key):
            found.append(given)
        elif not given.startswith("SHA256:"):
            keys.load_public(given)
            found.append(Key(public_key=given))
        elif given in prints:
            found.append(Key(public_key=prints[given]))
        else:
            known = ", ".join(prints) or "none"
            raise Refused(f"no key with the fingerprint {given} signed this; it names {known}")
    return found


def _envelopes(governance: Governance) -> tuple[dict[int, tuple[str, dict[str, Any]]], list[str]]:
    """A head of each size, with where it was found, once known to be signed; and why some cannot be had."""
    found: dict[int, tuple[str, dict[str, Any]]] = {}
    away = []
    for where in [*publish.places(governance), publish.local(governance)]:
        try:
            there = where.read(where.sizes())
        except (Refused, Unavailable) as error:
            away.append(str(error))
            continue
        for size, data in there.items():
            with suppress(Refused):  # what does not count, `hallmark ledger verify` tells
                head, envelope = heads.parse(data, publish.signers(governance))
                if head.size == size:
                    found[size] = (where.name, envelope)
    return found, away


def _write(file: IO[bytes], line: bytes) -> None:
    file.write(line + b"\n")


def _header(file: IO[bytes]) -> Header:
    try:
        header = Header.model_validate_json(file.readline())
        list(map(keys.load_public, header.keys))
    except (ValidationError, InputError):
        raise Refused("this is no exported ledger: its first line does not say so") from None
    if header.format != FORMAT:
        raise Refused(f"this is {header.format}, expected {FORMAT}")
    return header


def _heads(file: IO[bytes], count: int, those: list[Key]) -> tuple[list[Known], list[Finding]]:
    known, findings = [], []
    for number in range(1, count + 1):
        try:
            said = json.loads(file.readline())
            known.append(Known(heads.verify(said["head"], those), "the file"))
        except Void as error:
            findings.append(Finding(verdict="told", text=f"head {number} of the file counts for nothing: {error}"))
        except (Refused, ValueError, KeyError, TypeError, RecursionError) as error:
            findings.append(Finding(verdict="wrong", text=f"head {number} of the file does not count: {error}"))
    return known, findings


def _rows(file: IO[bytes]) -> Iterator[Kept]:
    """Entries of the file, each with what is attached to it, which stands in the line after."""
    row: Row | None = None
    for number, line in enumerate(file, start=1):
        try:
            said = json.loads(line)
            if row is not None and isinstance(said, dict) and said.keys() == {NAMED}:
                same = canonical_json(said) + b"\n" == line
                kept: Kept | None = Kept(row, said[NAMED].encode())
                row = None
            else:
                kept, row = Kept(row, None) if row else None, Row(**said)
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
