"""Detection of the kind of a folder of documents, by the suffixes of its files."""

from collections import Counter
from pathlib import Path
from typing import NamedTuple

from tasks.core.errors import InputError
from tasks.core.steps.kinds import DOCUMENT_RULES, SOURCE_KINDS
from tasks.sources.sources import Source
from tasks.stages.data.readers import content
from tasks.stages.data.readers.folder_stream import describe_left_out, has_suffix, is_hidden, name_left_out
from tasks.stages.data.readers.kinds import reader_of


class FolderKind(NamedTuple):
    kind: str
    left_out: str
    """Numbers of files that a run leaves out, such as `3 .png, 1 hidden`; empty if there are none."""


def suffixes_of(kind: str) -> tuple[str, ...]:
    return tuple(filter(None, reader_of(kind).suffixes))


def detect_folder_kind(draft: Source, root: Path) -> FolderKind | None:
    """Return the kind of most files of a folder, or None if the source is a single file.

    Raises:
        InputError: No file of the folder has the suffix of a kind.
    """
    with content.open_folder(draft, root) as folder:
        if folder is None:
            return None
        names = [file.name for file in folder.list_files()]
    counts = {
        kind: sum(has_suffix(name, suffixes) and not is_hidden(name) for name in names)
        for kind, rules in SOURCE_KINDS.items()
        if set(DOCUMENT_RULES) <= set(rules) and (suffixes := suffixes_of(kind))
    }
    kind = max(counts, key=lambda each: counts[each])
    if not counts[kind]:
        wanted = ", ".join(suffix for each in counts for suffix in suffixes_of(each))
        raise InputError(f"{draft.location}: a folder of documents is read by their suffixes, {wanted}; it has none")
    rest = (name for name in names if is_hidden(name) or not has_suffix(name, reader_of(kind).suffixes))
    return FolderKind(kind, describe_left_out(Counter(map(name_left_out, rest))))
