"""DVC's cache as files: an object lies under the MD5 of its bytes, a folder's under that of the list of its files.

DVC itself takes such a list as it finds it, with whatever paths, and an object by its name. So what comes out of the
cache is taken here: the names are those of a signed record, and so are the bytes.
"""

import json
import os
import re
import shutil
import stat
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from tasks.core.files import copy, read_at_most, sha256_file
from tasks.core.graph import RUNS
from tasks.core.layout import Layout
from tasks.trust.stage_record import Digests

MOST = 256 * 2**20
"""Bytes of the list of a folder's files, a hundred or so for each."""
MD5 = re.compile(r"[0-9a-f]{32}")


def restore(layout: Layout, stage: str, lock: Mapping[str, Any], left: Digests) -> bool:
    """Put the outputs of a record in place, as files of their own. False where the cache has not all of
    them as they were; what it has under a wrong name is removed."""
    found = _objects(layout, stage, lock, left)
    if found is None or drop_wrong(layout, stage, lock, left) or not all(map(_is_plain, found.values())):
        return False
    for place in layout.outputs(stage, RUNS[stage].measures):
        shutil.rmtree(place, ignore_errors=True)
    for name, path in found.items():
        place = layout.root / name
        place.parent.mkdir(parents=True, exist_ok=True)
        copy(path, place)
    return True


def drop_wrong(layout: Layout, stage: str, lock: Mapping[str, Any], left: Digests) -> int:
    """Remove what lies in place of a stage's outputs in the cache and is something else; of a list that cannot be read,
    or names others, the list. Returns how many these are."""
    found = _objects(layout, stage, lock, left)
    if found is None:
        return sum(map(_drop, _listings(layout, lock)))
    wrong = {path for name, path in found.items() if _there(path) and not _is(path, left[name])}
    return sum(map(_drop, wrong))


def drop_odd(layout: Layout) -> None:
    """Remove what is neither a file nor a folder: DVC would wait for a pipe for ever."""
    for folder, _, names in os.walk(_place(layout.world)):
        for path in (Path(folder, name) for name in names):
            with suppress(FileNotFoundError):  # DVC may be at work there for another run
                if not stat.S_ISREG(path.lstat().st_mode):
                    path.unlink()


def _objects(layout: Layout, stage: str, lock: Mapping[str, Any], left: Digests) -> dict[str, Path] | None:
    """Where the cache has each output of a record; None where what lock and cache say is not about these."""
    found: dict[str, Path] = {}
    places = {path.relative_to(layout.root).as_posix() for path in layout.outputs(stage, RUNS[stage].measures)}
    try:
        for out in lock["outs"]:
            if out["path"] not in places:  # it is about something else as well
                return None
            listing = json.loads(read_at_most(_object(layout, out["md5"]), MOST))
            found |= {f"{out['path']}/{item['relpath']}": _object(layout, item["md5"]) for item in listing}
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None
    return found if found.keys() == left.keys() else None


def _listings(layout: Layout, lock: Mapping[str, Any]) -> Iterator[Path]:
    for out in lock.get("outs") or []:
        try:
            yield _object(layout, out["md5"])
        except (ValueError, KeyError, TypeError, AttributeError):
            continue


def _object(layout: Layout, md5: str) -> Path:
    """Raises ValueError for what is no name of one."""
    bare = md5.removesuffix(".dir")
    if not MD5.fullmatch(bare):
        raise ValueError(f"{md5!r} is no MD5")
    own, others = (_place(world) / bare[:2] / md5[2:] for world in (layout.world, layout.state))
    return own if own.exists() else others


def _place(world: Path) -> Path:
    return world / "cache" / "files" / "md5"


def _there(path: Path) -> bool:
    return path.is_symlink() or path.exists()


def _is_plain(path: Path) -> bool:
    return path.is_file() and not path.is_symlink()


def _is(path: Path, sha256: str) -> bool:
    return _is_plain(path) and sha256_file(path) == sha256


def _drop(path: Path) -> bool:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    elif _there(path):
        path.unlink()
    else:
        return False
    return True
