"""What a trigger on sources saw last, in `.hallmark/occasions/NAME.json`: a sketch of each source.

It sees what a run would read: of a file that the commit holds the committed content, so that an edit asks for a run
once it is committed. The sketch moves on once a run has been asked for, or the last run of the same params file, which
somebody may have asked for, has read the same content. Where it is lost, the next look begins anew, and compares with
nothing.
"""

import secrets
from datetime import datetime
from pathlib import Path

from pydantic import ValidationError

from tasks.core import files
from tasks.core.config import Frozen
from tasks.core.errors import InputError, Unavailable
from tasks.core.files import canonical_json, sha256_bytes
from tasks.ledger.ledger import Ledger
from tasks.occasions import recent, sketch
from tasks.occasions.book import Book
from tasks.occasions.declared import SourceChanged
from tasks.occasions.sketch import Sketch
from tasks.runs.committed import Committed
from tasks.runs.pin import require_data
from tasks.sources.sources import Source, Sources
from tasks.stages.data.readers.content import BLOCK


class Seen(Frozen):
    """The file of one trigger."""

    key: str
    """Of the hashes, in hex."""
    since: datetime
    """From when the trigger counted then: after a pause, and where it watches something else, it begins anew."""
    sources: dict[str, Sketch]


class Change(Frozen):
    """That sources differ from what was seen last by more than the trigger says."""

    id: str
    """The digest that tells it from others."""
    words: str
    contents: dict[str, str]
    """SHA-256 of every source that is watched, by id."""


def look(
    name: str, trigger: SourceChanged, since: datetime, named: Sources, ledger: Ledger, book: Book, commit: Committed
) -> Change | None:
    """The change of a trigger's sources, if it is one. The first look sees nothing to compare with.

    `commit`: of which a run would be made.

    Raises InputError for a source that sources.yaml has not, or that cannot be read, Unavailable where one is away.
    """
    path = commit.checkout.root / ".hallmark" / "occasions" / f"{name}.json"
    before = _read(path)
    key = bytes.fromhex(before.key) if before else secrets.token_bytes(16)
    now = {source.id: _sketch(source, commit, key) for source in _watched(name, trigger, named)}
    contents = {source: each.sha256 for source, each in now.items()}
    last = book.taken(name)
    asked = last is not None and last.body.get("contents") == contents
    anew = before is None or before.since != since or before.sources.keys() != now.keys()
    if before is None or anew or asked or _was_read(contents, trigger, ledger):
        _write(path, Seen(key=key.hex(), since=since, sources=now), before)
        return None
    shares = {source: sketch.changed(before.sources[source], each) for source, each in now.items()}
    wide = {source: share for source, share in shares.items() if share > trigger.beyond}
    if not wide:
        return None
    words = ", ".join(f"{source} by {share:.1%} of its lines" for source, share in sorted(wide.items()))
    told = sha256_bytes(canonical_json({"contents": contents, "after": last.key if last else None}))
    return Change(id=told[:16], words=f"{words} (more than {trigger.beyond:.1%})", contents=contents)


def _watched(name: str, trigger: SourceChanged, named: Sources) -> list[Source]:
    known = {source.id: source for source in named.sources}
    if unknown := sorted(set(trigger.sources or []) - known.keys()):
        raise InputError(f"trigger {name}: sources.yaml has no source {', '.join(unknown)}; it has {', '.join(known)}")
    return [source for id_, source in known.items() if trigger.sources is None or id_ in trigger.sources]


def _sketch(source: Source, commit: Committed, key: bytes) -> Sketch:
    require_data(source, commit.checkout.root)
    try:
        with commit.opened(source) as file:
            return sketch.of(iter(lambda: file.read(BLOCK), b""), key)
    except OSError as error:
        raise Unavailable(f"source {source.id} cannot be read: {error.strerror or error}") from None


def _was_read(contents: dict[str, str], trigger: SourceChanged, ledger: Ledger) -> bool:
    """Whether the last run of a trigger's params file has read these very contents. Earlier ones do not count: what was
    made since is of other contents."""
    last = next(recent.runs_of(ledger, trigger), None)
    return last is not None and contents.items() <= last.entry.body.get("sources", {}).items()


def _read(path: Path) -> Seen | None:
    try:
        return Seen.model_validate_json(path.read_bytes())
    except (FileNotFoundError, ValidationError):
        return None


def _write(path: Path, seen: Seen, before: Seen | None) -> None:
    if seen != before:
        files.write_bytes(path, seen.model_dump_json().encode(), mode=0o600)
