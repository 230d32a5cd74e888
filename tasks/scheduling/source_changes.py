"""Changes of the sources that a trigger watches.

`.hallmark/occasions/NAME.json` contains a sketch of each source from the trigger's last comparison.

A trigger compares the content that a run would read. If the commit contains the file, this is the committed content, so
an edit counts only once it is committed. The sketches are replaced when a run has been requested for the new content,
or when the last run of the same params file has read it, even if a person requested that run. If the file with the
sketches is lost, the next check only stores new sketches.
"""

import secrets
from datetime import datetime
from pathlib import Path

from pydantic import ValidationError

from tasks.core import files
from tasks.core.documents.config import FrozenModel
from tasks.core.errors import InputError, Unavailable
from tasks.core.files import sha256_bytes
from tasks.core.formatting import format_share
from tasks.core.json_text import canonical_json
from tasks.ledger.ledger import Ledger
from tasks.runs.requests.commit_files import CommitFiles
from tasks.runs.requests.source_resolution import require_allowed_location
from tasks.scheduling import recent_runs, sketch
from tasks.scheduling.deployments_file import SourceChanged
from tasks.scheduling.occasion_log import OccasionLog
from tasks.scheduling.sketch import Sketch
from tasks.sources.sources import Source, Sources
from tasks.stages.data.readers.content import read_blocks


class StoredSketches(FrozenModel):
    key: str
    """Key of the line hashes, in hex."""
    since: datetime
    """Time since which the trigger has been active. If this time changes, because of a pause or new settings, new
    sketches are made."""
    sources: dict[str, Sketch]


class SourceChange(FrozenModel):
    """Change of sources that exceeds the threshold of a trigger."""

    id: str
    words: str
    contents: dict[str, str]
    """SHA-256 of the content of every watched source, by source id."""


def find_source_change(
    name: str,
    trigger: SourceChanged,
    since: datetime,
    declared_sources: Sources,
    ledger: Ledger,
    log: OccasionLog,
    commit: CommitFiles,
) -> SourceChange | None:
    """Return the change of a trigger's sources if it exceeds the threshold. The first check only stores sketches.

    Args:
        name: Name of the trigger.
        trigger: Settings of the trigger.
        since: Time since which the trigger has been active.
        declared_sources: Declared sources.
        ledger: Ledger of the installation.
        log: Occasions in the ledger.
        commit: Commit that a run would use.

    Raises:
        InputError: A source is not in sources.yaml or cannot be read.
        Unavailable: A store or file cannot be reached.
    """
    path = commit.checkout.root / ".hallmark" / "occasions" / f"{name}.json"
    before = _read_sketches(path)
    key = bytes.fromhex(before.key) if before else secrets.token_bytes(16)
    now = {
        source.id: _sketch_source(source, commit, key) for source in _watched_sources(name, trigger, declared_sources)
    }
    contents = {source: each.sha256 for source, each in now.items()}
    last = log.last_taken(name)
    asked = last is not None and last.body.get("contents") == contents
    anew = before is None or before.since != since or before.sources.keys() != now.keys()
    if before is None or anew or asked or _was_read_by_last_run(contents, trigger, ledger):
        _write_sketches(path, StoredSketches(key=key.hex(), since=since, sources=now), before)
        return None
    shares = {source: sketch.changed_fraction(before.sources[source], each) for source, each in now.items()}
    wide = {source: share for source, share in shares.items() if share > trigger.beyond}
    if not wide:
        return None
    words = ", ".join(f"{source} by {format_share(share)} of its lines" for source, share in sorted(wide.items()))
    digest = sha256_bytes(canonical_json({"contents": contents, "after": last.key if last else None}))
    return SourceChange(id=digest[:16], words=f"{words} (more than {format_share(trigger.beyond)})", contents=contents)


def _watched_sources(name: str, trigger: SourceChanged, named: Sources) -> list[Source]:
    known = {source.id: source for source in named.sources}
    if unknown := sorted(set(trigger.sources or []) - known.keys()):
        raise InputError(f"trigger {name}: sources.yaml has no source {', '.join(unknown)}; it has {', '.join(known)}")
    return [source for id_, source in known.items() if trigger.sources is None or id_ in trigger.sources]


def _sketch_source(source: Source, commit: CommitFiles, key: bytes) -> Sketch:
    require_allowed_location(source, commit.checkout.root)
    try:
        with commit.open_source(source) as file:
            return sketch.make_sketch(read_blocks(file, source), key)
    except OSError as error:
        raise Unavailable(f"source {source.id} cannot be read: {error.strerror or error}") from None


def _was_read_by_last_run(contents: dict[str, str], trigger: SourceChanged, ledger: Ledger) -> bool:
    """Return whether the last run of a trigger's params file read exactly these contents.

    Earlier runs do not count, because the runs after them read other contents.
    """
    last = next(recent_runs.matching_runs(ledger, trigger), None)
    return last is not None and contents.items() <= last.entry.body.get("sources", {}).items()


def _read_sketches(path: Path) -> StoredSketches | None:
    try:
        return StoredSketches.model_validate_json(path.read_bytes())
    except (FileNotFoundError, ValidationError):
        return None


def _write_sketches(path: Path, seen: StoredSketches, before: StoredSketches | None) -> None:
    if seen != before:
        files.write_bytes(path, seen.model_dump_json().encode(), mode=0o600)
