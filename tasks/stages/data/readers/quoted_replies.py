"""Text of a message without what its author did not write there: quoted messages and the signature."""

import re
from collections.abc import Sequence

MAX_LINE_CHARS = 300
"""Maximum number of characters of a line that introduces a quoted message."""
SIGNATURE = re.compile(r"-- ?")
"""Line before a signature (RFC 3676, section 4.3)."""
SEPARATOR = re.compile(
    r"\s*[-_*]{2,} ?(?:Original Message|Original Appointment|Forwarded message|"
    r"Ursprüngliche Nachricht|Originalnachricht|Weitergeleitete Nachricht|"
    r"Message d'origine|Mensaje original|Messaggio originale) ?[-_*]{2,}\s*",
    re.IGNORECASE,
)
BEGIN_FORWARD = re.compile(r"\s*(?:Begin forwarded message|Anfang der weitergeleiteten Nachricht):\s*", re.IGNORECASE)
INTRODUCTION = re.compile(
    r"\s*(?:On\b.{4,}\bwrote|Am\b.{4,}\bschrieb\b.{0,100}|Le\b.{4,}\ba écrit|El\b.{4,}\bescribió|Il\b.{4,}\bha scritto|"
    r"Op\b.{4,}\bschreef\b.{0,100})\s?:\s*",
    re.IGNORECASE,
)
INTRODUCTION_WORD = re.compile(r"\s*(?:On|Am|Le|El|Il|Op)\b", re.IGNORECASE)
MAX_INTRODUCTION_LINES = 3
"""Maximum number of lines over which an introduction is wrapped."""
HEADER_LINE = re.compile(
    r"[\s*]*(?:From|Sent|Date|To|Cc|Subject|Von|Gesendet|Datum|An|Betreff|De|Envoyé|À|Objet)[ *]?:.*", re.IGNORECASE
)
FROM_HEADER = re.compile(r"[\s*]*(?:From|Von|De)[ *]?:.*\S.*", re.IGNORECASE)
MIN_HEADER_LINES = 3
"""Minimum number of header lines, of which the first is `From:`, that introduce a quoted message."""
RULE = re.compile(r"\s*_{10,}\s*")


def cut_quotes(text: str) -> str:
    """Return a text without lines that begin with `>`, quoted messages and the signature."""
    lines, kept, place = text.split("\n"), list[str](), 0
    while place < len(lines):
        line = lines[place]
        if SIGNATURE.fullmatch(line) or _begins_quoted_message(lines, place):
            break
        if width := _introduction_lines(lines, place):
            place += width
            if not _is_quote(_next_line(lines, place)):
                break  # the quoted message is not marked, and so reaches to the end
            continue
        if not _is_quote(line):
            kept.append(line)
        place += 1
    return "\n".join(kept).strip()


def _begins_quoted_message(lines: Sequence[str], place: int) -> bool:
    line = lines[place]
    if len(line) > MAX_LINE_CHARS:
        return False
    if SEPARATOR.fullmatch(line) or BEGIN_FORWARD.fullmatch(line):
        return True
    first = place + 1 if RULE.fullmatch(line) else place
    found = lines[first : first + MIN_HEADER_LINES]
    return (
        len(found) == MIN_HEADER_LINES
        and FROM_HEADER.match(found[0]) is not None
        and all(len(each) <= MAX_LINE_CHARS and HEADER_LINE.match(each) for each in found)
    )


def _introduction_lines(lines: Sequence[str], place: int) -> int:
    """Return the number of lines of an introduction such as `On Monday, Jo wrote:`; 0 if none begins here."""
    joined = ""
    if not INTRODUCTION_WORD.match(lines[place]):
        return 0
    for width, line in enumerate(lines[place : place + MAX_INTRODUCTION_LINES], start=1):
        joined = f"{joined} {line.strip()}".lstrip() if line.strip() else ""
        if not joined or len(joined) > MAX_LINE_CHARS:
            return 0
        if INTRODUCTION.fullmatch(joined) and any(character.isdigit() for character in joined):  # of the date
            return width
    return 0


def _next_line(lines: Sequence[str], place: int) -> str:
    return next((line for line in lines[place : place + 5] if line.strip()), "")


def _is_quote(line: str) -> bool:
    return line.startswith(">")
