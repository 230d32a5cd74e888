"""Normal form of targets, which ignores case, spaces, final punctuation and the layout of JSON."""

from typing import Any

from tasks.core.json_text import parse_interoperable

FINAL_PUNCTUATION = " .!?…。;,:"


def normalise_target(text: str) -> str:
    if text.lstrip().startswith(("{", "[")):
        try:
            return f"{_normal_value(parse_interoperable(text))}"
        except ValueError:
            pass
    return _normal_text(text)


def _normal_value(value: Any) -> Any:
    if isinstance(value, dict):
        return "{", sorted((_normal_text(name), _normal_value(field)) for name, field in value.items())
    if isinstance(value, list):
        return "[", [_normal_value(item) for item in value]
    if isinstance(value, str):
        return "text", _normal_text(value)
    return "other", str(value)


def _normal_text(text: str) -> str:
    plain = " ".join(text.casefold().split())
    return plain.rstrip(FINAL_PUNCTUATION) or plain
