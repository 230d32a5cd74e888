"""Normal form of targets: differences in case, spaces, final punctuation and the layout of JSON do not matter."""

from typing import Any

from tasks.core.json_text import parse_interoperable

FINAL_PUNCTUATION = " .!?…。;,:"


def normalise_target(text: str) -> str:
    if text.lstrip().startswith(("{", "[")):
        try:
            return f"{_ordered(parse_interoperable(text))}"
        except ValueError:
            pass
    return _plain(text)


def _ordered(value: Any) -> Any:
    if isinstance(value, dict):
        return "{", sorted((_plain(name), _ordered(field)) for name, field in value.items())
    if isinstance(value, list):
        return "[", [_ordered(item) for item in value]
    if isinstance(value, str):
        return "text", _plain(value)
    return "other", str(value)


def _plain(text: str) -> str:
    plain = " ".join(text.casefold().split())
    return plain.rstrip(FINAL_PUNCTUATION) or plain
