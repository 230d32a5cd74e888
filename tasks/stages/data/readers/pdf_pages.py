"""Pages of PDF documents, read by a process of its own (`pdf_worker`), which can be stopped and has little memory.

pypdf bounds what single streams unpack to and how deep trees are (`pypdf.Configuration`). Time and memory of the whole
are bounded here, by limits of the process.
"""

import io
import logging
import math
import os
import re
import resource
from collections.abc import Iterator
from multiprocessing.connection import Connection
from typing import Any, NamedTuple

MAX_STREAM_BYTES = 32 << 20
"""Maximum size of an unpacked stream in bytes."""
OUT_OF_MEMORY = 71
"""Exit code of the process if a document needs too much memory."""
PDF_MAGIC, END_MARK = b"%PDF-", b"%%EOF"
MAX_HEAD_BYTES, MAX_TAIL_BYTES = 1_024, 4_096
"""Number of bytes in which the marks of beginning and end are looked for, because some programs write bytes around."""
MAX_UNDECODED_SHARE = 0.3
"""Maximum fraction of characters without meaning in a text that counts as one."""
UNDECODED_CHARACTERS = re.compile("[\0-\x08\x0e-\x1f\x7f\ufffd\ue000-\uf8ff]")
INLINE_PICTURE, DRAWN_OBJECT = re.compile(rb"\bBI\b.*?\bID\b", re.DOTALL), re.compile(rb"\bDo\b")
MAX_BLANK_BYTES = 4_096
"""Maximum size in bytes of the drawing on a page that counts as blank. Letters drawn as lines take more."""
MAX_DEPTH = 20
"""Maximum number of forms within forms in which pictures are looked for."""


class Limits(NamedTuple):
    """Limits of the process that reads documents."""

    memory_bytes: int = 4 << 30
    """Maximum address space. A document of 200 MB with large pictures needs a quarter of it."""
    page_seconds: int = 30
    """Maximum processor time for one page. A page of a map with 100,000 lines takes two seconds."""
    document_seconds: int = 1_800
    """Maximum processor time for one document, enough for 90,000 pages at their usual 20 milliseconds."""


class OutlineEntry(NamedTuple):
    path: tuple[str, ...]
    page: int
    """Page at which the section begins, from 1."""


class Opening(NamedTuple):
    """First message about a document."""

    title: str
    date: str | None
    outline: list[OutlineEntry]
    page_count: int


class Page(NamedTuple):
    text: str
    problem: str = ""
    """Reason that the page has no text although something stands on it; empty if there is none."""


class End(NamedTuple):
    """Last message about a document."""

    problem: str = ""


PICTURES = "have pictures and no text; recognise them (OCR) first"
DRAWINGS = "have drawings and no text; recognise them (OCR) first"
UNDECODED = "have fonts that do not say their letters; recognise them (OCR) first"
DAMAGED = "are damaged; save the document anew"


def serve_documents(connection: Connection, limits: Limits) -> None:
    """Answer each document that is received with an Opening, its pages and an End, until the connection closes.

    The process exits with OUT_OF_MEMORY if a document needs more memory than there may be.
    """
    logging.getLogger("pypdf").setLevel(logging.CRITICAL)  # it logs what it repairs, with values
    resource.setrlimit(resource.RLIMIT_AS, (limits.memory_bytes, limits.memory_bytes))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    try:
        while True:
            for message in read_document(connection.recv_bytes(), limits):
                connection.send(message)
    except EOFError:
        return
    except MemoryError:
        os._exit(OUT_OF_MEMORY)


def read_document(content: bytes, limits: Limits) -> Iterator[Opening | Page | End]:
    problem = _form_problem(content)
    try:
        if not problem:
            yield from _read_pages(content, limits)
    except _Encrypted:
        problem = "is encrypted; save it without a password"
    except _PagesMissing as error:
        problem = str(error)
    except MemoryError:
        raise
    except Exception as error:  # of a damaged document pypdf raises whatever comes up
        problem = f"is a damaged PDF ({type(error).__name__}); save it anew"
    yield End(problem)


class _Encrypted(Exception):
    pass


class _PagesMissing(Exception):
    pass


def _form_problem(content: bytes) -> str:
    if PDF_MAGIC not in content[:MAX_HEAD_BYTES]:
        return "is no PDF: it does not begin with %PDF; correct `kind`, or save it anew"
    if END_MARK not in content[-MAX_TAIL_BYTES:]:
        return "is truncated: it does not end with %%EOF; fetch it again"
    return ""


def _read_pages(content: bytes, limits: Limits) -> Iterator[Opening | Page]:
    import pypdf

    last = _used_seconds() + limits.document_seconds
    streams: dict[str, Any] = {
        "zlib_maximum_output_length": MAX_STREAM_BYTES,
        "lzw_maximum_output_length": MAX_STREAM_BYTES,
        "run_length_maximum_output_length": MAX_STREAM_BYTES,
        "array_based_stream_maximum_output_length": MAX_STREAM_BYTES,
    }
    with pypdf.apply_configuration(**streams):
        _limit_time(limits.page_seconds, last)
        document: Any = pypdf.PdfReader(io.BytesIO(content))
        if document.is_encrypted and not document.decrypt(""):
            raise _Encrypted
        pages = document.pages
        yield _describe(document, len(pages))
        for place in range(len(pages)):
            _limit_time(limits.page_seconds, last)
            yield _read_page(pages, place)
        stated = document.root_object["/Pages"].get("/Count")
        if isinstance(stated, int) and stated > len(pages):
            raise _PagesMissing(f"says that it has {stated:,} pages, and {len(pages):,} can be read; save it anew")


def _limit_time(seconds: int, last: int) -> None:
    """Have the system end this process in so many seconds, or at `last` seconds of its processor time."""
    soft = min(last, _used_seconds() + seconds)
    resource.setrlimit(resource.RLIMIT_CPU, (soft, resource.RLIM_INFINITY))


def _used_seconds() -> int:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return math.ceil(used.ru_utime + used.ru_stime)


def _describe(document: Any, page_count: int) -> Opening:
    try:
        stated = document.metadata or {}
        title, date = str(stated.get("/Title") or ""), str(stated.get("/ModDate") or stated.get("/CreationDate") or "")
    except MemoryError:
        raise
    except Exception:  # what is not there in a form that can be read is not stated
        title = date = ""
    match = re.match(r"D:(\d{4})(\d\d)?(\d\d)?", date)
    iso = f"{match[1]}-{match[2] or '01'}-{match[3] or '01'}" if match else None
    try:
        outline = list(_flatten_outline(document))
    except MemoryError:
        raise
    except Exception:  # without a usable outline, each page is a section
        outline = []
    return Opening(" ".join(title.split()), iso, sorted(outline, key=lambda entry: entry.page), page_count)


def _flatten_outline(document: Any) -> Iterator[OutlineEntry]:
    left: list[tuple[tuple[str, ...], Iterator[Any]]] = [((), iter(document.outline))]
    path: tuple[str, ...] = ()
    while left:
        above, items = left[-1]
        item = next(items, None)
        if item is None:
            left.pop()
        elif isinstance(item, list):
            left.append((path, iter(item)))
        else:
            path = (*above, " ".join(str(item.title or "").split()))
            page = document.get_destination_page_number(item)
            if page is not None and path[-1]:
                yield OutlineEntry(path, page + 1)


def _read_page(pages: Any, place: int) -> Page:
    try:
        page = pages[place]
        text = page.extract_text().strip()
        if text and len(UNDECODED_CHARACTERS.findall(text)) > MAX_UNDECODED_SHARE * len(text):
            return Page("", UNDECODED)
        return Page(text, "" if text else _explain_missing_text(page))
    except MemoryError:
        raise
    except Exception:
        return Page("", DAMAGED)


def _explain_missing_text(page: Any) -> str:
    """Return the reason why there is no text on a page; an empty text for a blank page."""
    content = page.get_contents()
    drawn: bytes = content.get_data() if content is not None else b""
    if INLINE_PICTURE.search(drawn) or (DRAWN_OBJECT.search(drawn) and _has_pictures(page)):
        return PICTURES
    return DRAWINGS if len(drawn) > MAX_BLANK_BYTES else ""


def _has_pictures(page: Any) -> bool:
    """Return whether a page, or a form on it, names a picture. Pages may share names that they do not all use."""
    seen: set[int] = set()
    left = [(page.get("/Resources"), 0)]
    while left:
        resources, depth = left.pop()
        resources = resources.get_object() if resources is not None else {}
        objects = resources.get("/XObject")
        for each in (objects.get_object() if objects is not None else {}).values():
            form = each.get_object()
            if form.get("/Subtype") == "/Image":
                return True
            if id(form) not in seen and depth < MAX_DEPTH:
                seen.add(id(form))
                left.append((form.get("/Resources"), depth + 1))
    return False
