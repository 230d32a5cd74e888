"""Folders that are made once and services that are started once for all pytest-xdist processes of a session."""

import fcntl
import json
import shutil
import traceback
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO

import pytest

from tests import costs


def made_once(place: Path, make: Callable[[Path], object]) -> Path:
    """Return the folder `place`; the first process that asks for it has `make` fill it and then renames it into place.

    `make` may itself call `made_once` for another folder. If it failed once, later calls fail at once with its error.
    """
    place.parent.mkdir(exist_ok=True)
    failed = place.with_name(f"{place.name}.failed")
    with _locked(place.parent, f"{place.name}.lock"):
        if failed.exists():
            pytest.fail(f"{place.name} could not be made:\n{failed.read_text()}", pytrace=False)
        if not place.exists():
            aside = place.with_name(f"{place.name}.aside")
            shutil.rmtree(aside, ignore_errors=True)
            aside.mkdir()
            try:
                with costs.charged_to_all():
                    make(aside)
            except Exception:
                failed.write_text(traceback.format_exc())
                raise
            aside.rename(place)
    return place


@contextmanager
def service(
    home: Path, name: str, start: Callable[[], dict[str, str]], stop: Callable[[dict[str, str]], None]
) -> Iterator[dict[str, str]]:
    """Use a service: the first process starts it, and the last one to leave stops it.

    Args:
        home: Folder that all processes of the session share.
        name: Name of the service, the same in all processes.
        start: Starts the service in processes that outlive this one, and returns its properties.
        stop: Ends the service, given the properties from `start`, perhaps in another process.
    """
    known = home / f"{name}.json"
    with (home / f"{name}.users").open("w") as users:
        with _locked(home, f"{name}.lock"):
            fcntl.flock(users, fcntl.LOCK_SH)
            if not known.exists():
                with costs.charged_to_all():
                    known.write_text(json.dumps(start()))
            found = json.loads(known.read_text())
        try:
            yield found
        finally:
            with _locked(home, f"{name}.lock"):
                fcntl.flock(users, fcntl.LOCK_UN)
                if _is_last(users):
                    known.unlink()
                    with costs.charged_to_all():
                        stop(found)


@contextmanager
def first_alone(home: Path, name: str) -> Iterator[None]:
    """Let one process run the block alone, and the others after it has finished."""
    done = home / f"{name}.done"
    with ExitStack() as turn:
        turn.enter_context(_locked(home, f"{name}.lock"))
        if done.exists():
            turn.close()
        yield
        done.touch()


@contextmanager
def _locked(home: Path, name: str) -> Iterator[None]:
    with (home / name).open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _is_last(users: IO[str]) -> bool:
    try:
        fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
