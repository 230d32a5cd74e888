"""Messages of a file of mail: the one of an .eml file, or those of an mbox (RFC 4155)."""

import re
from collections.abc import Iterator
from typing import IO

BLOCK_BYTES = 1 << 20
FROM_LINE = re.compile(
    rb"From \S.{0,300}?(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun),? (?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec|\d{1,2} )"
)
"""Pattern of the line before each message of an mbox. Sentences that begin with `From` have no date there."""
QUOTED_FROM = re.compile(rb">+From ")
ENCODED_LINE = re.compile(rb"[A-Za-z0-9+/]{60,}=*\r?\n?")
"""Pattern of a full line of an attachment in base64."""
MAX_ENCODED_BYTES = 1 << 20
"""Maximum number of bytes of successive lines in base64 that are kept. No text is that long, so the rest is of an
attachment."""


def iter_messages(file: IO[bytes], max_bytes: int) -> Iterator[bytes | None]:
    """Yield the messages of a file, without most of the bytes of long attachments.

    A message that is still longer than `max_bytes` is None. At most that much is in memory.
    """
    message = _MessageBuffer(max_bytes)
    is_mailbox, begins_line, after_blank = False, True, True
    while line := file.readline(BLOCK_BYTES):
        if begins_line and after_blank and (is_mailbox or not message.size) and FROM_LINE.match(line):
            if is_mailbox:
                yield message.take()
            is_mailbox = True
        else:
            message.add(line[1:] if is_mailbox and begins_line and QUOTED_FROM.match(line) else line)
        after_blank = begins_line and not line.strip(b"\r\n")
        begins_line = line.endswith(b"\n")
    yield message.take()


class _MessageBuffer:
    def __init__(self, max_bytes: int) -> None:
        self._max, self._kept, self._encoded = max_bytes, bytearray(), 0
        self.size = 0
        """Number of bytes so far, without those of long attachments."""

    def add(self, line: bytes) -> None:
        self._encoded = self._encoded + len(line) if ENCODED_LINE.fullmatch(line) else 0
        if self._encoded > MAX_ENCODED_BYTES:
            return
        self.size += len(line)
        if self.size <= self._max:
            self._kept += line

    def take(self) -> bytes | None:
        content = bytes(self._kept) if self.size <= self._max else None
        self._kept, self.size, self._encoded = bytearray(), 0, 0
        return content
