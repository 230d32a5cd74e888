"""Mail as a source: what is read of messages, how they are threaded, and what cannot be read."""

import io
import itertools
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tasks.core.errors import InputError
from tasks.stages.data.readers.content import open_content
from tasks.stages.data.readers.kinds import read_rows
from tasks.stages.data.readers.mail_threads import ThreadRoots
from tasks.stages.data.readers.quoted_replies import cut_quotes
from tasks.stages.data.readers.rows import MalformedRow, Row
from tests.stages.data.build import Run, params, source

FROM_LINE = "From MAILER-DAEMON Mon Jan  5 10:00:00 2026\n"
MAPPING = {"prompt": "subject", "response": "text"}
JOINED = {"thread": "thread", "author": "author", "text": "text", "time": "time"}
CONVERSATION = {**JOINED, "assistants": ["*@support.example"]}


def mail(number: int, text: str = "Hello", sender: str = "Mia <Mia@home.example>", **headers: str | None) -> str:
    """A message with the id `number`; a header that is None is left out."""
    plain = {"From": sender, "To": "help@support.example", "Subject": "Card", "Message-ID": f"<{number}@home.example>"}
    dated: dict[str, str | None] = {**plain, "Date": f"Mon, 5 Jan 2026 10:{number:02}:00 +0100"}
    named = dated | {name.replace("_", "-"): value for name, value in headers.items()}
    return "".join(f"{name}: {value}\n" for name, value in named.items() if value is not None) + f"\n{text}\n"


def mbox(*messages: str) -> bytes:
    return "".join(f"{FROM_LINE}{message}\n" for message in messages).encode()


def rows_of(data: bytes, **fields: Any) -> list[Row | MalformedRow]:
    return list(read_rows(io.BytesIO(data), source("in.mbox", "mail", mapping=MAPPING, **fields)))


def only(message: str | bytes, **fields: Any) -> dict[str, Any]:
    """The values of the one row that a message gives."""
    (row,) = rows_of(message if isinstance(message, bytes) else message.encode(), **fields)
    assert isinstance(row, Row), row
    return row.values


def told(message: str | bytes, **fields: Any) -> tuple[str, str]:
    (row,) = rows_of(message if isinstance(message, bytes) else message.encode(), **fields)
    assert isinstance(row, MalformedRow)
    return row.rule, row.reason


def test_the_columns_of_a_message() -> None:
    headers = {"To": "A <a@x.example>, b@x.example", "Subject": "=?utf-8?q?Gr=C3=BC=C3=9Fe?=\n and more"}
    assert only(mail(1, "Hello\n\n> old\nbye\n-- \nMia", Date="Mon, 5 Jan 2026 23:30:00 -0200", **headers)) == {
        "document": "in.mbox", "message_id": "1@home.example", "thread": "1@home.example",
        "to": "a@x.example, b@x.example",
        "author": "mia@home.example", "author_name": "Mia", "subject": "Grüße and more",
        "time": "2026-01-06T01:30:00+00:00", "text": "Hello\n\nbye",
    }  # fmt: skip
    archived = only(mail(2, sender="mia at home.example (Mia)", Message_ID=None))
    assert (archived["author"], archived["author_name"]) == ("mia@home.example", "Mia")
    assert archived["message_id"].startswith("sha256-") and archived["thread"] == archived["message_id"]


def multipart(kind: str, *parts: str) -> str:
    return "".join(f"--edge-{kind}\n{part}\n" for part in parts) + f"--edge-{kind}--\n"


ALTERNATIVE = 'multipart/alternative; boundary="edge-a"'
HTML = (
    "<html><head><title>no</title><style>p {}</style></head><body><p>Hello <b>you</b> &amp; me</p><div>one<br>two"
    '</div><div class="gmail_quote">On Monday<blockquote>old</blockquote></div><!-- x --></body></html>'
)


@pytest.mark.parametrize(
    ("kind", "body", "text"),
    [
        ("text/html", HTML, "Hello you & me\n\none\ntwo"),
        ("text/html", '<div>new<div id="divRplyFwdMsg">From: x</div><p>old</p></div>', "new"),
        ("text/html; charset=utf-8", "<a <a <p>" * 1_000, ""),
        (ALTERNATIVE, multipart("a", "\nplain", f"Content-Type: text/html\n\n{HTML}"), "plain"),
        (ALTERNATIVE, multipart("a", f"Content-Type: text/html\n\n{HTML}"), "Hello you & me\n\none\ntwo"),
        (
            'multipart/mixed; boundary="edge-m"',
            multipart(
                "m",
                "Content-Type: text/plain; charset=iso-8859-1\nContent-Transfer-Encoding: quoted-printable\n\ngr=FCn",
                "Content-Type: text/plain\nContent-Disposition: attachment\n\nattached",
                "Content-Type: message/rfc822\n\nSubject: other\n\nforwarded",
                "Content-Type: image/png\n\nx",
                "\nend",
            ),
            "grün\n\nend",
        ),
        ("text/plain; format=flowed", "soft \nbreak\n-- \nMia", "soft break"),
    ],
)  # fmt: skip
def test_the_text_of_a_message(kind: str, body: str, text: str) -> None:
    assert only(mail(1, body, Content_Type=kind))["text"] == text


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("New\n\nOn Mon, Jan 5, 2026 at 10:00 Mia\n<m@x.example> wrote:\n> old\n> older\n\nand", "New\n\n\nand"),
        ("New\n\nAm 05.01.2026 um 10:00 schrieb Mia:\nold", "New"),
        ("New\n-----Original Message-----\nold", "New"),
        ("New\n________________________________\nVon: Mia\nGesendet: Montag\nAn: uns\nold", "New"),
        ("New\n*From:* Mia\n*Sent:* Monday\n*To:* us\nold", "New"),
        ("New\n---------- Forwarded message ---------\nold", "New"),
        ("From: a leaflet\nI read this.", "From: a leaflet\nI read this."),
        ("On Monday you wrote:\nplease call.", "On Monday you wrote:\nplease call."),
        ("> only old", ""),
    ],
)  # fmt: skip
def test_quotes_and_signatures_are_cut(text: str, kept: str) -> None:
    assert cut_quotes(text) == kept


def test_a_thread_has_one_id_in_the_whole_source() -> None:
    """Answers come before what they answer, and some clients name only the parent, or one that is not there."""
    messages = [
        mail(4, In_Reply_To="<3@home.example>"),
        mail(9, References="<8@home.example>", In_Reply_To="<8@home.example>"),
        mail(3, References="<1@home.example> <2@home.example>"),
        mail(1),
        mail(7, References="<8@home.example>"),
        mail(5),
    ]
    threads = [row.values["thread"] for row in rows_of(mbox(*messages)) if isinstance(row, Row)]
    assert threads == [f"{root}@home.example" for root in (1, 8, 1, 1, 8, 5)]


def test_references_in_a_circle_end() -> None:
    circle = [mail(number, References=f"<{number % 3 + 1}@home.example>") for number in (1, 2, 3)]
    assert len({row.values["thread"] for row in rows_of(mbox(*circle)) if isinstance(row, Row)}) == 1
    roots = ThreadRoots()
    for number in range(20_000, 0, -1):
        roots.add(str(number), [str(number - 1)])
    assert {roots.root_of(str(number)) for number in (0, 1, 777, 20_000)} == {"0"}


def test_mail_in_folders_and_mailboxes_is_a_source_of_conversations(run: Run) -> None:
    folder = run.root / "mail"
    folder.mkdir()
    answer = mail(2, "We did.\n\n> Please block it.", "Help <Help@Support.example>", References="<1@home.example>")
    (folder / "b.mbox").write_bytes(
        mbox(answer, mail(1, "Please block it."), mail(3, "\n>From now on?\nFrom me on Mon Jan  5."))
    )
    (folder / "a.eml").write_text(mail(1, "Please block it."))
    (folder / "c.eml").write_text(mail(7, "Anybody?", From=None))
    (folder / "notes.txt").write_text("no mail")
    with open_content(source(folder, "mail", mapping=MAPPING), folder) as file:
        archive = file.read()
    result = run.ingest(
        archive, kind="mail", how=params(max_malformed_share=0.3), mapping={"conversation": CONVERSATION}
    )
    assert [[turn["content"] for turn in record["messages"]] for record in run.records_of("ingest")] == [
        ["Please block it.", "We did."]
    ]
    assert run.rules_of("ingest") == {2: "duplicate_message", 3: "no_assistant_turn", 4: "incomplete_message"}
    assert (result.counts.rows, result.sources[0].malformed) == (4, 1)


@pytest.mark.parametrize(
    ("message", "rule", "reason"),
    [
        (mail(1, Date=None), "incomplete_message", "has no date"),
        (mail(1, Date="soon"), "incomplete_message", "has no date"),
        (mail(1, Date="Fri, 31 Dec 9999 23:00:00 -2300"), "incomplete_message", "has no date"),
        (mail(1, From=None), "incomplete_message", "has no author"),
        ("no mail at all", "incomplete_message", "has no author"),
        (mail(1, Content_Type="text/plain; charset=klingon"), "unreadable", "unknown encoding"),
        (mail(1, Content_Type="text/plain; charset=zlib"), "unreadable", "unknown encoding"),
        (mail(1, "grün", Content_Type="text/plain; charset=ascii").encode("cp1252"), "unreadable", "not in the"),
        (mail(1, "*" * 9, Content_Transfer_Encoding="base64"), "unreadable", "broken in its base64"),
        (mail(1, "x", Content_Type="multipart/mixed"), "unreadable", "without its boundaries"),
        (mail(1, Subject="=?klingon?q?x?="), "unreadable", "header in an unknown encoding"),
        (mail(1, sender="(" * 4_000), "unreadable", "cannot be parsed"),
        (mail(1, "x" * 5_000), "too_large", "more bytes than max_row_bytes"),
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_told(message: str | bytes, rule: str, reason: str) -> None:
    found, why = told(message, max_row_bytes=5_000)
    assert found == rule and reason in why
    data = message if isinstance(message, bytes) else message.encode()
    others = rows_of(mbox(mail(8)) + FROM_LINE.encode() + data + b"\n\n" + mbox(mail(9)), max_row_bytes=5_000)
    assert [isinstance(row, Row) for row in others] == [True, False, True], "the messages around it are read"


def nested(depth: int, lines: int) -> str:
    inner = "".join(f'Content-Type: multipart/mixed; boundary="b{n}"\n\n--b{n}\n' for n in range(depth))
    return mail(1).removesuffix("\nHello\n") + inner + "\n" + "a\n" * lines


@pytest.mark.attack(rights="commit", stopped="a message is measured before Python's parser reads it")
@pytest.mark.parametrize(
    ("message", "reason"),
    [
        (nested(60, 1), "parts that contain others"),
        (nested(40, 300_000), "too many parts"),
        (mail(1, "--b\n\n" * 6_000, Content_Type="multipart/mixed; boundary=b"), "boundaries between parts"),
        (mail(1, Content_Type="a;" * 100_000), "a header Content-"),
        (mail(1, To="(" * 100_000), "cannot be parsed"),
        (mail(1, X="x\n" + " y\n" * 30_000 + " z"), "lines of headers"),
    ],
)
def test_a_message_made_to_take_long_is_told(message: str, reason: str) -> None:
    begun = time.process_time()
    assert reason in told(message)[1]
    assert time.process_time() - begun < 2


@pytest.mark.attack(rights="commit", stopped="text is decoded by codecs that take linear time alone")
def test_no_part_is_decoded_by_a_codec_that_takes_long() -> None:
    """Python's parser decodes text beyond ASCII by itself, by any codec whose name is that of the charset in ASCII."""
    for charset in ("punycode", "idna", "UTF-7", "unicode_escape", '"=?utf-8?q?p=C3=BCunycode?="'):
        for kind in ("text/plain", "text/html", "multipart/mixed", ALTERNATIVE):
            part = f"Content-Type: text/plain; charset={charset}\n\nü and"
            body = multipart("a", part) if kind == ALTERNATIVE else "ü and"
            named = kind if kind == ALTERNATIVE else f"{kind}; charset={charset}"
            why = "part without its boundaries" if kind == "multipart/mixed" else "text in an unknown encoding"
            assert told(mail(1, body, Content_Type=named)) == ("unreadable", f"the message has a {why}"), named
    with pytest.raises(InputError, match="encoding 'punycode' is not a Python text codec that is read; try"):
        rows_of(mail(1).encode(), encoding="punycode")


class LongAttachment(io.RawIOBase):
    """A mailbox of 40 MB with an attachment, made as it is read, which fails if all of it is asked for at once."""

    def __init__(self, line: bytes) -> None:
        self._line = line
        self.seek(0)

    def seek(self, offset: int, whence: int = 0) -> int:
        part = "Content-Type: multipart/mixed; boundary=b\n"
        head = mail(1).replace("\nHello\n", f"{part}\n--b\n\nSee the film.\n--b\nContent-Disposition: attachment\n\n")
        pieces: list[Iterator[bytes]] = [iter([FROM_LINE.encode(), *head.encode().splitlines(True)])]
        pieces += [
            itertools.repeat(self._line, 40_000_000 // len(self._line)),
            iter((b"\n" + mbox(mail(2))).splitlines(True)),
        ]
        self._lines = itertools.chain(*pieces)
        return 1 << 40 if whence == io.SEEK_END else 0

    def read(self, size: int = -1) -> bytes:
        assert 0 <= size < 1_000
        return b"From "

    def readline(self, size: int | None = -1) -> bytes:
        return next(self._lines, b"")


@pytest.mark.parametrize("line", [b"QUJD" * 18 + b"\n", b"=00" * 20_000 + b"\n"])
def test_a_long_attachment_is_not_held_in_memory(line: bytes) -> None:
    declared = source(Path("in.mbox"), "mail", mapping=MAPPING, max_row_bytes=2_000_000)
    first, second = read_rows(LongAttachment(line), declared)  # type: ignore[arg-type]
    assert isinstance(second, Row) and second.values["text"] == "Hello"
    if line.startswith(b"="):
        assert isinstance(first, MalformedRow) and first.rule == "too_large"
    else:
        assert isinstance(first, Row) and first.values["text"] == "See the film."
