"""Documents as sources: which rows they become, and that what cannot be read is told and not skipped."""

import io
import re
import tarfile
import tracemalloc
import zipfile
from functools import partial
from typing import Any

import pypdf
import pytest

from tasks.core.errors import InputError, ProcessDied
from tasks.stages.data.readers.decoding import REFUSED_CODECS
from tasks.stages.data.readers.formats import pdf_reader
from tasks.stages.data.readers.kinds import reader_of
from tasks.stages.data.readers.pdf_pages import Limits
from tasks.stages.data.readers.pdf_worker import PdfWorker
from tasks.stages.data.readers.rows import MalformedRow, Row
from tests.stages.data.build import source
from tests.stages.data.document_files import PICTURE, pdf, with_part, with_stated_size, word

PAGES = source("pages", "pdf", mapping={"text": "text"})
TEXT_PART = "word/document.xml"
BODY = b"<w:document xmlns:w='urn:w'><w:body>%s</w:body></w:document>"
UNPACKS = "bytes, more than max_unpacked_bytes allows, 1,000,000"
BOMB = b"<!DOCTYPE r [<!ENTITY a 'aaaaaaaa'><!ENTITY b '&a;&a;&a;&a;'>]>"


def folder(files: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for name, content in sorted(files.items()):
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return out.getvalue()


def read(kind: str, data: bytes, **fields: Any) -> list[Row | MalformedRow]:
    declared = source(f"page.{kind}", kind, mapping={"text": "text", "effective_from": "date"}, **fields)
    return list(reader_of(kind).read(io.BytesIO(data), declared))


def sections(rows: list[Row | MalformedRow]) -> list[tuple[str, str]]:
    return [(row.values["heading"], row.values["text"]) for row in rows if isinstance(row, Row)]


def problem(kind: str, data: bytes, **fields: Any) -> str:
    with pytest.raises(InputError) as caught:
        read(kind, data, **fields)
    return str(caught.value)


MARKDOWN = """---
title: Fees
date: 2024-03-01
---
Intro.\r

# A

| k | v |
|---|---|
| 1 | 2 |

```
# no heading
```

## B `b`
*text*
## Empty
C
=
> # quoted
"""


def test_markdown_is_cut_at_its_headings_and_stays_as_it_is_written() -> None:
    rows = read("markdown", MARKDOWN.encode())
    assert sections(rows) == [
        ("", "Intro."),
        ("A", "| k | v |\n|---|---|\n| 1 | 2 |\n\n```\n# no heading\n```"),
        ("A > B `b`", "*text*"),
        ("C", "> # quoted"),
    ]
    assert {(row.values["title"], row.values["date"], row.values["document"]) for row in rows} == {
        ("Fees", "2024-03-01", "page.markdown")
    }
    assert sections(read("markdown", b"No heading.\n")) == [("", "No heading.")]
    broken = b"---\n{: no yaml\n\n---\ntext\n"
    assert sections(read("markdown", broken)) == [("", broken.decode().strip())], "front matter that is none is text"


HTML = """<!DOCTYPE html><html><head><title>Fees &amp; more</title><meta charset="{}">
<meta name="dcterms.modified" content="2024-03-01"><style>p {{}}</style></head><body>
<nav>Menu<ul><li>Home</ul></nav><div class="noprint">Contents</div>
<p>Intro  für <b>al</b>le<br>two</p><h1>A <span class="mw-editsection">[edit]</span></h1>
<ul><li>one<li>two</ul><table><tr><th>k<th>v</tr><tr><td>1</td><td><p>2</p><p>3</p></td></tr></table>
<h2>B</h2><pre>x\n  y</pre><script>if (a < b) {{}}</script><p hidden>gone</p>last"""


@pytest.mark.parametrize("encoding", ["utf-8", "iso-8859-1", "utf-16"])
def test_html_is_cut_at_its_headings_without_navigation(encoding: str) -> None:
    fields = {"encoding": encoding} if encoding == "utf-16" else {}
    data = HTML.format(encoding).replace(' charset="utf-16"', "").encode(encoding)
    rows = read("html", data, **fields)
    assert sections(rows) == [
        ("", "Intro für alle\ntwo"),
        ("A", "- one\n- two\nk | v\n1 | 2 3"),
        ("A > B", "x\n  y\nlast"),
    ]
    assert rows[0].values["title"] == "Fees & more" and rows[0].values["date"] == "2024-03-01"  # type: ignore[union-attr]


def test_docx_is_cut_at_its_headings() -> None:
    data = word(
        ("Title", "Fees"), ("Normal", "Intro"), ("Heading 1", "A"), ("List Bullet", "one"), ("Heading 2", "Empty"),
        ("Heading 1", "B"), table=[["k", "v"], ["1", "2\n3"]],
    )  # fmt: skip
    rows = read("docx", data)
    assert sections(rows) == [("", "Intro"), ("A", "- one"), ("B", "k | v\n1 | 2 3")]
    assert rows[0].values["title"] == "Fees" and rows[0].values["date"].startswith("20")  # type: ignore[union-attr]
    changed = b"<w:p><w:ins><w:r><w:t>new</w:t></w:r></w:ins><w:del><w:r><w:t>old</w:t></w:r></w:del></w:p>"
    assert sections(read("docx", with_part(data, TEXT_PART, BODY % changed))) == [("", "new")]


@pytest.mark.attack(rights="commit", stopped="documents are read as streams, without entities, within limits of size")
def test_hostile_and_damaged_documents_are_told() -> None:
    document = word(("Normal", "x"))
    long, deep = b"# A\n" + b"x" * 900 + b"\n# B\nb", b"<div>" * 50_000 + b"<p>deep" + b"</div>" * 50_000 + b"<p>end"
    assert sections(read("html", b"<html>" + deep)) == [("", "deep\nend")]
    assert sections(read("html", b"<!DOCTYPE html [" + BOMB[13:] + b"<html><p>&b;&b;")) == [("", "]>\n&b;&b;")]
    for kind, data, fields, told in (
        ("html", b"<meta charset=utf-8><p>caf\xe9 au lait", {}, "is not in the encoding that it declares; save it"),
        ("html", b"<p>caf\xe9 au lait", {}, "it is likely cp1252: set `encoding: cp1252` in sources.yaml"),
        ("html", b"<nav>menu</nav>", {}, "has no text"),
        ("markdown", document, {}, "is a ZIP archive"),
        ("markdown", b"x" * 100, {"max_unpacked_bytes": 99}, "has 100 bytes, more than max_unpacked_bytes allows, 99"),
        ("docx", document[:3_000], {}, r"is a damaged archive (BadZipFile); fetch it again"),
        ("docx", pdf(["x"]), {}, "is no .docx: it does not begin like a ZIP archive"),
        ("docx", b"\xd0\xcf\x11\xe0old", {}, "is encrypted, or in the older format .doc"),
        ("docx", with_part(document, TEXT_PART, BOMB + b"<r>&b;</r>"), {}, "has a part with a document type"),
        ("docx", with_part(document, TEXT_PART, BODY % (b"<w:p>" * 300)), {}, "has a part that is damaged XML"),
        ("docx", with_part(document, TEXT_PART, b" " * 10**7), {"max_unpacked_bytes": 10**6}, UNPACKS),
        ("pdf", pdf([PICTURE]).replace(b"/Pages 2 0 R", b"/Pages 1 0 R"), {}, "has no text"),
    ):  # fmt: skip
        with pytest.raises(InputError, match=re.escape(told)):
            pytest.fail(f"{told}: {rows}") if isinstance((rows := read(kind, data, **fields))[0], Row) else refuse(rows)
    rows = read("markdown", long, max_row_bytes=800)
    assert rows[0].reason == "document 1 has a section of 900 characters, more than max_row_bytes allows, 800"  # type: ignore[union-attr]
    assert sections(rows) == [("B", "b")]


@pytest.mark.parametrize("kind", ["text", "transcript", "markdown", "html"])
def test_a_reason_is_about_the_document_and_an_error_about_the_source(kind: str) -> None:
    suffix, mapping = reader_of(kind).suffixes[0], {"text": "text"}
    data = folder({f"a{suffix}": b"\x89PNG picture", f"b{suffix}": b"\n", f"c{suffix}": b"Agent: hello"})
    bad, empty, good = reader_of(kind).read(io.BytesIO(data), source("letters/", kind, mapping=mapping))
    assert isinstance(bad, MalformedRow) and isinstance(empty, MalformedRow) and isinstance(good, Row)
    assert re.match(rf"(the document|document 1) is a PNG picture, expected {kind} text", bad.reason)
    assert re.match(r"(the document|document 2) is empty", empty.reason)
    with pytest.raises(InputError, match=r"^source src: encoding 'klingon' is not a Python text codec"):
        list(reader_of(kind).read(io.BytesIO(data), source("letters/", kind, mapping=mapping, encoding="klingon")))


@pytest.mark.attack(rights="commit", stopped="text is decoded by codecs that take linear time alone")
def test_no_document_is_decoded_by_a_codec_that_takes_long() -> None:
    pages = {f"{name}.html": f"<meta charset={name}><p>für".encode() for name in sorted(REFUSED_CODECS)}
    rows = read("html", folder(pages | {"z.html": b"<p>next"}))
    assert sections(rows) == [("", "next")]
    told = "is not in the encoding that it declares; save it as UTF-8"
    reasons = [row.reason for row in rows if isinstance(row, MalformedRow)]
    assert reasons == [f"document {place} {told}" for place in range(1, len(pages) + 1)]
    for name in REFUSED_CODECS:
        assert f"{name!r} is not a Python text codec that is read" in problem("markdown", b"# a", encoding=name)


@pytest.mark.attack(rights="commit", stopped="documents are read as streams, without entities, within limits of size")
def test_a_docx_that_states_a_smaller_size_is_not_unpacked() -> None:
    document, huge = word(("Normal", "x")), bytes(20 << 20)
    for data, told in (
        (with_stated_size(with_part(document, TEXT_PART, huge), TEXT_PART, 100), "is a damaged archive (BadZipFile)"),
        (with_part(document, TEXT_PART, huge, zipfile.ZIP_BZIP2), "has a part in a compression that no .docx has"),
    ):
        tracemalloc.start()
        assert told in problem("docx", data)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < 4 << 20


def refuse(rows: list[Row | MalformedRow]) -> None:
    assert isinstance(rows[0], MalformedRow)
    raise InputError(rows[0].reason)


@pytest.mark.attack(rights="commit", stopped="a PDF is read by a process with limits of time and memory")
def test_a_pdf_that_takes_too_much_time_or_memory_ends_the_source(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is no malformed row, because the numbers of later rows would depend on the machine."""
    slow, large = pdf(["\n".join(["x"] * 120_000)]), b"%PDF-1.7 " + bytes(100 << 20) + b"%%EOF"
    for content, limits, told in (
        (slow, Limits(page_seconds=1), "takes more than 1 seconds of a processor for a page"),
        (large, Limits(memory_bytes=160 << 20), "needs more than 160 MiB of memory"),
    ):
        monkeypatch.setattr(pdf_reader, "PdfWorker", partial(PdfWorker, limits))
        rows, found = reader_of("pdf").read(io.BytesIO(folder({"a.pdf": pdf(["a"]), "b.pdf": content})), PAGES), []
        with pytest.raises(InputError, match=f"^source src: pages: 'b.pdf' {told}.*; divide it"):
            found.extend(rows)
        assert all(isinstance(row, Row) for row in found)


def test_a_process_that_is_killed_says_nothing_about_the_pdf() -> None:
    with PdfWorker() as worker:
        messages = worker.read(pdf(["x"] * 2_000), "b.pdf")
        next(messages)
        assert worker._process is not None
        worker._process.kill()
        with pytest.raises(ProcessDied, match=r"^b\.pdf: the process that read it ended with -9; try again"):
            list(messages)


def test_pdf_is_a_row_a_page_or_a_row_an_entry_of_its_outline() -> None:
    pages = ["Cover", "Intro\nbla\n1.2 Fees\nmoney", "more"]
    data = folder({
        "a.pdf": pdf(pages), "b.pdf": pdf(pages, [("Intro", 2), ("Fees", 2), ("Gone", 3)]),
        "c.pdf": pdf(["one", PICTURE, PICTURE, "", "five", PICTURE]), "d.pdf": word(("Normal", "no PDF")),
        "e.pdf": pdf(pages)[:-20], "f.pdf": pdf(pages).replace(b"/Kids[5 0 R", b"/Kids[2 0 R"), "g.pdf": encrypted(),
        "h.pdf": pdf(["last"]).replace(b"/Count 1", b"/Count 2"),
    })  # fmt: skip
    rows = read("pdf", data)
    assert [(row.values["document"], row.values["heading"], row.values["page"], row.values["text"])
            for row in rows if isinstance(row, Row)] == [
        ("a.pdf", "", 1, "Cover"), ("a.pdf", "", 2, pages[1]), ("a.pdf", "", 3, "more"),
        ("b.pdf", "", 1, "Cover"), ("b.pdf", "Intro", 2, "bla"), ("b.pdf", "Fees", 2, "money"),
        ("b.pdf", "Gone", 3, "more"), ("c.pdf", "", 1, "one"), ("c.pdf", "", 5, "five"), ("h.pdf", "", 1, "last"),
    ]  # fmt: skip
    assert [(row.number, row.rule, row.reason) for row in rows if isinstance(row, MalformedRow)] == [
        (10, "no_text", "document 3 pages 2–3, 6 have pictures and no text; recognise them (OCR) first"),
        (11, "unreadable", "document 4 is no PDF: it does not begin with %PDF; correct `kind`, or save it anew"),
        (12, "unreadable", "document 5 is truncated: it does not end with %%EOF; fetch it again"),
        (13, "unreadable", "document 6 is a damaged PDF (PdfReadError); save it anew"),
        (14, "unreadable", "document 7 is encrypted; save it without a password"),
        (16, "unreadable", "document 8 says that it has 2 pages, and 1 can be read; save it anew"),
    ]
    assert (rows[0].values["title"], rows[0].values["date"]) == ("Fees", "2024-03-01")  # type: ignore[union-attr]


def encrypted() -> bytes:
    out, writer = io.BytesIO(), pypdf.PdfWriter(clone_from=pypdf.PdfReader(io.BytesIO(pdf(["secret"]))))
    writer.encrypt("password")
    writer.write(out)
    return out.getvalue()
