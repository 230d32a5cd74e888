"""Guideline of a round: a file that is pinned by its digest, with a version that names one text alone."""

from pathlib import Path

from tasks.core.documents import config
from tasks.core.errors import InputError, Refused
from tasks.core.files import read_bounded, sha256_bytes
from tasks.labels import entries
from tasks.labels.label_round import Guideline
from tasks.ledger.ledger import Ledger

MAX_GUIDELINE_BYTES = 8 * 2**20
MAX_VERSION_CHARS = 50


def read_guideline(path: Path, version: str, ledger: Ledger) -> tuple[Guideline, bytes]:
    """Read the guideline.

    Raises:
        InputError: The file cannot be read, or the version is no text that a line shows.
        Refused: An earlier round used another text under the same name and version.
    """
    version = version.strip()
    config.refuse_hidden_characters(version, "the version of the guideline")
    config.refuse_hidden_characters(path.name, "the name of the guideline")
    if not version or len(version) > MAX_VERSION_CHARS:
        raise InputError(f"--guideline-version: expected 1 to {MAX_VERSION_CHARS} characters, e.g. 2 or 2026-03")
    try:
        data = read_bounded(path, MAX_GUIDELINE_BYTES)
    except (OSError, ValueError) as error:
        what = error.strerror if isinstance(error, OSError) else f"it has more than {MAX_GUIDELINE_BYTES:,} bytes"
        raise InputError(f"--guideline {path}: cannot be read ({what})") from None
    if not data.strip():
        raise InputError(f"--guideline {path}: it is empty; write by what annotators decide")
    guideline = Guideline(name=path.name, version=version, sha256=sha256_bytes(data))
    for entry in ledger.entries(entries.STARTED):
        used = Guideline.model_validate(entry.body["guideline"])
        if (used.name, used.version) == (guideline.name, version) and used.sha256 != guideline.sha256:
            raise Refused(
                f"version {version} of {path.name} was another text in round {entry.subject} (SHA-256 "
                f"{used.sha256[:12]}…, now {guideline.sha256[:12]}…); give the changed guideline a version of its own"
            )
    return guideline, data
