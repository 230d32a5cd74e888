"""Keys of callers, in .hallmark/gateway/keys.json. Only their digests are stored.

A caller can have several keys. A new one is given out before the old one is revoked, so that no request fails.
"""

import re
import secrets
from contextlib import AbstractContextManager
from datetime import UTC, datetime, timedelta
from pathlib import Path

from pydantic import AwareDatetime

from tasks.core import files
from tasks.core.documents.config import FrozenModel
from tasks.core.documents.document import document_error_message
from tasks.core.errors import InputError, Unavailable
from tasks.core.machine import locks
from tasks.core.params.values import Sha256

PREFIX = "hmk-"
"""Beginning of every key, by which scanners for credentials can find it."""
CALLER_PATTERN = re.compile(r"[a-z0-9][a-z0-9_.-]{0,63}")
MAX_KEY_CHARS = 200
MAX_FILE_BYTES = 16 << 20


class CallerKey(FrozenModel):
    caller: str
    sha256: Sha256
    created: AwareDatetime
    expires: AwareDatetime | None = None

    @property
    def id(self) -> str:
        """Short id of the key, which is not secret."""
        return self.sha256[:8]

    def is_valid(self, now: datetime) -> bool:
        return self.expires is None or now < self.expires


class _KeyFile(FrozenModel):
    version: int = 1
    keys: list[CallerKey] = []


class CallerKeys:
    def __init__(self, folder: Path) -> None:
        self._path, self._lock_path = folder / "keys.json", folder / "keys.lock"
        self._read: tuple[object, dict[str, CallerKey]] = (None, {})

    def find(self, given: str) -> CallerKey | None:
        """Return the valid key that a client sent; None if there is no such key. A changed file is read again."""
        if not given.startswith(PREFIX) or len(given) > MAX_KEY_CHARS:
            return None
        key = self._current().get(files.sha256_bytes(given.encode(errors="surrogateescape")))
        return key if key and key.is_valid(datetime.now(UTC)) else None

    def list_keys(self) -> list[CallerKey]:
        return list(self._load().keys)

    def add(self, caller: str, days: int | None = None) -> str:
        """Make a key for a caller, and return it. It cannot be shown again.

        Raises:
            InputError: The caller's name is not valid.
        """
        if not CALLER_PATTERN.fullmatch(caller):
            raise InputError(
                "caller: expected up to 64 lower-case letters, digits, -, _ and ., a letter or digit first, "
                f"got {caller!r}"
            )
        given, now = f"{PREFIX}{secrets.token_urlsafe(32)}", datetime.now(UTC)
        key = CallerKey(
            caller=caller,
            sha256=files.sha256_bytes(given.encode()),
            created=now,
            expires=now + timedelta(days=days) if days else None,
        )
        with self._editing():
            self._write([*self.list_keys(), key])
        return given

    def revoke(self, key_id: str) -> CallerKey:
        """Remove a key, given its id.

        Raises:
            InputError: There is no such key.
        """
        with self._editing():
            keys = self.list_keys()
            found = [key for key in keys if key.id == key_id]
            if not found:
                raise InputError(f"there is no key {key_id!r}; `hallmark serve keys` lists the ids")
            self._write([key for key in keys if key.id != key_id])
        return found[0]

    def _editing(self) -> AbstractContextManager[None]:
        self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        return locks.hold_exclusive_lock(self._lock_path, "another command changes the keys of callers")

    def _write(self, keys: list[CallerKey]) -> None:
        files.write_bytes(self._path, _KeyFile(keys=keys).model_dump_json(indent=1).encode(), 0o600)

    def _current(self) -> dict[str, CallerKey]:
        try:
            found = self._path.stat()
        except FileNotFoundError:
            return {}
        except OSError as error:
            raise Unavailable(f"{self._path} cannot be read ({error.strerror})") from None
        state = (found.st_mtime_ns, found.st_ino, found.st_size)
        if state != self._read[0]:
            self._read = (state, {key.sha256: key for key in self._load().keys})
        return self._read[1]

    def _load(self) -> _KeyFile:
        if not self._path.exists():
            return _KeyFile()
        try:
            return _KeyFile.model_validate_json(files.read_bounded(self._path, MAX_FILE_BYTES))
        except ValueError as error:
            raise InputError(
                f"{self._path} cannot be read ({document_error_message(error)}); remove it and give out new keys "
                "(`hallmark serve add-key`)"
            ) from None
        except OSError as error:
            raise Unavailable(f"{self._path} cannot be read ({error.strerror})") from None
