"""Outputs in DVC's cache, compared with a signed record before a run uses them.

The cache stores a file under the MD5 of its bytes, and a folder under the MD5 of the list of its files. DVC trusts
these names: it verifies neither the paths in such a list nor the content of an object. Outputs are therefore copied
from the cache without DVC, and their file names and SHA-256 digests are compared with a signed record.
"""

import os
import re
import shutil
import stat
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from tasks.core.files import copy_file, read_stage_json, sha256_file
from tasks.core.graph import DVC_STAGES
from tasks.core.layout import Layout
from tasks.trust.stage_record import Digests

MD5 = re.compile(r"[0-9a-f]{32}")


def restore_outputs(layout: Layout, stage: str, lock: Mapping[str, Any], signed_digests: Digests) -> bool:
    """Copy the outputs that a signed record lists from the cache to the worktree.

    Cached objects of the stage that do not have the signed digest are removed.

    Returns:
        Whether the outputs were copied; False unless the cache holds all of them with the signed digests.
    """
    found = _find_objects(layout, stage, lock, signed_digests)
    if (
        found is None
        or remove_corrupt_objects(layout, stage, lock, signed_digests)
        or not all(map(_is_plain, found.values()))
    ):
        return False
    for place in layout.output_folders(stage, DVC_STAGES[stage].has_measurements):
        shutil.rmtree(place, ignore_errors=True)
    for name, path in found.items():
        place = layout.root / name
        place.parent.mkdir(parents=True, exist_ok=True)
        copy_file(path, place)
    return True


def remove_corrupt_objects(layout: Layout, stage: str, lock: Mapping[str, Any], signed_digests: Digests) -> int:
    """Remove cached objects of a stage that do not have the signed digest, and return their number.

    If the list of a folder's files is unreadable or names other files, the list is removed instead.
    """
    found = _find_objects(layout, stage, lock, signed_digests)
    if found is None:
        return sum(map(_remove, _listing_paths(layout, lock)))
    wrong = {path for name, path in found.items() if _exists(path) and not _has_digest(path, signed_digests[name])}
    return sum(map(_remove, wrong))


def remove_special_files(layout: Layout) -> None:
    """Remove links, pipes and other special files from the cache. DVC would wait forever for data from a pipe."""
    for folder, _, names in os.walk(objects_folder(layout.run_state)):
        for path in (Path(folder, name) for name in names):
            with suppress(FileNotFoundError):  # DVC may be working in the cache for another run
                if not stat.S_ISREG(path.lstat().st_mode):
                    path.unlink()


def has_outputs(layout: Layout, stage: str, lock: Mapping[str, Any], signed_digests: Digests) -> bool:
    """Return whether the cache has a file for each output that a signed record lists."""
    found = _find_objects(layout, stage, lock, signed_digests)
    return found is not None and all(map(_is_plain, found.values()))


def _find_objects(
    layout: Layout, stage: str, lock: Mapping[str, Any], signed_digests: Digests
) -> dict[str, Path] | None:
    found: dict[str, Path] = {}
    places = {
        path.relative_to(layout.root).as_posix()
        for path in layout.output_folders(stage, DVC_STAGES[stage].has_measurements)
    }
    try:
        for out in lock["outs"]:
            if out["path"] not in places:  # the entry also names another output
                return None
            listing = read_stage_json(_object_path(layout, out["md5"]))
            found |= {f"{out['path']}/{item['relpath']}": _object_path(layout, item["md5"]) for item in listing}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
    return found if found.keys() == signed_digests.keys() else None


def _listing_paths(layout: Layout, lock: Mapping[str, Any]) -> Iterator[Path]:
    for out in lock.get("outs") or []:
        try:
            yield _object_path(layout, out["md5"])
        except (ValueError, KeyError, TypeError, AttributeError):
            continue


def _object_path(layout: Layout, md5: str) -> Path:
    bare = md5.removesuffix(".dir")
    if not MD5.fullmatch(bare):
        raise ValueError(f"{md5!r} is no MD5")
    own, others = (objects_folder(world) / bare[:2] / md5[2:] for world in (layout.run_state, layout.state))
    return own if own.exists() else others


def objects_folder(world: Path) -> Path:
    return world / "cache" / "files" / "md5"


def _exists(path: Path) -> bool:
    return path.is_symlink() or path.exists()


def _is_plain(path: Path) -> bool:
    return path.is_file() and not path.is_symlink()


def _has_digest(path: Path, sha256: str) -> bool:
    return _is_plain(path) and sha256_file(path) == sha256


def _remove(path: Path) -> bool:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    elif _exists(path):
        path.unlink()
    else:
        return False
    return True
