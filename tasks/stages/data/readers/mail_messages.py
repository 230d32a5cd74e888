"""Mail message (RFC 5322, MIME), parsed into who wrote what to whom, when, and in answer to what.

Python's `email` is asked for structure and bytes. Addresses and encoded words are read by its older functions, because
the newer ones take seconds for a header of some kilobytes, or end in IndexError.
"""

import hashlib
import re
from collections.abc import Iterator
from datetime import UTC
from email import errors, policy
from email.header import decode_header, make_header
from email.message import EmailMessage, Message
from email.parser import BytesParser
from email.utils import getaddresses, parsedate_to_datetime
from typing import Any, NamedTuple

from tasks.stages.data.readers.decoding import find_codec
from tasks.stages.data.readers.html_events import UnreadableHtml
from tasks.stages.data.readers.mail_html import html_to_text
from tasks.stages.data.readers.mailboxes import MAX_ENCODED_BYTES
from tasks.stages.data.readers.quoted_replies import cut_quotes

MAX_CONTAINERS = 50
"""Maximum number of parts that contain others. Python's parser needs stack for each level."""
MAX_CONTAINER_LINES = 10_000_000
"""Maximum product of the number of such parts and of lines, because Python's parser looks for the end of each part in
every line. That many take two seconds."""
MAX_BOUNDARIES = 5_000
"""Maximum number of lines that may be boundaries between parts."""
MAX_HEADERS = 20_000
"""Maximum number of lines of headers."""
MAX_HEADER_CHARS = 4_096
MAX_CONTENT_HEADER_BYTES = 2_000
"""Maximum size of a header of a part. Python's parser needs a tenth of a second for one of 4,000 bytes."""
MAX_SHOWN_RECIPIENTS_CHARS = 4_096
MAX_REFERENCES = 3
"""Maximum number of references that are read: the first one, and the last ones."""
CONTAINER = re.compile(rb"^content-type:[ \t\r\n]{0,10}(?:multipart|message)/", re.IGNORECASE | re.MULTILINE)
CONTENT_HEADER = re.compile(rb"^content-[\w-]+:[^\n]*+(?:\n[ \t][^\n]*+)*+", re.IGNORECASE | re.MULTILINE)
HEAD_END = re.compile(rb"\r?\n\r?\n")
MESSAGE_ID = re.compile(r"<([^<>\s]{1,998})>")
LIST_ADDRESS = re.compile(r"(\S+) at (\S+)(?: \((.*)\))?")
"""Pattern of an address as Mailman writes it in archives."""
BROKEN_PART_DEFECTS = (errors.InvalidBase64CharactersDefect, errors.InvalidBase64LengthDefect)


class UnreadableMail(Exception):
    """Raised if a message cannot be read. The text explains why, without any value from the message."""


class IncompleteMail(Exception):
    """Raised if a message does not say who wrote it, or when."""


class MailHeaders(NamedTuple):
    message_id: str
    """Message id without brackets; a digest of the message if it has none."""
    references: list[str]
    """Ids of the messages that it answers, the oldest first."""


def read_headers(content: bytes) -> MailHeaders:
    """Read the ids in a message's headers.

    Raises:
        UnreadableMail: There are more or longer headers than can be read in bounded time.
    """
    head = HEAD_END.split(content, maxsplit=1)[0]
    if head.count(b"\n") > MAX_HEADERS:
        raise UnreadableMail(f"has more than {MAX_HEADERS:,} lines of headers")
    message = BytesParser(policy=policy.default).parsebytes(_checked(head), headersonly=True)
    own = MESSAGE_ID.search(_header(message, "message-id"))
    message_id = own[1] if own else f"sha256-{hashlib.sha256(content).hexdigest()[:32]}"
    references = MESSAGE_ID.findall(_header(message, "references", 1 << 20))
    answered = MESSAGE_ID.findall(_header(message, "in-reply-to", 1 << 16))[:1]
    chain = [*references[:1], *references[1:][-MAX_REFERENCES:], *answered]
    return MailHeaders(message_id, [each for each in dict.fromkeys(chain) if each != message_id])


def parse_message(content: bytes) -> EmailMessage:
    """Parse the structure of a message.

    Raises:
        UnreadableMail: The message has too many or too deep parts to be read in bounded time.
    """
    return BytesParser(policy=policy.default).parsebytes(_checked(content))


def _checked(content: bytes) -> bytes:
    containers = CONTAINER.findall(content)
    if len(containers) > MAX_CONTAINERS:
        raise UnreadableMail(f"has more than {MAX_CONTAINERS} parts that contain others")
    if len(containers) * content.count(b"\n") > MAX_CONTAINER_LINES:
        raise UnreadableMail("has too many parts that contain others for its length")
    if any(len(header[0]) > MAX_CONTENT_HEADER_BYTES for header in CONTENT_HEADER.finditer(content)):
        raise UnreadableMail(f"has a header Content-… of more than {MAX_CONTENT_HEADER_BYTES:,} bytes")
    if content.count(b"\n--") > MAX_BOUNDARIES:
        raise UnreadableMail(f"has more than {MAX_BOUNDARIES:,} boundaries between parts")
    return content


def read_values(message: EmailMessage, encoding: str) -> dict[str, Any]:
    """Return the values of a message by column, without ids.

    Args:
        message: Parsed message.
        encoding: Encoding of text that does not declare one.

    Raises:
        IncompleteMail: The message has no author or no date.
        UnreadableMail: A header or text cannot be decoded.
    """
    name, author = _author(message, encoding)
    recipients = _header(message, "to", 1 << 20)[:MAX_SHOWN_RECIPIENTS_CHARS]
    return {
        "author": author,
        "author_name": name,
        "to": ", ".join(address.lower() for _, address in getaddresses([recipients]) if "@" in address),
        "subject": _decoded(_header(message, "subject"), encoding),
        "time": _time(message),
        "text": cut_quotes("\n\n".join(filter(None, _texts(message, encoding)))),
    }


def _header(message: Message, name: str, max_chars: int = MAX_HEADER_CHARS) -> str:
    value = next((str(value) for key, value in message.raw_items() if key.lower() == name), "")
    if len(value) > max_chars:
        raise UnreadableMail(f"has a header {name!r} of {len(value):,} characters, more than {max_chars:,}")
    return " ".join(value.split())


def _decoded(value: str, encoding: str) -> str:
    plain = value.encode("utf-8", "surrogateescape").decode(encoding, "replace") if not value.isascii() else value
    try:
        return str(make_header(decode_header(plain))).strip()
    except (LookupError, ValueError, errors.HeaderParseError):
        raise UnreadableMail("has a header in an unknown encoding") from None


def _author(message: EmailMessage, encoding: str) -> tuple[str, str]:
    value = _header(message, "from")
    if listed := LIST_ADDRESS.fullmatch(value):
        return _decoded(listed[3] or "", encoding), f"{listed[1]}@{listed[2]}".lower()
    name, address = next(iter(getaddresses([value])), ("", ""))
    if not address.strip():
        raise IncompleteMail("has no author; expected a header From with an address")
    return _decoded(name, encoding), address.strip().lower()


def _time(message: EmailMessage) -> str:
    try:
        moment = parsedate_to_datetime(_header(message, "date"))
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC).isoformat(timespec="seconds")
    except (ValueError, TypeError, IndexError, OverflowError):
        raise IncompleteMail("has no date; expected a header Date as in RFC 5322") from None


def _texts(part: Message, encoding: str) -> Iterator[str]:
    """Yield the texts of a part in order. Attachments, and other messages in it, are left out."""
    if part.get_content_disposition() == "attachment":
        return
    kind = part.get_content_type()
    if part.get_content_maintype() == "multipart":
        if not part.is_multipart():
            raise UnreadableMail("has a part without its boundaries")
        inner: Any = part.get_payload()
        if kind == "multipart/alternative":
            inner = _best_alternative(inner)
        for each in inner:
            yield from _texts(each, encoding)
    elif kind == "text/plain":
        yield _plain_text(part, encoding)
    elif kind == "text/html":
        try:
            yield html_to_text(_part_text(part, encoding))
        except UnreadableHtml as error:
            raise UnreadableMail(f"has a part that {error}") from None


def _best_alternative(parts: list[Message]) -> list[Message]:
    plain = [part for part in parts if part.get_content_type() == "text/plain"]
    if plain and any(_raw_text(part) for part in plain):
        return plain
    return [part for part in parts if part not in plain][-1:]


def _plain_text(part: Message, encoding: str) -> str:
    text = _part_text(part, encoding)
    if str(part.get_param("format", "")).lower() != "flowed":
        return text
    deleted = str(part.get_param("delsp", "")).lower() == "yes"
    return re.sub(r"(?m)(?<!^--) \n(?![>\n])", "" if deleted else " ", text)


def _part_text(part: Message, encoding: str) -> str:
    if len(_raw_text(part)) >= MAX_ENCODED_BYTES and part.get("content-transfer-encoding") == "base64":
        raise UnreadableMail(f"has a text of more than {MAX_ENCODED_BYTES:,} bytes in base64")
    data = part.get_payload(decode=True)
    if not isinstance(data, bytes) or any(isinstance(defect, BROKEN_PART_DEFECTS) for defect in part.defects):
        raise UnreadableMail("has a text that is broken in its base64")
    try:
        text = data.decode(_declared_codec(part) or encoding)
    except ValueError:
        raise UnreadableMail("has a text that is not in the encoding that it declares") from None
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _raw_text(part: Message) -> str:
    """Return the text of a part as it was sent. Python's parser already decodes it if it is not ASCII."""
    _declared_codec(part)
    return str(part.get_payload())


def _declared_codec(part: Message) -> str | None:
    # `get_payload` also uses names beyond ASCII, which `get_content_charset` passes over: püunycode is punycode to it
    named = part.get_param("charset")
    charset = named if isinstance(named, str) else part.get_content_charset()
    if not charset or charset.lower() in ("us-ascii", "ascii", "unknown-8bit"):
        return None
    try:
        return find_codec(charset)
    except LookupError:
        raise UnreadableMail("has a text in an unknown encoding") from None
