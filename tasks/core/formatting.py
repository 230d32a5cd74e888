"""Formatting of times, durations, fractions, sizes, counts, amounts and paths in commands, pages and messages."""

import os
import re
from datetime import datetime
from pathlib import Path

from tasks.core.utc import to_utc

MAX_PATH_CHARS = 100
BYTES_BY_UNIT = {"GiB": 2**30, "MiB": 2**20, "KiB": 2**10}


def format_time(moment: datetime) -> str:
    """Format a time to the minute, for example `2026-03-03 12:00 UTC`."""
    return f"{to_utc(moment):%Y-%m-%d %H:%M} UTC"


def format_exact_time(moment: datetime) -> str:
    """Format a time to the second, for example `2026-03-03 12:00:05 UTC`."""
    return f"{to_utc(moment):%Y-%m-%d %H:%M:%S} UTC"


def format_duration(seconds: float) -> str:
    """Format a duration in its two largest units, for example `2.5 s`, `4 min 02 s`, `1 h 05 min` or `2 d 3 h`."""
    if seconds < 10:
        return f"{max(0.0, seconds):.1f}".removesuffix(".0") + " s"
    if seconds < 60:
        return f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    return f"{days} d {hours} h" if days else f"{hours} h {minutes:02} min" if hours else f"{minutes} min {rest:02} s"


def format_minutes(seconds: float) -> str:
    """Format a duration to the minute, for example `12 min` or `1 h 05 min`."""
    minutes = int(max(0.0, seconds) // 60)
    return f"{minutes} min" if minutes < 60 else format_duration(minutes * 60)


def format_share(share: float) -> str:
    """Format a fraction as a percentage with at most one decimal, for example `40%` or `9.1%`."""
    return f"{share:.1%}".replace(".0%", "%")


def format_bytes(size: float) -> str:
    """Format a number of bytes in its largest unit, for example `1.5 GiB`."""
    unit = next((unit for unit, whole in BYTES_BY_UNIT.items() if size >= whole), None)
    return f"{size / BYTES_BY_UNIT[unit]:,.1f} {unit}" if unit else f"{size:,.0f} B"


def format_count(count: int, singular: str, plural: str = "") -> str:
    """Format a count with its noun, for example `1 rule` or `1,204 rules`.

    Args:
        count: Number to format.
        singular: Noun in the singular.
        plural: Noun in the plural, if it is not the singular with an `s`.
    """
    return f"{count:,} {singular if count == 1 else plural or f'{singular}s'}"


def format_usd(value: float) -> str:
    """Format an amount in US dollars, with two significant digits if it is below 0.1."""
    return f"{value:,.2f} USD" if value >= 0.1 else f"{value:.2g} USD"


def format_path(path: Path | str | bytes) -> str:
    """Format a path, truncated after MAX_PATH_CHARS characters."""
    text = os.fsdecode(path)
    return text if len(text) <= MAX_PATH_CHARS else f"{text[:MAX_PATH_CHARS]}… ({len(text):,} characters)"


def format_url(text: str) -> str:
    """Return a URL, or a text with URLs, for a message: passwords are replaced by `***`.

    A password is what stands between `:` and `@` after a user name, or an option whose name ends in password, passwd,
    token, secret or key.
    """
    shown = re.sub(r"(^|//)([^:@/\s]*):(?!//|\d{1,5}(?:/|$))\S*@", r"\1\2:***@", text)
    return re.sub(r"(?i)([?&]\w*(?:password|passwd|token|secret|key)=)[^&\s]*", r"\1***", shown)
