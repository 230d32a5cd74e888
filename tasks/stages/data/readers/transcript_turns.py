"""Turns of a transcript: WebVTT, SRT, or plain lines such as `[00:01:02] Agent: text`.

Successive cues or lines of one speaker are one turn. What names no speaker continues the turn before.
"""

import html
import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

ARROW = re.compile(r"\s*((?:\d{1,4}:)?\d\d:\d\d[.,]\d{3})\s+-->\s")
"""Pattern of the line with the times of a cue in WebVTT and SRT."""
VOICE = re.compile(r"<v(?:\.[^\s>]{0,100})?[ \t]+([^<>]{1,200})>")
"""Pattern of the tag by which WebVTT names a speaker."""
TAG = re.compile(r"<[^<>]{0,200}>")
SPEAKER = r"(?P<author>[^\W\d_][^:<>\[\]\t]{0,59}?)"
CLOCK = r"(?:\d{1,4}:)?\d{1,2}:\d\d(?:[.,]\d{1,9})?"
DATE = rf"\d{{4}}-\d\d-\d\d[T ]{CLOCK}(?:Z| ?[+-]\d\d:?\d\d)?"
STAMP = rf"(?:\[(?P<in>{DATE}|{CLOCK})\]|(?P<out>{DATE}|{CLOCK}))"
STAMPED = re.compile(rf"\s*{STAMP}[ \t]*-?[ \t]*{SPEAKER}:(?:\s+|$)(?P<text>.*)")
"""Pattern of a turn with a time, such as `2024-05-01 10:02 Anna: text`."""
NAMED = re.compile(rf"\s*{SPEAKER}:(?:\s+|$)(?P<text>.*)")
MAX_NAME_WORDS = 4
"""Maximum number of words of a speaker's name in a line without a time. Sentences with a colon are longer."""


class Turn(NamedTuple):
    author: str
    time: str | None
    """Time as in the transcript."""
    text: str


def parse_turns(text: str) -> list[Turn]:
    """Return the turns of a transcript; empty if no line names a speaker."""
    lines = text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n").split("\n")
    is_captions = any(ARROW.match(line) for line in lines)
    return list(_merge(_read_captions(lines) if is_captions else _read_lines(lines), " " if is_captions else "\n"))


def _read_captions(lines: list[str]) -> Iterator[Turn]:
    """Yield the spoken texts of cues. Notes, styles and the numbers of cues stand outside of cues."""
    time: str | None = None
    author = ""
    for line in lines:
        if arrow := ARROW.match(line):
            time, author = arrow[1], ""
        elif not line.strip():
            time = None
        elif time is not None:
            for speaker, spoken in _split_voices(line, author):
                author = speaker
                yield Turn(speaker, time, html.unescape(TAG.sub("", spoken)).strip())


def _split_voices(line: str, author: str) -> Iterator[tuple[str, str]]:
    """Yield speaker and text of each part of a cue's line; the speaker is the one before unless the part names one."""
    before, *voices = VOICE.split(line)
    if before.strip() or not voices:
        named = None if author else NAMED.fullmatch(before)
        yield (named["author"].strip(), named["text"]) if named and _is_name(named["author"]) else (author, before)
    for name, spoken in zip(voices[::2], voices[1::2], strict=True):
        yield html.unescape(name).strip(), spoken


def _read_lines(lines: list[str]) -> Iterator[Turn]:
    """Yield the lines. If some begin with a time, a colon in the others begins no turn."""
    is_stamped = any(STAMPED.fullmatch(line) for line in lines)
    for line in lines:
        if is_stamped and (found := STAMPED.fullmatch(line)):
            yield Turn(found["author"].strip(), found["in"] or found["out"], found["text"].rstrip())
        elif not is_stamped and (found := NAMED.fullmatch(line)) and _is_name(found["author"]):
            yield Turn(found["author"].strip(), None, found["text"].rstrip())
        else:
            yield Turn("", None, line.rstrip())


def _is_name(text: str) -> bool:
    return len(text.split()) <= MAX_NAME_WORDS and not text.rstrip().endswith((".", "?", "!", ","))


def _merge(parts: Iterable[Turn], separator: str) -> Iterator[Turn]:
    author, time = "", None
    texts: list[str] = []
    for part in parts:
        if part.author and part.author != author:
            if author:
                yield Turn(author, time, separator.join(texts).strip())
            author, time, texts = part.author, part.time, []
        if author and part.text:
            texts.append(part.text)
    if author:
        yield Turn(author, time, separator.join(texts).strip())
