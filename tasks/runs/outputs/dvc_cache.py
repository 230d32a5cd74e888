"""Outputs in DVC's cache, compared with a signed record before a run uses them.

The cache stores a file under the MD5 of its bytes, and a folder under the MD5 of the list of its files. DVC trusts such
a list, whatever paths it names, and trusts an object by its name. Outputs are therefore copied from the cache without
DVC, and their file names and SHA-256 digests are compared with a signed record.
"""

import os
import re
import shutil
import stat
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from tasks.core.files import copy, read_stage_json, sha256_file
from tasks.core.graph import DVC_STAGES
from tasks.core.layout import Layout
from tasks.trust.stage_record import Digests

MD5 = re.compile(r"[0-9a-f]{32}")


def restore(layout: Layout, stage: str, lock: Mapping[str, Any], left: Digests) -> bool:
    """Copy the outputs in a signed record from the cache to the worktree.

    Objects in the cache whose content does not match their name are removed.

    Returns:
        Whether the outputs were copied; False if the cache does not hold all of them with the signed digests.
    """
    found = _objects(layout, stage, lock, left)
    if found is None or remove_corrupt_objects(layout, stage, lock, left) or not all(map(_is_plain, found.values())):
        return False
    for place in layout.output_folders(stage, DVC_STAGES[stage].has_measurements):
        shutil.rmtree(place, ignore_errors=True)
    for name, path in found.items():
        place = layout.root / name
        place.parent.mkdir(parents=True, exist_ok=True)
        copy(path, place)
    return True


def remove_corrupt_objects(layout: Layout, stage: str, lock: Mapping[str, Any], left: Digests) -> int:
    """Remove cached objects of a stage that do not have the signed digest, and return their number.

    The list of a folder's files is removed too if it is unreadable or names other files.
    """
    found = _objects(layout, stage, lock, left)
    if found is None:
        return sum(map(_drop, _listings(layout, lock)))
    wrong = {path for name, path in found.items() if _exists(path) and not _has_digest(path, left[name])}
    return sum(map(_drop, wrong))


def remove_special_files(layout: Layout) -> None:
    """Remove everything from the cache that is not a file or folder, because DVC would wait forever for a pipe."""
    for folder, _, names in os.walk(_objects_folder(layout.run_state)):
        for path in (Path(folder, name) for name in names):
            with suppress(FileNotFoundError):  # DVC may be working in the cache for another run
                if not stat.S_ISREG(path.lstat().st_mode):
                    path.unlink()


def _objects(layout: Layout, stage: str, lock: Mapping[str, Any], left: Digests) -> dict[str, Path] | None:
    found: dict[str, Path] = {}
    places = {
        path.relative_to(layout.root).as_posix()
        for path in layout.output_folders(stage, DVC_STAGES[stage].has_measurements)
    }
    try:
        for out in lock["outs"]:
            if out["path"] not in places:  # the entry also names another output
                return None
            listing = read_stage_json(_object(layout, out["md5"]))
            found |= {f"{out['path']}/{item['relpath']}": _object(layout, item["md5"]) for item in listing}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
    return found if found.keys() == left.keys() else None


def _listings(layout: Layout, lock: Mapping[str, Any]) -> Iterator[Path]:
    for out in lock.get("outs") or []:
        try:
            yield _object(layout, out["md5"])
        except (ValueError, KeyError, TypeError, AttributeError):
            continue


def _object(layout: Layout, md5: str) -> Path:
    bare = md5.removesuffix(".dir")
    if not MD5.fullmatch(bare):
        raise ValueError(f"{md5!r} is no MD5")
    own, others = (_objects_folder(world) / bare[:2] / md5[2:] for world in (layout.run_state, layout.state))
    return own if own.exists() else others


def _objects_folder(world: Path) -> Path:
    return world / "cache" / "files" / "md5"


def _exists(path: Path) -> bool:
    return path.is_symlink() or path.exists()


def _is_plain(path: Path) -> bool:
    return path.is_file() and not path.is_symlink()


def _has_digest(path: Path, sha256: str) -> bool:
    return _is_plain(path) and sha256_file(path) == sha256


def _drop(path: Path) -> bool:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    elif _exists(path):
        path.unlink()
    else:
        return False
    return True
