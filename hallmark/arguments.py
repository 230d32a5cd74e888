"""Checks of arguments that a typed editor would have found, with the errors of this package."""

from pathlib import Path

from tasks.core.errors import InputError


def require_text(name: str, value: object) -> str:
    """Return a value that is text.

    Raises:
        InputError: It is another type, or contains a character that no file and no signature can hold.
    """
    if not isinstance(value, str):
        raise InputError(f"{name}: expected text, got {value!r}")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise InputError(f"{name}: {value!r} has half of a character (a surrogate), which is no text") from None
    if "\0" in value:
        raise InputError(f"{name}: {value!r} has a zero character; leave it out")
    return value


def require_flag(name: str, value: object) -> bool:
    if not isinstance(value, bool):
        raise InputError(f"{name}: expected True or False, got {value!r}")
    return value


def require_folder(name: str, value: object) -> Path:
    path = value if isinstance(value, Path) else Path(require_text(name, value))
    require_text(name, str(path))
    if not path.exists():
        raise InputError(f"{path}: there is no such folder; give that of your clone, or one inside it")
    return path
