"""DVC's cache as files: an object lies under the MD5 of its bytes, a folder's under that of the list of its files."""

import hashlib
import json
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from tasks.core.layout import Layout


def drop_wrong(layout: Layout, lock: Mapping[str, Any]) -> int:
    """Remove the objects of a stage's outputs whose bytes are not those of their name. Returns how many they were."""
    wrong = [path for path in _objects(layout, lock) if path.is_file() and _md5(path) != _named(path)]
    for path in wrong:
        path.unlink()
    return len(wrong)


def _objects(layout: Layout, lock: Mapping[str, Any]) -> Iterator[Path]:
    for out in lock.get("outs", []):
        yield (listing := _place(layout, out["md5"]))
        with suppress(OSError, ValueError, KeyError, TypeError):
            if listing.suffix == ".dir":
                yield from [_place(layout, item["md5"]) for item in json.loads(listing.read_bytes())]


def _place(layout: Layout, md5: str) -> Path:
    return layout.state / "cache" / "files" / "md5" / md5[:2] / md5[2:]


def _md5(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()


def _named(path: Path) -> str:
    return (path.parent.name + path.name).removesuffix(".dir")
