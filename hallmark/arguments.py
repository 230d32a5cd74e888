"""Checks of arguments of the Python API, for callers without a type checker. All of them raise `InputError`."""

from pathlib import Path

from tasks.core.errors import InputError


def require_text(name: str, value: object) -> str:
    """Return a value that is text.

    Raises:
        InputError: It has another type, or contains a character that UTF-8 or a file name cannot contain.
    """
    if not isinstance(value, str):
        raise InputError(f"{name}: expected text, got {value!r}")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise InputError(f"{name}: expected text, got {value!r}, which has an unpaired surrogate; remove it") from None
    if "\0" in value:
        raise InputError(f"{name}: expected text without a null character, got {value!r}; remove it")
    return value


def require_flag(name: str, value: object) -> bool:
    if not isinstance(value, bool):
        raise InputError(f"{name}: expected True or False, got {value!r}")
    return value


def require_existing_path(name: str, value: object) -> Path:
    path = Path(require_text(name, value if isinstance(value, str) else str(value)))
    try:
        is_there = path.exists()
    except OSError as error:
        raise InputError(f"{path}: cannot be used ({error.strerror}); give the folder of your clone") from None
    if not is_there:
        raise InputError(f"{path}: there is no such folder; give that of your clone, or one inside it")
    return path
