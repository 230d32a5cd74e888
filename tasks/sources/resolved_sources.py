"""Sources as they were resolved for a run: inputs/sources.json."""

import platform
from datetime import date
from pathlib import Path
from typing import Any

from pydantic import SerializerFunctionWrapHandler, model_serializer

from tasks.core.documents.config import FrozenModel
from tasks.core.errors import InputError
from tasks.core.params.values import Sha256
from tasks.sources.sources import Source, TermsByCategory


class ResolvedSource(FrozenModel):
    """Source whose content is pinned by its digest."""

    source: Source
    sha256: Sha256
    bytes: int
    cutoff: date | None = None
    """First day of the retention period. Records with an earlier `effective_from` are left out."""


class ResolvedTruth(FrozenModel):
    """Table of planted defects (`Sources.truth`), pinned by its digest."""

    path: str
    sha256: Sha256


class ResolvedSources(FrozenModel):
    """Sources as they were resolved for a run, inputs/sources.json."""

    sources: list[ResolvedSource]
    terms: TermsByCategory = {}
    edition_words: list[str] = []
    truth: ResolvedTruth | None = None
    as_of: date
    """First day of the month in which the sources were resolved. Stages use this day as the current date. Records that
    were retired by this day are left out."""
    vault: str
    """Fingerprint of the vault's key. Tokens are derived from this key."""
    suppressed: list[Sha256] = []
    """Digests of the people and rows that `ingest` leaves out, because somebody is to be forgotten
    (`tasks.sources.suppression_digests`), sorted. Earlier versions of Hallmark did not write this field."""
    python: str | None = None
    """Version of Python, such as `3.11`, with which the data stages must run, because Python's Unicode tables affect
    their outputs. Null if the run was resolved by an earlier version of Hallmark, which did not record the version."""

    @model_serializer(mode="wrap")
    def _leave_out_empty_suppression(self, serialise: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Leave `suppressed` out if it is empty, so that code of an earlier version can read the document.

        If it is not empty, such code refuses the document and so cannot bring the people back.
        """
        document: dict[str, Any] = serialise(self)
        return {name: value for name, value in document.items() if name != "suppressed" or value}


def load_resolved(path: Path) -> ResolvedSources:
    """Read inputs/sources.json.

    Raises:
        InputError: The file cannot be read, or its content is not valid.
    """
    try:
        return ResolvedSources.model_validate_json(path.read_bytes())
    except (OSError, ValueError) as error:  # pydantic's message would quote the owners' secret terms
        what = error.strerror if isinstance(error, OSError) else "not what it should hold"
        raise InputError(f"{path}: cannot be read ({what}); run `hallmark resolve` to write it") from None


def python_minor_version() -> str:
    """Return the version of Python without the patch number, for example `3.11`."""
    return ".".join(platform.python_version_tuple()[:2])
